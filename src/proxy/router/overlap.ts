/**
 * Finds routes that get in each other's way before traffic does.
 *
 * A route competes with routes of the same host pattern and the same path pattern: what is more specific
 * takes a part of its requests, not all (no number of literals exhausts a parameter). There, a route can only be kept from every request by routes with the
 * same kinds of conditions, because with fewer they come after it and with more they ask for something
 * that some of its requests lack. So routes are compared in small groups, and 10,000 of them cost little
 * more than reading them.
 *
 * What is reported is certain. Routes that leave nothing together are found where their methods add up,
 * not where it takes values (a header present here, absent there), networks (two halves of one) or paths
 * (`/` and `/{x}/**` leave nothing of `/**`).
 */
import { type CidrTable, cidrTable, type Network, networkKey, parseCidr } from '../../base/cidr.ts'
import type { RouteMatch, RouteSpec, ValueMatch } from '../../kinds/route.ts'
import { canonicalMethods, compareSpecificity, type RoutableRoute } from './build.ts'
import { patternsOf, shapeOf } from './pattern.ts'

export type RouteOverlap = {
  /**
   * `conflict`: both match the same requests with the same priority. `shadowed`: `route` is never chosen,
   * because better ones take all its requests.
   */
  readonly type: 'conflict' | 'shadowed'
  readonly route: string
  /** The route it conflicts with, or the first that takes its requests. */
  readonly other: string
  /** A clause about `route` that says why and what to do. */
  readonly message: string
}

/** Comparisons per route, host and path beyond those by hash: bounds the work, hides no exact equals. */
export const overlapComparisonsMax = 64

/** Conflicts and shadowed routes, by name. */
export function findRouteOverlaps(
  routes: readonly { readonly name: string; readonly spec: RouteSpec }[],
): RouteOverlap[] {
  const best = routes
    .map(({ name, spec }) => subjectOf({ name, match: spec.match, priority: spec.priority }))
    .sort((left, right) => compareSpecificity(left.route, right.route))
  const overlaps: RouteOverlap[] = []
  const firstOfEquals = new Map<string, Subject>()
  const leaves = new Map<string, Map<string, Group>>()
  for (const subject of best) {
    const equal = firstOfEquals.get(subject.matchKey)
    if (equal === undefined) firstOfEquals.set(subject.matchKey, subject)
    const coverers = enter(subject, leaves)
    if (equal !== undefined) overlaps.push(conflictOf(subject.route, equal.route))
    else if (coverers !== undefined) overlaps.push(shadowOf(subject.route, coverers))
  }
  return overlaps.sort((left, right) => (left.route < right.route ? -1 : 1))
}

/** A route with everything that comparisons need, computed once. */
type Subject = {
  readonly route: RoutableRoute
  /** Every pair of host and path pattern. */
  readonly leafKeys: readonly string[]
  readonly methods: readonly string[]
  readonly tests: ReadonlyMap<string, ValueMatch>
  readonly networks: readonly Network[]
  readonly networkTable: CidrTable
  /** Which kinds of conditions there are, not their values. */
  readonly signature: string
  /** Equal for routes whose conditions accept the same requests. */
  readonly conditionsKey: string
  /** Equal for routes that accept the same requests with the same priority. */
  readonly matchKey: string
}

function subjectOf(route: RoutableRoute): Subject {
  const { match } = route
  const methods = canonicalMethods(match)
  const tests = testsOf(match)
  const networks = match.addresses.flatMap((cidr) => parseCidr(cidr) ?? [])
  const hosts = match.hosts.length === 0 ? ['*'] : [...new Set(match.hosts)].sort()
  const shapes = patternsOf(match).map(shapeOf).sort()
  const leafKeys = hosts.flatMap((host) => shapes.map((shape) => `${host} ${shape}`))
  const networkKeys = [...new Set(networks.map(networkKey))].sort()
  const conditionsKey = JSON.stringify([methods, [...tests], networkKeys])
  return {
    route,
    leafKeys,
    methods,
    tests,
    networks,
    networkTable: cidrTable(match.addresses),
    signature: JSON.stringify([methods.length > 0, [...tests.keys()], networks.length > 0]),
    conditionsKey,
    matchKey: JSON.stringify([leafKeys, conditionsKey, route.priority]),
  }
}

/** The tests of all sources by source and name, each in one spelling. */
function testsOf(match: RouteMatch): Map<string, ValueMatch> {
  const tests = new Map<string, ValueMatch>()
  for (const source of ['headers', 'query', 'cookies'] as const) {
    for (const [name, test] of Object.entries(match[source]).sort(([a], [b]) => (a < b ? -1 : 1)))
      tests.set(`${source} ${name}`, isAnyValue(test) ? { present: true } : test)
  }
  return tests
}

/** Every value begins with, ends with and contains nothing. */
function isAnyValue(test: ValueMatch): boolean {
  if ('present' in test) return test.present
  if ('exact' in test) return false
  return Object.values(test)[0] === ''
}

/** Routes of one leaf with the same signature, findable by the values that must be exactly equal. */
type Group = {
  readonly byConditions: Map<string, Subject>
  /** By the names whose tests are exact, then by their values. */
  readonly byExactValues: Map<string, ExactIndex>
}

type ExactIndex = {
  readonly names: readonly string[]
  readonly subjects: Map<string, Subject[]>
}

/**
 * Adds a route to its leaves. Returns the routes that take all its requests, or undefined when there is a
 * leaf where it is chosen.
 */
function enter(subject: Subject, leaves: Map<string, Map<string, Group>>): Subject[] | undefined {
  let coverers: Set<Subject> | undefined = new Set()
  for (const leafKey of subject.leafKeys) {
    const groups = leaves.get(leafKey) ?? new Map<string, Group>()
    leaves.set(leafKey, groups)
    const group = groups.get(subject.signature) ?? {
      byConditions: new Map(),
      byExactValues: new Map(),
    }
    groups.set(subject.signature, group)
    if (coverers !== undefined) {
      const found = coverersIn(group, subject)
      coverers = found === undefined ? undefined : new Set([...coverers, ...found])
    }
    add(group, subject)
  }
  return coverers && [...coverers]
}

function add(group: Group, subject: Subject): void {
  // A route with the same conditions that came first is better and covers at least as much.
  if (group.byConditions.has(subject.conditionsKey)) return
  group.byConditions.set(subject.conditionsKey, subject)
  const names = [...subject.tests].flatMap(([name, test]) => ('exact' in test ? [name] : []))
  const indexKey = JSON.stringify(names)
  const index = group.byExactValues.get(indexKey) ?? { names, subjects: new Map() }
  group.byExactValues.set(indexKey, index)
  const valuesKey = exactValuesKey(names, subject) ?? ''
  const others = index.subjects.get(valuesKey) ?? []
  index.subjects.set(valuesKey, others)
  others.push(subject)
}

/** The values that a route demands for these names; undefined when it demands none for one of them. */
function exactValuesKey(names: readonly string[], subject: Subject): string | undefined {
  const values: string[] = []
  for (const name of names) {
    const test = subject.tests.get(name)
    if (test === undefined || !('exact' in test)) return undefined
    values.push(test.exact)
  }
  return JSON.stringify(values)
}

function coverersIn(group: Group, subject: Subject): Subject[] | undefined {
  const equal = group.byConditions.get(subject.conditionsKey)
  if (equal !== undefined) return [equal]
  const coverers: Subject[] = []
  const methodsLeft = new Set(subject.methods)
  let comparisonsLeft = overlapComparisonsMax
  for (const { names, subjects } of group.byExactValues.values()) {
    const valuesKey = exactValuesKey(names, subject)
    for (const other of (valuesKey !== undefined && subjects.get(valuesKey)) || []) {
      if (comparisonsLeft-- === 0) return undefined
      if (!isImpliedBy(other, subject)) continue
      const countBefore = methodsLeft.size
      for (const method of other.methods) methodsLeft.delete(method)
      if (methodsLeft.size < countBefore || subject.methods.length === 0) coverers.push(other)
      if (methodsLeft.size === 0) return coverers
    }
  }
  return undefined
}

/** Whether every request that meets the conditions of `subject`, methods aside, meets those of `other`. */
function isImpliedBy(other: Subject, subject: Subject): boolean {
  for (const [name, test] of other.tests) {
    const own = subject.tests.get(name)
    if (own === undefined || !impliesTest(own, test)) return false
  }
  return subject.networks.every((network) => other.networkTable.covers(network))
}

/** Whether every value that passes `test` passes `other`. */
function impliesTest(test: ValueMatch, other: ValueMatch): boolean {
  if ('present' in test) return 'present' in other && test.present === other.present
  if ('present' in other) return other.present
  if ('contains' in other) return Object.values(test)[0]?.includes(other.contains) === true
  if ('exact' in other) return 'exact' in test && test.exact === other.exact
  if ('prefix' in other) {
    if ('exact' in test) return test.exact.startsWith(other.prefix)
    return 'prefix' in test && test.prefix.startsWith(other.prefix)
  }
  if ('exact' in test) return test.exact.endsWith(other.suffix)
  return 'suffix' in test && test.suffix.endsWith(other.suffix)
}

function conflictOf(route: RoutableRoute, other: RoutableRoute): RouteOverlap {
  return {
    type: 'conflict',
    route: route.name,
    other: other.name,
    message: `matches exactly the same requests as \`${other.name}\` with the same priority; make one more specific or give one a higher \`priority\``,
  }
}

function shadowOf(route: RoutableRoute, coverers: readonly Subject[]): RouteOverlap {
  const others = coverers.map((coverer) => coverer.route)
  const [first] = others
  const names = others.slice(0, 3).map((other) => `\`${other.name}\``)
  if (others.length > 3) names.push(`${others.length - 3} more`)
  const last = names.pop() ?? ''
  const subjects = names.length === 0 ? last : `${names.join(', ')} and ${last}`
  const why = others.every((other) => other.priority > route.priority)
    ? 'at a higher priority'
    : 'and the rule that the first name wins decides'
  return {
    type: 'shadowed',
    route: route.name,
    other: first?.name ?? '',
    message: `can never be chosen: ${subjects} take${others.length === 1 ? 's' : ''} all its requests ${why}; give it a higher \`priority\`, change its match or delete it`,
  }
}
