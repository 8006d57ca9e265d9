/** Templates in routes: text with `{id}` and `{**}` for what the path matched. */

/** Literal text, or the name of what is inserted; `**` is what `/**` matched. */
export type TemplatePart = string | { readonly insert: string }

/** The parts of a template; undefined when a brace is not part of `{name}` or `{**}`. */
export function splitTemplate(text: string): TemplatePart[] | undefined {
  const parts: TemplatePart[] = []
  let literalFrom = 0
  for (const match of text.matchAll(/\{([A-Za-z_][A-Za-z0-9_]*|\*\*)\}/g)) {
    if (match.index > literalFrom) parts.push(text.slice(literalFrom, match.index))
    parts.push({ insert: match[1] ?? '' })
    literalFrom = match.index + match[0].length
  }
  if (literalFrom < text.length) parts.push(text.slice(literalFrom))
  const isBroken = parts.some((part) => typeof part === 'string' && /[{}]/.test(part))
  return isBroken ? undefined : parts
}

export type TemplateUse = {
  /** Patterns of the route; empty: any path. */
  readonly paths: readonly string[]
  /** A path, or an address to redirect to. */
  readonly place: 'path' | 'location'
}

/** What is wrong with a template, as a clause after its name; undefined when it is fine. */
export function templateProblem(text: string, { paths, place }: TemplateUse): string | undefined {
  const parts = splitTemplate(text)
  if (parts === undefined)
    return 'has a brace that is not part of `{name}` or `{**}`; write `%7B` and `%7D` for braces'
  if (place === 'path' && (!text.startsWith('/') || /[?#]/.test(text)))
    return 'must be a path that starts with `/`, without query or fragment'
  for (const part of parts) {
    if (typeof part === 'string') continue
    const without = (paths.length === 0 ? ['/**'] : paths).find(
      (path) => !providedBy(path).has(part.insert),
    )
    if (without !== undefined)
      return `inserts \`{${part.insert}}\`, which the path \`${without}\` does not have`
  }
  const head = typeof parts[0] === 'string' ? parts[0] : ''
  // Else the caller's path could become the host or the scheme: an open redirect (CWE-601).
  const hasFixedHost = /^(?:https?:)?\/\/[^/?#\\]+[/?#]|^\/(?![/\\])/i.test(head)
  if (parts.some((part) => typeof part !== 'string') && !hasFixedHost)
    return 'must start with `/` or a whole address such as `https://example.com/` before what it inserts'
  return undefined
}

/** What a path pattern offers for insertion. */
function providedBy(path: string): Set<string> {
  const names = new Set([...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? ''))
  return path.endsWith('/**') ? names.add('**') : names
}
