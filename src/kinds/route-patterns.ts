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
  if (segment === '.' || segment === '..') return 'must not have `.` or `..` segments'
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

/**
 * What is wrong with a template, or undefined: each `{name}` must be a parameter of every path
 * pattern, and `{**}` needs `/**` in every one, else there would be nothing to insert.
 */
export function templateProblem(text: string, patterns: readonly string[]): string | undefined {
  for (const [whole, name] of text.matchAll(/\{([^{}]*)\}/g)) {
    if (name === '**') {
      // Without any path a route matches `/**`.
      const hasRest = patterns.every((pattern) => pattern.endsWith('/**'))
      if (!hasRest) return 'uses `{**}`, but not every path of the route ends in `/**`'
      continue
    }
    const isKnown =
      patterns.length > 0 && patterns.every((pattern) => pattern.split('/').includes(whole))
    if (!isKnown) return `uses \`${whole}\`, which is not a parameter of every path of the route`
  }
  return /[{}]/.test(text.replaceAll(/\{[^{}]*\}/g, ''))
    ? 'has a `{` without `}`, or the other way round'
    : undefined
}

/** Fields that frame a message or belong to one connection (RFC 9110 §7.6.1, RFC 9112 §6). */
const framingFields: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export function isFramingField(name: string): boolean {
  return framingFields.has(name.toLowerCase())
}
