/**
 * Finds the route of a request: the hot path of the router, run once per request in every worker.
 *
 * The tree of the host is walked segment by segment, the more specific branch first; where a branch
 * ends without a match the walk comes back and takes the next one. Each node is visited at most once.
 * No closure, regular expression or split is made on the way, and nothing is allocated but the key of
 * each segment and the answer.
 */
import { type CidrTable, cidrTable } from '../../base/cidr.ts'
import { unreachable } from '../../base/errors.ts'
import { firstAfterSlashes, normaliseSegment } from './path.ts'
import type {
  Candidate,
  Condition,
  Leaf,
  PathNode,
  RouterTables,
  ValueIndex,
  ValueTest,
} from './tables.ts'

/** What the router asks of a request. */
export type RoutableRequest = {
  /** Lower case, without port. */
  readonly host: string
  /** As on the wire, without query. `isAmbiguousPath` must have refused what it refuses. */
  readonly path: string
  readonly method: string
  /** First value of a field by its lower-case name; undefined when absent. */
  field(name: string): string | undefined
  /** First value, decoded. */
  queryParameter(name: string): string | undefined
  cookie(name: string): string | undefined
  readonly clientAddress: string
}

export type RouteMatchResult = {
  readonly routeIndex: number
  /** The path pattern that matched, as written. */
  readonly pattern: string
  /** Segments as on the wire, in the order of the route's parameters. */
  readonly captures: readonly string[]
  /** What `/**` matched, as on the wire, without leading slash. */
  readonly rest: string
}

/** Tables made ready for matching; built once per snapshot and worker by `activateRouter`. */
export type Router = {
  readonly tables: RouterTables
  readonly networks: readonly CidrTable[]
  /** Length of the longest suffix in `wildcardHosts`; longer ones need no look-up. */
  readonly wildcardLengthMax: number
}

/** Makes tables ready for matching. Cheap: it does not walk the trees. */
export function activateRouter(tables: RouterTables): Router {
  let wildcardLengthMax = 0
  for (const host of tables.wildcardHosts.keys())
    wildcardLengthMax = Math.max(wildcardLengthMax, host.length)
  return { tables, networks: tables.networkLists.map(cidrTable), wildcardLengthMax }
}

/** Patterns are at most 1,024 characters, so a path has at most half as many parameters. */
const capturesMax = 512
const noCaptures: readonly string[] = Object.freeze([])
const dot = 0x2e
const slash = 0x2f
/** In place of an index into the path: no segment is left. */
const atEnd = -1

/*
 * The walk in progress. It lives in the module, not in an object per request, because matching is
 * synchronous and calls nothing that could match again.
 */
let router: Router
let request: RoutableRequest
let path = ''
let hasTriplets = false
const captureBounds = new Int32Array(2 * capturesMax)

/** The most specific route that matches, or undefined. */
export function matchRoute(by: Router, subject: RoutableRequest): RouteMatchResult | undefined {
  router = by
  request = subject
  path = subject.path
  // `*` of `OPTIONS *` is no path; routes are about paths.
  if (path.charCodeAt(0) !== slash) return undefined
  hasTriplets = path.includes('%')
  const { exactHosts, wildcardHosts, anyHost } = by.tables
  const start = firstAfterSlashes(path, 1)
  if (exactHosts.size > 0 || wildcardHosts.size > 0) {
    const host = withoutRootDot(subject.host)
    const exact = exactHosts.get(host)
    const found = exact === undefined ? undefined : descend(exact, start, 0)
    if (found !== undefined) return found
    if (wildcardHosts.size > 0) {
      const below = matchWildcards(host, start)
      if (below !== undefined) return below
    }
  }
  return anyHost === undefined ? undefined : descend(anyHost, start, 0)
}

/** `example.com.` is the same host as `example.com` (RFC 3986 §3.2.2) and must not dodge its routes. */
export function withoutRootDot(host: string): string {
  return host.charCodeAt(host.length - 1) === dot ? host.slice(0, -1) : host
}

function matchWildcards(host: string, start: number): RouteMatchResult | undefined {
  const { wildcardHosts } = router.tables
  for (let at = host.indexOf('.'); at !== -1; at = host.indexOf('.', at + 1)) {
    if (host.length - at - 1 > router.wildcardLengthMax) continue
    const tree = wildcardHosts.get(host.slice(at + 1))
    const found = tree === undefined ? undefined : descend(tree, start, 0)
    if (found !== undefined) return found
  }
  return undefined
}

/** Matches what is left of the path from `at` on below `node`; literal before parameter before rest. */
function descend(node: PathNode, at: number, captureCount: number): RouteMatchResult | undefined {
  if (at === atEnd) {
    return pick(node.exact, captureCount, path.length) ?? pick(node.rest, captureCount, path.length)
  }
  const { literals, parameter } = node
  if (literals !== undefined || parameter !== undefined) {
    const slashAt = path.indexOf('/', at)
    const end = slashAt === -1 ? path.length : slashAt
    const next = slashAt === -1 ? atEnd : firstAfterSlashes(path, slashAt + 1)
    if (literals !== undefined) {
      const raw = path.slice(at, end)
      const child = literals.get(hasTriplets ? normaliseSegment(raw) : raw)
      const found = child === undefined ? undefined : descend(child, next, captureCount)
      if (found !== undefined) return found
    }
    // A parameter stands for something: `/books/` has no id.
    if (parameter !== undefined && end > at) {
      captureBounds[2 * captureCount] = at
      captureBounds[2 * captureCount + 1] = end
      const found = descend(parameter, next, captureCount + 1)
      if (found !== undefined) return found
    }
  }
  return pick(node.rest, captureCount, at)
}

function pick(leaf: Leaf, captureCount: number, restAt: number): RouteMatchResult | undefined {
  const indexed = leaf.index === undefined ? noCandidates : indexedCandidates(leaf.index)
  const others = leaf.candidates
  let indexedAt = 0
  let otherAt = 0
  // Both lists are best first; together they are tried best first.
  for (;;) {
    const fromIndex = indexed[indexedAt]
    const other = others[otherAt]
    const candidate =
      other === undefined || (fromIndex !== undefined && fromIndex.rank < other.rank)
        ? fromIndex
        : other
    if (candidate === undefined) return undefined
    if (accepts(candidate)) return resultOf(candidate, captureCount, restAt)
    if (candidate === other) otherAt++
    else indexedAt++
  }
}

const noCandidates: readonly Candidate[] = []

function indexedCandidates(index: ValueIndex): readonly Candidate[] {
  const value = valueFor(index, request)
  return (value === undefined ? undefined : index.byValue.get(value)) ?? noCandidates
}

function resultOf(candidate: Candidate, captureCount: number, restAt: number): RouteMatchResult {
  return {
    routeIndex: candidate.routeIndex,
    pattern: candidate.pattern,
    captures: capturesOf(candidate, captureCount),
    rest: restAt >= path.length ? '' : path.slice(restAt),
  }
}

function accepts(candidate: Candidate): boolean {
  const { methods, conditions } = candidate
  if (methods.length > 0 && !methods.includes(request.method)) return false
  for (let index = 0; index < conditions.length; index++) {
    const condition = conditions[index]
    if (condition !== undefined && !holds(condition, request, router.networks)) return false
  }
  return true
}

function capturesOf(candidate: Candidate, captureCount: number): readonly string[] {
  const order = candidate.captureOrder
  if (captureCount === 0 && order === undefined) return noCaptures
  const captures: string[] = []
  if (order !== undefined) {
    // Parameters of the route's other paths stay empty.
    for (const to of order) while (captures.length <= to) captures.push('')
  }
  for (let index = 0; index < captureCount; index++) {
    const text = path.slice(captureBounds[2 * index], captureBounds[2 * index + 1])
    captures[order?.[index] ?? index] = text
  }
  return captures
}

/** Whether a condition holds for a request; `explain` asks the same question with the same answer. */
export function holds(
  condition: Condition,
  subject: RoutableRequest,
  networks: readonly CidrTable[],
): boolean {
  return condition.source === 'address'
    ? networks[condition.networkListIndex]?.has(subject.clientAddress) === true
    : passes(condition.match, valueFor(condition, subject))
}

type ValueSource = Pick<ValueIndex, 'source' | 'name'>

/** What a request has under a name. */
export function valueFor(
  { source, name }: ValueSource,
  subject: RoutableRequest,
): string | undefined {
  switch (source) {
    case 'header':
      return subject.field(name)
    case 'query':
      return subject.queryParameter(name)
    case 'cookie':
      return subject.cookie(name)
    default:
      return unreachable(source)
  }
}

function passes(test: ValueTest, value: string | undefined): boolean {
  if ('present' in test) return (value !== undefined) === test.present
  if (value === undefined) return false
  if ('exact' in test) return value === test.exact
  if ('prefix' in test) return value.startsWith(test.prefix)
  if ('suffix' in test) return value.endsWith(test.suffix)
  return value.includes(test.contains)
}
