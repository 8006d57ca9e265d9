/** Path patterns of routes, parsed: `/books/{id}/**`. */
import type { RouteMatch } from '../../kinds/route.ts'
import { normaliseSegment } from './path.ts'

export type PathPattern = {
  /** As written, for people and for records. */
  readonly text: string
  /** Canonical spelling of a literal segment; undefined for a parameter. */
  readonly segments: readonly (string | undefined)[]
  /** Names of the parameters, in the order of the path. */
  readonly parameters: readonly string[]
  /** Whether it ends in `/**`. */
  readonly hasRest: boolean
}

/** A route without paths matches every path. */
const anyPath = '/**'

/** The distinct patterns of a match; two that differ in names of parameters only are one. */
export function patternsOf(match: RouteMatch): PathPattern[] {
  const texts = match.paths.length === 0 ? [anyPath] : match.paths
  const byShape = new Map<string, PathPattern>()
  for (const text of texts) {
    const pattern = parsePattern(text)
    const shape = shapeOf(pattern)
    if (!byShape.has(shape)) byShape.set(shape, pattern)
  }
  return [...byShape.values()]
}

/** Parses a pattern that the schema of the kind has accepted. */
export function parsePattern(text: string): PathPattern {
  const segments: (string | undefined)[] = []
  const parameters: string[] = []
  let hasRest = false
  for (const segment of text.slice(1).split('/')) {
    if (segment === '**') {
      hasRest = true
    } else if (segment.startsWith('{')) {
      parameters.push(segment.slice(1, -1))
      segments.push(undefined)
    } else {
      segments.push(normaliseSegment(encodeBeyondAscii(segment)))
    }
  }
  return { text, segments, parameters, hasRest }
}

/** Two patterns of one shape match the same paths. */
export function shapeOf(pattern: PathPattern): string {
  // No literal holds NUL: it stands for what is not literal.
  const path = pattern.segments.map((segment) => segment ?? '\0').join('/')
  return pattern.hasRest ? `${path}/\0\0` : path
}

/** Names of the parameters of all paths of a route, in the order in which captures are numbered. */
export function parameterNamesOf(match: RouteMatch): string[] {
  return [...new Set(patternsOf(match).flatMap((pattern) => pattern.parameters))]
}

/** People write `/café`; on the wire it is UTF-8 in triplets (RFC 3987 §3.1). */
function encodeBeyondAscii(text: string): string {
  return text.replace(/[^\u0000-\u007f]+/g, (run) => encodeURIComponent(run.toWellFormed()))
}
