/**
 * `${NAME}`, `${NAME:-default}` and `$$` in text. Shell rules: an empty variable takes the default
 * too. The default goes up to the next `}`; a `$` before anything else is an ordinary character.
 */

export type Environment = Readonly<Record<string, string | undefined>>

export type Substituted = {
  readonly text: string
  /** Whether anything was put in, so that an unquoted scalar must be read again. */
  readonly hasVariables: boolean
  /** Each is about the characters from `index` on. */
  readonly mistakes: readonly VariableMistake[]
}

export type VariableMistake =
  | { readonly type: 'undefined'; readonly name: string; readonly index: number }
  | { readonly type: 'malformed'; readonly index: number }

const pattern = /\$\$|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\}|())/g

/** Fills in the variables of `text`; those that are not set stay as written and are reported. */
export function substitute(text: string, env: Environment): Substituted {
  if (!text.includes('$')) return { text, hasVariables: false, mistakes: [] }
  const mistakes: VariableMistake[] = []
  let hasVariables = false
  const filled = text.replace(
    pattern,
    (
      whole: string,
      name: string | undefined,
      fallback: string | undefined,
      _: unknown,
      index: number,
    ) => {
      if (whole === '$$') return '$'
      if (name === undefined) {
        mistakes.push({ type: 'malformed', index })
        return whole
      }
      hasVariables = true
      const value = Object.hasOwn(env, name) ? env[name] : undefined
      if (fallback !== undefined)
        return value === undefined || value === '' ? fallback.slice(2) : value
      if (value === undefined) mistakes.push({ type: 'undefined', name, index })
      return value ?? whole
    },
  )
  return { text: filled, hasVariables, mistakes }
}

/** The text that `substitute` reads back as `text`. */
export function escapeVariables(text: string): string {
  return text.replaceAll(/\$(?=[${])/g, '$$$$')
}
