/**
 * Why a request takes its route and no other: the same tables, conditions and order as `match.ts`, but
 * every route is looked at and says one sentence. For people and tests, not for traffic.
 */
import { unreachable } from '../../base/errors.ts'
import type { RouteEntry, Snapshot } from '../snapshot.ts'
import {
  holds,
  matchRoute,
  type RoutableRequest,
  type RouteMatchResult,
  type Router,
  valueFor,
  withoutRootDot,
} from './match.ts'
import { normalisePath } from './path.ts'
import { parsePattern } from './pattern.ts'
import type { Candidate, Condition, PathNode, RouterTables, ValueTest } from './tables.ts'

export type RouteTrace = {
  readonly route: string
  /** Whether it takes the request. Routes that match too, but come after it, do not. */
  readonly isMatch: boolean
  readonly why: string
}

export type RouteExplanation = {
  readonly match: RouteMatchResult | undefined
  /** Every route: first those whose host and path match, in the order tried, then the near misses. */
  readonly traces: readonly RouteTrace[]
}

/** Traces a request through all routes of a snapshot; `router` is made from it by `activateRouter`. */
export function explainRoutes(
  snapshot: Pick<Snapshot, 'routes'>,
  router: Router,
  request: RoutableRequest,
): RouteExplanation {
  const match = matchRoute(router, request)
  const best = new Map<number, Attempt>()
  for (const place of placesOf(router.tables)) {
    const attempt = attemptOf(place, { snapshot, router, request })
    const known = best.get(place.candidate.routeIndex)
    if (known === undefined || compareAttempts(attempt, known) < 0)
      best.set(place.candidate.routeIndex, attempt)
  }
  const attempts = [...best.values()].sort(compareAttempts)
  const chosen = attempts.find(
    (attempt) => attempt.place.candidate.routeIndex === match?.routeIndex,
  )
  const misses = missesOf(router.tables)
  return {
    match,
    traces: attempts.map((attempt) => traceOf(attempt, { chosen, misses, request })),
  }
}

/** A route at one host and path pattern. */
type Place = {
  /** `*` for any. */
  readonly host: string
  readonly candidate: Candidate
}

function* placesOf(tables: RouterTables): Generator<Place> {
  for (const [host, tree] of tables.exactHosts) yield* placesBelow(host, tree)
  for (const [suffix, tree] of tables.wildcardHosts) yield* placesBelow(`*.${suffix}`, tree)
  if (tables.anyHost !== undefined) yield* placesBelow('*', tables.anyHost)
}

function* placesBelow(host: string, node: PathNode): Generator<Place> {
  for (const { candidates, index } of [node.exact, node.rest]) {
    for (const candidate of candidates) yield { host, candidate }
    for (const indexed of index?.byValue.values() ?? []) {
      for (const candidate of indexed) yield { host, candidate }
    }
  }
  for (const child of node.literals?.values() ?? []) yield* placesBelow(host, child)
  if (node.parameter !== undefined) yield* placesBelow(host, node.parameter)
}

type Outcome =
  | { readonly type: 'matches' }
  | { readonly type: 'condition'; readonly why: string }
  | { readonly type: 'host' }
  | { readonly type: 'path' }
  | { readonly type: 'both' }

const outcomeOrder: Readonly<Record<Outcome['type'], number>> = {
  matches: 0,
  condition: 0,
  host: 1,
  path: 2,
  both: 3,
}

type Attempt = {
  readonly place: Place
  readonly entry: RouteEntry | undefined
  readonly outcome: Outcome
  /** Lists of numbers, compared one after the other: smaller is more specific. */
  readonly host: readonly number[]
  readonly path: readonly number[]
}

type Subject = {
  readonly snapshot: Pick<Snapshot, 'routes'>
  readonly router: Router
  readonly request: RoutableRequest
}

function attemptOf(place: Place, { snapshot, router, request }: Subject): Attempt {
  const { host, candidate } = place
  const isHost = matchesHost(host, withoutRootDot(request.host))
  const isPath = matchesPath(candidate.pattern, request.path)
  return {
    place,
    entry: snapshot.routes[candidate.routeIndex],
    outcome: outcomeOf({ isHost, isPath }, () => failedCondition(candidate, router, request)),
    host: hostRank(host),
    path: pathRank(candidate.pattern),
  }
}

function outcomeOf(
  { isHost, isPath }: { isHost: boolean; isPath: boolean },
  failure: () => string | undefined,
): Outcome {
  if (!isHost) return { type: isPath ? 'host' : 'both' }
  if (!isPath) return { type: 'path' }
  const why = failure()
  return why === undefined ? { type: 'matches' } : { type: 'condition', why }
}

function compareAttempts(left: Attempt, right: Attempt): number {
  return (
    outcomeOrder[left.outcome.type] - outcomeOrder[right.outcome.type] ||
    compareLists(left.host, right.host) ||
    compareLists(left.path, right.path) ||
    left.place.candidate.rank - right.place.candidate.rank
  )
}

/** An end comes before everything: `/books` before `/books/**`. */
function compareLists(left: readonly number[], right: readonly number[]): number {
  const count = Math.max(left.length, right.length)
  for (let index = 0; index < count; index++) {
    const difference = (left[index] ?? -1) - (right[index] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}

/** Exact before wildcard before any; of wildcards the longer first. */
function hostRank(host: string): readonly [kind: number, minusLength: number] {
  if (host === '*') return [2, 0]
  return host.startsWith('*.') ? [1, -host.length] : [0, 0]
}

const segmentKinds = ['literal', 'parameter', '`/**`'] as const

/** The kind of each segment. */
function pathRank(pattern: string): number[] {
  const { segments, hasRest } = parsePattern(pattern)
  const kinds = segments.map((segment) => (segment === undefined ? 1 : 0))
  return hasRest ? [...kinds, 2] : kinds
}

function matchesHost(pattern: string, host: string): boolean {
  if (pattern === '*') return true
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern
}

function matchesPath(pattern: string, path: string): boolean {
  if (!path.startsWith('/')) return false
  const { segments, hasRest } = parsePattern(pattern)
  const actual = normalisePath(path).slice(1).split('/')
  if (hasRest ? actual.length < segments.length : actual.length !== segments.length) return false
  return segments.every((segment, index) =>
    segment === undefined ? actual[index] !== '' : segment === actual[index],
  )
}

function failedCondition(
  candidate: Candidate,
  router: Router,
  request: RoutableRequest,
): string | undefined {
  const { methods, conditions } = candidate
  if (methods.length > 0 && !methods.includes(request.method)) {
    // HEAD comes with GET and would only puzzle.
    const named = methods.includes('GET') ? methods.filter((name) => name !== 'HEAD') : methods
    return `method ${request.method}, not ${listed(named)}`
  }
  const failed = conditions.find((condition) => !holds(condition, request, router.networks))
  return failed && whyFailed(failed, router, request)
}

/** What was asked for, never what was sent: a value may be a secret. */
function whyFailed(condition: Condition, router: Router, request: RoutableRequest): string {
  if (condition.source === 'address') {
    const networks = router.tables.networkLists[condition.networkListIndex] ?? []
    return `client address ${request.clientAddress} is not in ${listed(networks)}`
  }
  const what = `${sourceNames[condition.source]} \`${condition.name}\``
  return valueFailure(what, condition.match, valueFor(condition, request))
}

const sourceNames = { header: 'header', query: 'query parameter', cookie: 'cookie' } as const

function valueFailure(what: string, test: ValueTest, value: string | undefined): string {
  if ('present' in test)
    return test.present ? `${what} is missing` : `${what} is there, but must not be`
  const wanted = wantedValue(test)
  return value === undefined
    ? `${what} is missing, it must ${wanted}`
    : `${what} does not ${wanted}`
}

function wantedValue(test: Exclude<ValueTest, { present: boolean }>): string {
  if ('exact' in test) return `equal \`${test.exact}\``
  if ('prefix' in test) return `begin with \`${test.prefix}\``
  if ('suffix' in test) return `end with \`${test.suffix}\``
  return `contain \`${test.contains}\``
}

type Misses = {
  /** All host patterns, and all path patterns, of a route. */
  readonly hosts: ReadonlyMap<number, readonly string[]>
  readonly paths: ReadonlyMap<number, readonly string[]>
}

function missesOf(tables: RouterTables): Misses {
  const hosts = new Map<number, Set<string>>()
  const paths = new Map<number, Set<string>>()
  for (const { host, candidate } of placesOf(tables)) {
    const { routeIndex, pattern } = candidate
    hosts.set(routeIndex, (hosts.get(routeIndex) ?? new Set()).add(host))
    paths.set(routeIndex, (paths.get(routeIndex) ?? new Set()).add(pattern))
  }
  const sorted = (sets: Map<number, Set<string>>) =>
    new Map([...sets].map(([routeIndex, set]) => [routeIndex, [...set].sort()]))
  return { hosts: sorted(hosts), paths: sorted(paths) }
}

type TraceContext = {
  readonly chosen: Attempt | undefined
  readonly misses: Misses
  readonly request: RoutableRequest
}

function traceOf(attempt: Attempt, { chosen, misses, request }: TraceContext): RouteTrace {
  const route = attempt.entry?.name ?? ''
  const { routeIndex } = attempt.place.candidate
  const { outcome } = attempt
  const trace = (why: string) => ({ route, isMatch: false, why })
  switch (outcome.type) {
    case 'matches':
      return chosen === undefined || attempt === chosen
        ? { route, isMatch: attempt === chosen, why: whyChosen(attempt) }
        : trace(whyLost(attempt, chosen))
    case 'condition':
      return trace(outcome.why)
    case 'host':
    case 'both':
      return trace(
        `host ${request.host} does not match ${listed(misses.hosts.get(routeIndex) ?? [])}`,
      )
    case 'path':
      return trace(
        `path ${request.path} does not match ${listed(misses.paths.get(routeIndex) ?? [])}`,
      )
    default:
      return unreachable(outcome)
  }
}

function whyChosen({ place }: Attempt): string {
  const host = place.host === '*' ? 'any host' : `host ${place.host}`
  const conditionCount = conditionCountOf(place.candidate)
  const conditions =
    conditionCount === 0 ? '' : ` and ${conditionCount} condition${conditionCount === 1 ? '' : 's'}`
  return `matches ${host}, path ${place.candidate.pattern}${conditions}`
}

function whyLost(attempt: Attempt, chosen: Attempt): string {
  const winner = chosen.entry?.name ?? ''
  const reason = specificityReason(attempt, chosen)
  if (reason !== undefined) return `less specific than \`${winner}\`: ${reason}`
  const own = attempt.entry?.priority ?? 0
  const other = chosen.entry?.priority ?? 0
  return own === other
    ? `as specific as \`${winner}\`, whose name comes first`
    : `as specific as \`${winner}\`, which has priority ${other} against ${own}`
}

function specificityReason(attempt: Attempt, chosen: Attempt): string | undefined {
  if (attempt.place.host !== chosen.place.host)
    return `${hostKind(attempt.place.host)} against ${hostKind(chosen.place.host)}`
  const { path } = attempt
  const other = chosen.path
  const at = path.findIndex((kind, index) => kind !== other[index])
  if (at !== -1) return `${kindName(path[at])} against ${kindName(other[at])}`
  const ownCount = conditionCountOf(attempt.place.candidate)
  const otherCount = conditionCountOf(chosen.place.candidate)
  if (ownCount === otherCount) return undefined
  return `${ownCount} condition${ownCount === 1 ? '' : 's'} against ${otherCount}`
}

function hostKind(host: string): string {
  if (host === '*') return 'any host'
  return host.startsWith('*.') ? `wildcard ${host}` : `host ${host}`
}

function kindName(kind: number | undefined): string {
  return segmentKinds[kind ?? -1] ?? 'the end of the path'
}

function conditionCountOf({ methods, conditions }: Candidate): number {
  return conditions.length + (methods.length > 0 ? 1 : 0)
}

const listedMax = 3

/** `a, b or c`; `a, b, c or 7 more` when there are many. */
function listed(items: readonly string[]): string {
  const shown = items.slice(0, listedMax)
  if (items.length > listedMax) shown.push(`${items.length - listedMax} more`)
  const last = shown.pop() ?? ''
  return shown.length === 0 ? last : `${shown.join(', ')} or ${last}`
}
