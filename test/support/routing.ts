/** Random routes and requests over a small alphabet, and a slow, obvious router to compare with. */
import fc from 'fast-check'
import { cidrTable } from '../../src/base/cidr.ts'
import type { RouteMatch, ValueMatch } from '../../src/kinds/route.ts'
import type { RoutableRequest } from '../../src/proxy/router/match.ts'

export type PlainRequest = {
  host: string
  path: string
  method: string
  clientAddress: string
  fields: Record<string, string>
  query: Record<string, string>
  cookies: Record<string, string>
}

export function routable(request: Partial<PlainRequest>): RoutableRequest {
  return {
    host: request.host ?? 'example.com',
    path: request.path ?? '/',
    method: request.method ?? 'GET',
    clientAddress: request.clientAddress ?? '192.0.2.1',
    field: (name) => request.fields?.[name],
    queryParameter: (name) => request.query?.[name],
    cookie: (name) => request.cookies?.[name],
  }
}

export type TestRoute = { name: string; match: RouteMatch; priority: number }

export function routeMatch(match: Partial<RouteMatch> = {}): RouteMatch {
  return {
    hosts: [],
    paths: [],
    methods: [],
    headers: {},
    query: {},
    cookies: {},
    addresses: [],
    ...match,
  }
}

const valueTest: fc.Arbitrary<ValueMatch> = fc.oneof(
  fc.constantFrom('v', 'vw', 'w').map((exact) => ({ exact })),
  fc.constantFrom('v', 'w', '').map((prefix) => ({ prefix })),
  fc.constantFrom('v', 'w').map((suffix) => ({ suffix })),
  fc.constantFrom('v', 'w').map((contains) => ({ contains })),
  fc.boolean().map((present) => ({ present })),
)

const pathPattern = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', '{x}', '{y}'), { maxLength: 3 }),
    fc.constantFrom('', '/', '/**'),
  )
  .map(([segments, end]) => {
    const seen = new Set<string>()
    const path = segments.map((segment) => {
      if (!segment.startsWith('{') || !seen.has(segment)) {
        seen.add(segment)
        return `/${segment}`
      }
      return '/a'
    })
    return path.join('') + end || '/'
  })

const matchArbitrary: fc.Arbitrary<RouteMatch> = fc.record({
  hosts: fc.array(
    fc.constantFrom('example.com', 'a.example.com', '*.example.com', '*.a.example.com'),
    { maxLength: 2 },
  ),
  paths: fc.array(pathPattern, { maxLength: 2 }),
  methods: fc.array(fc.constantFrom('GET', 'HEAD', 'POST'), { maxLength: 2 }),
  headers: sparse(fc.dictionary(fc.constantFrom('x', 'y'), valueTest, { maxKeys: 2 })),
  query: sparse(fc.dictionary(fc.constantFrom('q'), valueTest, { maxKeys: 1 })),
  cookies: sparse(fc.dictionary(fc.constantFrom('c'), valueTest, { maxKeys: 1 })),
  addresses: sparseList(['10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', '2001:db8::/32']),
})

function sparse(
  tests: fc.Arbitrary<Record<string, ValueMatch>>,
): fc.Arbitrary<Record<string, ValueMatch>> {
  const none: Record<string, ValueMatch> = {}
  return fc.oneof({ weight: 2, arbitrary: fc.constant(none) }, { weight: 1, arbitrary: tests })
}

function sparseList(values: string[]): fc.Arbitrary<string[]> {
  const none: string[] = []
  const some = fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 2 })
  return fc.oneof({ weight: 4, arbitrary: fc.constant(none) }, { weight: 1, arbitrary: some })
}

/** Routes with distinct names; many share hosts, paths and conditions. */
export const routesArbitrary: fc.Arbitrary<TestRoute[]> = fc
  .array(fc.record({ match: matchArbitrary, priority: fc.constantFrom(0, 0, 0, 1) }), {
    minLength: 1,
    maxLength: 12,
  })
  .chain((routes) =>
    fc
      .shuffledSubarray(
        routes.map((_, index) => `r${index}`),
        { minLength: routes.length },
      )
      .map((names) => routes.map((route, index) => ({ ...route, name: names[index] ?? '' }))),
  )

const optionalValue = fc.option(fc.constantFrom('v', 'vw', 'w', 'wv', ''), { nil: undefined })

function present(values: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

export const requestArbitrary: fc.Arbitrary<PlainRequest> = fc.record({
  host: fc.constantFrom(
    'example.com',
    'example.com.',
    'a.example.com',
    'b.example.com',
    'b.a.example.com',
    'other.org',
  ),
  path: fc
    .array(
      fc.tuple(fc.constantFrom('/', '/', '/', '//'), fc.constantFrom('a', 'b', 'c', '%61', '')),
      { minLength: 1, maxLength: 4 },
    )
    .map((parts) => parts.flat().join('')),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT'),
  clientAddress: fc.constantFrom('10.1.2.3', '10.1.9.9', '10.9.9.9', '2001:db8::1', '192.0.2.1'),
  fields: fc.record({ x: optionalValue, y: optionalValue }).map(present),
  query: fc.record({ q: optionalValue }).map(present),
  cookies: fc.record({ c: optionalValue }).map(present),
})

/** Whether a route matches, decided in the most obvious way. */
export function matchesSlowly(match: RouteMatch, request: PlainRequest): boolean {
  return ranksOf(match, request).length > 0
}

/** The route that the documented order chooses, decided by sorting all that match. */
export function routeSlowly(
  routes: readonly TestRoute[],
  request: PlainRequest,
): TestRoute | undefined {
  const matching = routes.flatMap((route) =>
    ranksOf(route.match, request).map((rank) => ({ route, rank })),
  )
  matching.sort(
    (left, right) =>
      compareLists(left.rank, right.rank) ||
      right.route.priority - left.route.priority ||
      (left.route.name < right.route.name ? -1 : 1),
  )
  return matching[0]?.route
}

function compareLists(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const pathDepthMax = 8

/** One rank per host and path that match; lower numbers are more specific. */
function ranksOf(match: RouteMatch, request: PlainRequest): number[][] {
  if (!conditionsHold(match, request)) return []
  const conditionCount =
    Object.keys({ ...prefixed('h', match.headers), ...prefixed('q', match.query) }).length +
    Object.keys(match.cookies).length +
    Math.min(match.methods.length, 1) +
    Math.min(match.addresses.length, 1)
  const host = request.host.replace(/\.$/, '')
  const path = decodeURIComponent(request.path).replace(/\/+/g, '/')
  const hostRanks = (match.hosts.length === 0 ? ['*'] : match.hosts).flatMap((pattern) => {
    if (pattern === '*') return [1_000]
    if (!pattern.startsWith('*.')) return pattern === host ? [0] : []
    return host.endsWith(pattern.slice(1)) ? [500 - pattern.length] : []
  })
  const pathRanks = (match.paths.length === 0 ? ['/**'] : match.paths).flatMap((pattern) => {
    const expression = pattern
      .replace(/\/\*\*$/, '(?:/.*)?')
      .replace(/\{[a-z]\}/g, '[^/]+')
      .replace(/^\/?/, '^/')
    if (!new RegExp(`${expression === '^/(?:/.*)?' ? '^/.*' : expression}$`).test(path)) return []
    const kinds = pattern
      .slice(1)
      .split('/')
      .map((segment) => (segment === '**' ? 3 : segment.startsWith('{') ? 2 : 1))
    return [[...kinds, ...new Array<number>(pathDepthMax - kinds.length).fill(0)]]
  })
  return hostRanks.flatMap((hostRank) =>
    pathRanks.map((pathRank) => [hostRank, ...pathRank, -conditionCount]),
  )
}

function prefixed(prefix: string, tests: Record<string, ValueMatch>): Record<string, ValueMatch> {
  return Object.fromEntries(Object.entries(tests).map(([name, test]) => [prefix + name, test]))
}

function conditionsHold(match: RouteMatch, request: PlainRequest): boolean {
  const isMethod =
    match.methods.length === 0 ||
    match.methods.includes(request.method) ||
    (request.method === 'HEAD' && match.methods.includes('GET'))
  const isAddress =
    match.addresses.length === 0 || cidrTable(match.addresses).has(request.clientAddress)
  return (
    isMethod &&
    isAddress &&
    valuesHold(match.headers, request.fields) &&
    valuesHold(match.query, request.query) &&
    valuesHold(match.cookies, request.cookies)
  )
}

function valuesHold(tests: Record<string, ValueMatch>, values: Record<string, string>): boolean {
  return Object.entries(tests).every(([name, test]) => {
    const value = values[name]
    if ('present' in test) return (value !== undefined) === test.present
    if (value === undefined) return false
    if ('exact' in test) return value === test.exact
    if ('prefix' in test) return value.startsWith(test.prefix)
    if ('suffix' in test) return value.endsWith(test.suffix)
    return value.includes(test.contains)
  })
}
