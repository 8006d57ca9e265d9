/**
 * The part of kubectl's JSONPath templates that people use: `{.items[*].name}`, `{.spec.live}`,
 * `{.spec.versions['v1'].endpoints[0].url}`, text between the braces, and `{"\n"}`. A plain path without
 * braces works too. Filters and recursive descent are refused: `-o json` and jq do that better.
 */
import { usageError } from '../report-error.ts'

type Step =
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }

type Part =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'path'; readonly steps: readonly Step[] }

/** Fills the template with what it finds in `value`; several hits stand with a space between. */
export function evaluateJsonPath(template: string, value: unknown): string {
  return parseTemplate(template)
    .map((part) =>
      part.type === 'text' ? part.text : walk(part.steps, value).map(print).join(' '),
    )
    .join('')
}

function parseTemplate(template: string): Part[] {
  if (!template.includes('{')) return [{ type: 'path', steps: parsePath(template) }]
  const parts: Part[] = []
  let rest = template
  while (rest !== '') {
    const open = rest.indexOf('{')
    if (open !== 0) {
      parts.push({ type: 'text', text: open === -1 ? rest : rest.slice(0, open) })
      rest = open === -1 ? '' : rest.slice(open)
      continue
    }
    const match = /^\{(?:"((?:[^"\\]|\\.)*)"|((?:[^{}'"]|'[^']*'|"[^"]*")*))\}/.exec(rest)
    if (match === null) throw badPath(template, 'has a brace that is not closed')
    parts.push(
      match[1] === undefined
        ? { type: 'path', steps: parsePath(match[2] ?? '') }
        : { type: 'text', text: unescapeText(match[1]) },
    )
    rest = rest.slice(match[0].length)
  }
  return parts
}

function unescapeText(text: string): string {
  return text.replace(/\\(.)/g, (_, letter: string) => {
    if (letter === 'n') return '\n'
    return letter === 't' ? '\t' : letter
  })
}

const stepPattern = /^(?:\.?\[(?:(\*)|(-?\d+)|'([^']*)'|"([^"]*)")\]|\.(\*)|\.?([A-Za-z_$][\w$-]*))/

function parsePath(path: string): Step[] {
  const steps: Step[] = []
  let rest = path.trim().replace(/^[$@](?=[.[]|$)/, '')
  if (rest === '.') rest = ''
  while (rest !== '') {
    const match = stepPattern.exec(rest)
    if (match === null || rest.startsWith('..'))
      throw badPath(path, `cannot be read at \`${rest}\``)
    rest = rest.slice(match[0].length)
    const key = match[3] ?? match[4] ?? match[6]
    if (match[2] !== undefined) steps.push({ type: 'index', index: Number(match[2]) })
    else if (key !== undefined) steps.push({ type: 'key', key })
    else steps.push({ type: 'all' })
  }
  return steps
}

function badPath(path: string, what: string) {
  return usageError(`the path \`${path}\` ${what}`, "-o jsonpath='{.items[*].name}'")
}

function walk(steps: readonly Step[], value: unknown): unknown[] {
  let found: unknown[] = [value]
  for (const step of steps) found = found.flatMap((item) => take(step, item))
  return found
}

function take(step: Step, value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  if (step.type === 'all') return Array.isArray(value) ? value : Object.values(value)
  if (step.type === 'index') {
    const item: unknown = Array.isArray(value) ? value.at(step.index) : undefined
    return item === undefined ? [] : [item]
  }
  const entry = Object.entries(value).find(([key]) => key === step.key)
  return entry === undefined ? [] : [entry[1]]
}

function print(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
