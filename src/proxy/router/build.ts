/**
 * Builds the router: one tree of path segments per host. A request walks its own host and path only,
 * so its cost does not grow with the number of routes.
 */
import { HeadgateError } from '../../base/errors.ts'
import type { RouteMatch, ValueMatch } from '../../kinds/route.ts'
import { type PathPattern, parameterNamesOf, patternsOf } from './pattern.ts'
import type { Candidate, Condition, Leaf, PathNode, RouterTables, ValueIndex } from './tables.ts'

/** Pairs of host and path over all routes: bounds the memory of the tables. */
export const routerLeavesMax = 1_000_000

/** From this many routes of one host and path on, an index by value is worth its look-up. */
export const indexedCandidatesMin = 8

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
  const methodLists = new Map<string, readonly string[]>()
  let leafCount = 0
  // Routes go in best first, so every list of candidates comes out in order.
  const best = [...routes.entries()].sort(([, left], [, right]) => compareSpecificity(left, right))
  for (const [rank, [routeIndex, route]] of best.entries()) {
    const methods = shared(methodLists, canonicalMethods(route.match))
    const conditions = conditionsOf(route.match, networkLists.indexOf)
    const names = parameterNamesOf(route.match)
    const patterns = patternsOf(route.match)
    const hosts = [...new Set(route.match.hosts)]
    leafCount += Math.max(hosts.length, 1) * patterns.length
    if (leafCount > routerLeavesMax) throw tooManyLeaves()
    for (const pattern of patterns) {
      const candidate: Candidate = {
        routeIndex,
        rank,
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

/** One for all nodes without routes: a structured clone keeps it one. */
const emptyLeaf: Leaf = { candidates: [], index: undefined }

function finished(node: GrowingNode): PathNode {
  return {
    literals:
      node.literals.size === 0
        ? undefined
        : new Map([...node.literals].map(([segment, child]) => [segment, finished(child)])),
    parameter: node.parameter === undefined ? undefined : finished(node.parameter),
    exact: leafOf(node.exact),
    rest: leafOf(node.rest),
  }
}

function leafOf(candidates: readonly Candidate[]): Leaf {
  if (candidates.length === 0) return emptyLeaf
  const subject = indexSubject(candidates)
  if (subject === undefined) return { candidates, index: undefined }
  const others: Candidate[] = []
  const byValue = new Map<string, Candidate[]>()
  for (const candidate of candidates) {
    const value = exactValue(candidate, subject)
    const list = value === undefined ? others : (byValue.get(value) ?? [])
    list.push(candidate)
    if (value !== undefined) byValue.set(value, list)
  }
  return { candidates: others, index: { ...subject, byValue } }
}

type IndexSubject = Pick<ValueIndex, 'source' | 'name'>

/** What most of the candidates ask for an exact value, when they are many. */
function indexSubject(candidates: readonly Candidate[]): IndexSubject | undefined {
  if (candidates.length < indexedCandidatesMin) return undefined
  const counts = new Map<string, { subject: IndexSubject; count: number }>()
  for (const condition of candidates.flatMap(({ conditions }) => conditions)) {
    if (condition.source === 'address' || !('exact' in condition.match)) continue
    const { source, name } = condition
    const key = `${source} ${name}`
    const entry = counts.get(key) ?? { subject: { source, name }, count: 0 }
    entry.count++
    counts.set(key, entry)
  }
  const most = [...counts.values()].sort((left, right) => right.count - left.count)[0]
  return most !== undefined && most.count >= indexedCandidatesMin ? most.subject : undefined
}

function exactValue(candidate: Candidate, { source, name }: IndexSubject): string | undefined {
  for (const condition of candidate.conditions) {
    if (condition.source !== source || condition.name !== name) continue
    return 'exact' in condition.match ? condition.match.exact : undefined
  }
  return undefined
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
): readonly Condition[] {
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
  return conditions.length === 0 ? noConditions : conditions
}

const noConditions: readonly Condition[] = []

/** One list for all routes of the same methods: less memory to walk through while matching. */
function shared(lists: Map<string, readonly string[]>, list: readonly string[]): readonly string[] {
  const key = list.join(' ')
  const known = lists.get(key) ?? list
  lists.set(key, known)
  return known
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
