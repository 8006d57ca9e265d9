/** The little languages of a route: path patterns and the templates that use what they matched. */

/** What is wrong with a path pattern, or undefined. */
export function pathPatternProblem(pattern: string): string | undefined {
  if (!pattern.startsWith('/')) return 'must start with `/`'
  if (/[?#\s\p{Cc}]/u.test(pattern)) return 'must be a path, without query, fragment or spaces'
  const segments = pattern.slice(1).split('/')
  const parameters = new Set<string>()
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    const message = segment === '**' && isLast ? undefined : segmentProblem(segment, { isLast })
    if (message !== undefined) return message
    const parameter = parameterOf(segment)
    if (parameter === undefined) continue
    if (parameters.has(parameter)) return `has the parameter \`{${parameter}}\` twice`
    parameters.add(parameter)
  }
  return undefined
}

function segmentProblem(segment: string, { isLast }: { isLast: boolean }): string | undefined {
  if (segment === '**') return 'may have `**` only at the end, as in `/books/**`'
  // Requests with such paths are refused before they are routed.
  if (/^(?:\.|%2e){1,2}(?:;|$)/i.test(segment)) return 'must not have `.` or `..` segments'
  if (/%(?![0-9A-Fa-f]{2})|%[01]|%7f|%5c|\\/i.test(segment))
    return 'must not have backslashes, control characters or a `%` without two hexadecimal digits'
  if (segment === '' && !isLast) return 'must not have empty segments (`//`)'
  if (segment.startsWith(':') && segment.length > 1)
    return `must write a parameter as \`{${segment.slice(1)}}\`, not \`${segment}\``
  if (segment.includes('*'))
    return 'may have `*` only as a last segment `**`; use `{name}` for one segment'
  if (/[{}]/.test(segment) && parameterOf(segment) === undefined)
    return 'must have parameters as whole segments, as in `/books/{id}`'
  return undefined
}

function parameterOf(segment: string): string | undefined {
  return /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(segment)?.[1]
}

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
  readonly patterns: readonly string[]
  /** A path, or an address to redirect to. */
  readonly place: 'path' | 'location'
}

/**
 * What is wrong with a template, or undefined: each `{name}` must be a parameter of every path
 * pattern, and `{**}` needs `/**` in every one, else there would be nothing to insert.
 */
export function templateProblem(
  text: string,
  { patterns, place }: TemplateUse,
): string | undefined {
  const parts = splitTemplate(text)
  if (parts === undefined)
    return 'has a brace that is not part of `{name}` or `{**}`; write `%7B` and `%7D` for braces'
  if (place === 'path' && /[?#]/.test(text))
    return 'must be a path, without query or fragment; the query of the request is kept'
  // Without any path a route matches `/**`.
  const paths = patterns.length === 0 ? ['/**'] : patterns
  const inserted = parts.filter((part) => typeof part !== 'string').map(({ insert }) => insert)
  for (const name of inserted) {
    const segment = name === '**' ? '**' : `{${name}}`
    if (paths.every((path) => path.split('/').includes(segment))) continue
    return name === '**'
      ? 'uses `{**}`, but not every path of the route ends in `/**`'
      : `uses \`{${name}}\`, which is not a parameter of every path of the route`
  }
  return inserted.length > 0 && !hasFixedHost(parts)
    ? 'must begin with `/`, or with a whole address such as `https://example.com/`, before what it inserts'
    : undefined
}

/** Else the path of the request could become the host or the scheme: an open redirect (CWE-601). */
function hasFixedHost(parts: readonly TemplatePart[]): boolean {
  const head = typeof parts[0] === 'string' ? parts[0] : ''
  return /^(?:https?:)?\/\/[^/?#\\]+[/?#]|^\/(?![/\\])/i.test(head)
}
