/**
 * Builds the router: one tree of path segments per host. A request walks its own host and path only,
 * so its cost does not grow with the number of routes.
 */
import { HeadgateError } from '../../base/errors.ts'
import type { RouteMatch, ValueMatch } from '../../kinds/route.ts'
import { type PathPattern, parameterNamesOf, patternsOf } from './pattern.ts'
import type { Candidate, Condition, PathNode, RouterTables } from './tables.ts'

/** Pairs of host and path over all routes: bounds the memory of the tables. */
export const routerLeavesMax = 1_000_000

export type RoutableRoute = {
  readonly name: string
  readonly match: RouteMatch
  readonly priority: number
}

/** The number of conditions besides host and path: the more, the more specific. */
export function conditionCountOf(match: RouteMatch): number {
  return (
    (match.methods.length > 0 ? 1 : 0) +
    Object.keys(match.headers).length +
    Object.keys(match.query).length +
    Object.keys(match.cookies).length +
    (match.addresses.length > 0 ? 1 : 0)
  )
}

/** Orders routes of one host and path pattern, best first; the names make the order total. */
export function compareSpecificity(left: RoutableRoute, right: RoutableRoute): number {
  const byConditions = conditionCountOf(right.match) - conditionCountOf(left.match)
  if (byConditions !== 0) return byConditions
  if (left.priority !== right.priority) return right.priority - left.priority
  if (left.name === right.name) return 0
  return left.name < right.name ? -1 : 1
}

/** Builds the tables; a route's index is its position in `routes`. */
export function buildRouter(routes: readonly RoutableRoute[]): RouterTables {
  const exactHosts = new Map<string, GrowingNode>()
  const wildcardHosts = new Map<string, GrowingNode>()
  const anyHost = emptyNode()
  const networkLists = networkListIndex()
  let leafCount = 0
  // Routes go in best first, so every list of candidates comes out in order.
  const best = [...routes.entries()].sort(([, left], [, right]) => compareSpecificity(left, right))
  for (const [routeIndex, route] of best) {
    const methods = canonicalMethods(route.match)
    const conditions = conditionsOf(route.match, networkLists.indexOf)
    const names = parameterNamesOf(route.match)
    const patterns = patternsOf(route.match)
    const hosts = [...new Set(route.match.hosts)]
    leafCount += Math.max(hosts.length, 1) * patterns.length
    if (leafCount > routerLeavesMax) throw tooManyLeaves()
    for (const pattern of patterns) {
      const candidate: Candidate = {
        routeIndex,
        pattern: pattern.text,
        captureOrder: captureOrderOf(pattern, names),
        methods,
        conditions,
      }
      if (hosts.length === 0) insert(anyHost, pattern, candidate)
      for (const host of hosts) {
        const tree = host.startsWith('*.')
          ? treeOf(wildcardHosts, host.slice(2))
          : treeOf(exactHosts, host)
        insert(tree, pattern, candidate)
      }
    }
  }
  return {
    exactHosts: new Map([...exactHosts].map(([host, node]) => [host, finished(node)])),
    wildcardHosts: new Map([...wildcardHosts].map(([host, node]) => [host, finished(node)])),
    anyHost: isEmpty(anyHost) ? undefined : finished(anyHost),
    networkLists: networkLists.lists,
  }
}

type GrowingNode = {
  readonly literals: Map<string, GrowingNode>
  parameter: GrowingNode | undefined
  readonly exact: Candidate[]
  readonly rest: Candidate[]
}

function emptyNode(): GrowingNode {
  return { literals: new Map(), parameter: undefined, exact: [], rest: [] }
}

function isEmpty(node: GrowingNode): boolean {
  return (
    node.literals.size === 0 &&
    node.parameter === undefined &&
    node.exact.length === 0 &&
    node.rest.length === 0
  )
}

function treeOf(trees: Map<string, GrowingNode>, host: string): GrowingNode {
  const found = trees.get(host) ?? emptyNode()
  trees.set(host, found)
  return found
}

function insert(root: GrowingNode, pattern: PathPattern, candidate: Candidate): void {
  let node = root
  for (const segment of pattern.segments) {
    if (segment === undefined) {
      node.parameter ??= emptyNode()
      node = node.parameter
    } else {
      node = treeOf(node.literals, segment)
    }
  }
  const leaf = pattern.hasRest ? node.rest : node.exact
  leaf.push(candidate)
}

/** One list for all nodes without candidates: a structured clone keeps it one. */
const noCandidates: readonly Candidate[] = []

function finished(node: GrowingNode): PathNode {
  return {
    literals:
      node.literals.size === 0
        ? undefined
        : new Map([...node.literals].map(([segment, child]) => [segment, finished(child)])),
    parameter: node.parameter === undefined ? undefined : finished(node.parameter),
    exact: node.exact.length === 0 ? noCandidates : node.exact,
    rest: node.rest.length === 0 ? noCandidates : node.rest,
  }
}

function captureOrderOf(
  pattern: PathPattern,
  names: readonly string[],
): readonly number[] | undefined {
  const order = pattern.parameters.map((name) => names.indexOf(name))
  const isSame = order.length === names.length && order.every((to, from) => to === from)
  return isSame ? undefined : order
}

/** Sorted, and with the `HEAD` that comes with `GET` (RFC 9110 §9.3.2), so that matching need not know. */
export function canonicalMethods(match: RouteMatch): string[] {
  const methods = new Set(match.methods)
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods].sort()
}

function conditionsOf(
  match: RouteMatch,
  networkListIndexOf: (addresses: readonly string[]) => number,
): Condition[] {
  const conditions: Condition[] = []
  for (const [source, tests] of [
    ['header', match.headers],
    ['query', match.query],
    ['cookie', match.cookies],
  ] as const) {
    for (const name of Object.keys(tests).sort()) {
      const test: ValueMatch | undefined = tests[name]
      if (test !== undefined) conditions.push({ source, name, match: test })
    }
  }
  // Last, because it costs most.
  if (match.addresses.length > 0)
    conditions.push({ source: 'address', networkListIndex: networkListIndexOf(match.addresses) })
  return conditions
}

function networkListIndex() {
  const lists: (readonly string[])[] = []
  const indices = new Map<string, number>()
  return {
    lists,
    indexOf(addresses: readonly string[]): number {
      const list = [...new Set(addresses)].sort()
      const key = list.join(' ')
      const known = indices.get(key)
      if (known !== undefined) return known
      indices.set(key, lists.length)
      return lists.push(list) - 1
    },
  }
}

function tooManyLeaves(): HeadgateError {
  return new HeadgateError('config.too_large', {
    message: `the routes have more than ${routerLeavesMax} pairs of host and path together; use wildcard hosts, \`/**\` or fewer routes`,
    detail: { routerLeavesMax },
  })
}
