/**
 * What a route match costs, and whether that grows with the number of routes: `node bench/router.ts`.
 *
 * Routes of all shapes are spread over hosts and paths as in a real configuration. Every size answers
 * requests of the same shapes; sizes take turns, so that a busy machine disturbs all alike, and the best
 * round counts.
 */
import { systemClock } from '../src/base/clock.ts'
import { type Random, seededRandom } from '../src/base/random.ts'
import type { RouteMatch } from '../src/kinds/route.ts'
import { buildRouter, type RoutableRoute } from '../src/proxy/router/build.ts'
import {
  activateRouter,
  matchRoute,
  type RoutableRequest,
  type Router,
} from '../src/proxy/router/match.ts'
import { findRouteOverlaps } from '../src/proxy/router/overlap.ts'

const sizes = [10, 1_000, 10_000]
const roundCount = 15
const matchesPerRound = 200_000
const requestCount = 4_096

const clock = systemClock()

const noMatch: RouteMatch = {
  hosts: [],
  paths: [],
  methods: [],
  headers: {},
  query: {},
  cookies: {},
  addresses: [],
}

/** One route of each shape per service; shape and service follow from the index. */
const shapes: readonly ((service: number) => Partial<RouteMatch>)[] = [
  (service) => ({ paths: [`/service-${service}/**`] }),
  (service) => ({ paths: [`/service-${service}/items/{id}`], methods: ['GET'] }),
  (service) => ({ paths: [`/service-${service}/items/{id}`], methods: ['PUT', 'DELETE'] }),
  (service) => ({ paths: [`/service-${service}/items/{id}/parts/{part}`] }),
  (service) => ({ paths: [`/service-${service}/status`] }),
  (service) => ({ hosts: [`api-${service}.example.com`], paths: ['/v1/items/{id}'] }),
  (service) => ({ hosts: [`*.tenant-${service}.example.com`] }),
  (service) => ({ paths: [`/service-${service}/**`], headers: { 'x-beta': { present: true } } }),
  (service) => ({ paths: [`/service-${service}/office/**`], addresses: ['10.0.0.0/8'] }),
  (service) => ({ paths: ['/tenants/**'], headers: { 'x-tenant': { exact: `t${service}` } } }),
]

function routesOf(count: number): RoutableRoute[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `route-${String(index).padStart(5, '0')}`,
    priority: 0,
    match: { ...noMatch, ...shapes[index % shapes.length]?.(Math.floor(index / shapes.length)) },
  }))
}

function request(
  host: string,
  path: string,
  { method = 'GET', fields = {} }: { method?: string; fields?: Record<string, string> } = {},
): RoutableRequest {
  return {
    host,
    path,
    method,
    clientAddress: '192.0.2.1',
    field: (name) => fields[name],
    queryParameter: () => undefined,
    cookie: () => undefined,
  }
}

/**
 * Requests in a fixed random order, for one service or for services all over the configuration. The
 * difference is what the processor's caches cost, not what the router does.
 */
function requestsFor(
  routeCount: number,
  { isSpread, random }: { isSpread: boolean; random: Random },
): RoutableRequest[] {
  const serviceCount = isSpread ? Math.max(Math.floor(routeCount / shapes.length), 1) : 1
  return Array.from({ length: requestCount }, (_, index) => {
    const service = Math.floor(random.fraction() * serviceCount)
    switch (index % 9) {
      case 0:
        return request('gateway.example.com', `/service-${service}/orders/2024/17`)
      case 1:
        return request('gateway.example.com', `/service-${service}/items/4711`)
      case 2:
        return request('gateway.example.com', `/service-${service}/items/4711`, { method: 'PUT' })
      case 3:
        return request('gateway.example.com', `/service-${service}/items/4711/parts/9`)
      case 4:
        return request('gateway.example.com', `/service-${service}/status`)
      case 5:
        return request(`api-${service}.example.com`, '/v1/items/4711')
      case 6:
        return request(`shop.tenant-${service}.example.com`, '/cart')
      case 7:
        return request('gateway.example.com', '/tenants/orders', {
          fields: { 'x-tenant': `t${service}` },
        })
      default:
        return request('gateway.example.com', `/service-${service}/orders`, {
          method: 'POST',
          fields: { 'x-beta': '1' },
        })
    }
  })
}

/** Nanoseconds per match over one round; throws when a request finds no route. */
function measure(router: Router, requests: readonly RoutableRequest[]): number {
  const startMs = clock.now()
  let found = 0
  for (let index = 0; index < matchesPerRound; index++) {
    const subject = requests[index % requestCount]
    if (subject !== undefined && matchRoute(router, subject) !== undefined) found++
  }
  const tookMs = clock.now() - startMs
  if (found !== matchesPerRound)
    throw new Error(`only ${found} of ${matchesPerRound} requests matched`)
  return (tookMs * 1e6) / matchesPerRound
}

function timed<Value>(run: () => Value): { value: Value; ms: number } {
  const startMs = clock.now()
  const value = run()
  return { value, ms: clock.now() - startMs }
}

const cases = sizes.map((size) => {
  const routes = routesOf(size)
  const built = timed(() => buildRouter(routes))
  const cloned = timed(() => structuredClone(built.value))
  const activated = timed(() => activateRouter(cloned.value))
  const specs = routes.map(({ name, match, priority }) => ({
    name,
    spec: { match, priority, policies: [] },
  }))
  const checked = timed(() => findRouteOverlaps(specs))
  if (checked.value.length > 0) throw new Error('the routes of the benchmark must not overlap')
  return {
    size,
    router: activated.value,
    oneService: requestsFor(size, { isSpread: false, random: seededRandom(1) }),
    allServices: requestsFor(size, { isSpread: true, random: seededRandom(1) }),
    oneServiceNs: Number.POSITIVE_INFINITY,
    allServicesNs: Number.POSITIVE_INFINITY,
    columns: [built.ms, cloned.ms, activated.ms, checked.ms],
  }
})

for (let round = 0; round < roundCount; round++) {
  for (const each of cases) {
    each.oneServiceNs = Math.min(each.oneServiceNs, measure(each.router, each.oneService))
    each.allServicesNs = Math.min(each.allServicesNs, measure(each.router, each.allServices))
  }
}

const cell = (text: string | number) => String(text).padStart(14)
const header = ['routes', 'one service ns', 'spread ns', 'build ms', 'clone ms', 'activate ms']
console.log([...header, 'overlaps ms'].map(cell).join(' '))
for (const { size, oneServiceNs, allServicesNs, columns } of cases) {
  const figures = [oneServiceNs.toFixed(0), allServicesNs.toFixed(0)]
  console.log([size, ...figures, ...columns.map((ms) => ms.toFixed(1))].map(cell).join(' '))
}
