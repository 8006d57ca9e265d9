import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  matchesSlowly,
  type PlainRequest,
  requestArbitrary,
  routable,
  routeMatch,
  routeSlowly,
  routesArbitrary,
  type TestRoute,
} from '../../../test/support/routing.ts'
import type { RouteMatch, RouteSpec } from '../../kinds/route.ts'
import { buildRouter } from './build.ts'
import { activateRouter, matchRoute } from './match.ts'
import { findRouteOverlaps, overlapComparisonsMax } from './overlap.ts'

function specOf({ match, priority }: Omit<TestRoute, 'name'>): RouteSpec {
  return { match, priority, policies: [], respond: { status: 200 } }
}

function overlapsOf(routes: readonly TestRoute[]) {
  return findRouteOverlaps(routes.map((route) => ({ name: route.name, spec: specOf(route) })))
}

function found(routes: Record<string, Partial<RouteMatch> & { priority?: number }>) {
  return overlapsOf(
    Object.entries(routes).map(([name, { priority = 0, ...match }]) => ({
      name,
      match: routeMatch(match),
      priority,
    })),
  ).map(({ type, route, other }) => `${route} ${type} ${other}`)
}

test('a route reported as shadowed is never chosen, and conflicting routes are equal', () => {
  fc.assert(
    fc.property(
      routesArbitrary,
      fc.array(requestArbitrary, { minLength: 40, maxLength: 40 }),
      (routes, requests) => {
        const byName = new Map(routes.map((route) => [route.name, route]))
        for (const { type, route: name, other: otherName } of overlapsOf(routes)) {
          const route = byName.get(name)
          const other = byName.get(otherName)
          ok(route !== undefined && other !== undefined && route !== other)
          for (const request of requests) {
            if (type === 'shadowed') {
              ok(routeSlowly(routes, request) !== route, `${name} is chosen`)
              continue
            }
            equal(route.priority, other.priority)
            equal(matchesSlowly(route.match, request), matchesSlowly(other.match, request))
          }
        }
      },
    ),
    { numRuns: 1_000 },
  )
})

/** Every request that can tell routes by host, path and method apart. */
function allRequests(): Partial<PlainRequest>[] {
  const hosts = ['example.com', 'a.example.com', 'b.example.com', 'b.a.example.com', 'other.org']
  let level = ['']
  const paths = ['/']
  for (let depth = 1; depth <= 4; depth++) {
    level = level.flatMap((path) => ['a', 'b', 'c'].map((segment) => `${path}/${segment}`))
    paths.push(...level, ...level.map((path) => `${path}/`))
  }
  const methods = ['GET', 'HEAD', 'POST', 'PUT']
  return hosts.flatMap((host) =>
    paths.flatMap((path) => methods.map((method) => ({ host, path, method }))),
  )
}

test('every route by host, path and method that is never chosen is reported', () => {
  const requests = allRequests().map(routable)
  let reportedCount = 0
  fc.assert(
    fc.property(routesArbitrary, (withConditions) => {
      const routes = withConditions.map((route) => ({
        ...route,
        match: routeMatch({
          hosts: route.match.hosts,
          // `/{x}/**` can, with `/` beside it, use up `/**`, which is not looked for.
          paths: route.match.paths.map((path) => path.replace('}/**', '}')),
          methods: route.match.methods,
        }),
      }))
      const router = activateRouter(buildRouter(routes))
      const chosen = new Set(requests.map((request) => matchRoute(router, request)?.routeIndex))
      const reported = new Set(overlapsOf(routes).map(({ route }) => route))
      reportedCount += reported.size
      for (const [index, { name }] of routes.entries())
        equal(reported.has(name), !chosen.has(index), name)
    }),
    { numRuns: 200 },
  )
  ok(reportedCount > 0, 'the generator must make overlapping routes')
})

test('the same match in other words is a conflict', () => {
  deepEqual(
    found({
      a: {
        hosts: ['x.example', 'y.example'],
        paths: ['/a/{id}', '/b'],
        methods: ['GET'],
        headers: { h: { present: true } },
        addresses: ['10.0.0.0/8', '10.9.9.9/8'],
      },
      b: {
        hosts: ['y.example', 'x.example', 'x.example'],
        paths: ['/b', '/%61/{key}'],
        methods: ['HEAD', 'GET'],
        headers: { h: { prefix: '' } },
        addresses: ['10.1.1.1/8'],
      },
    }),
    ['b conflict a'],
  )
})

test('three equal routes are reported against the first', () => {
  deepEqual(found({ c: {}, a: {}, b: {} }), ['b conflict a', 'c conflict a'])
})

test('equal matches with different priorities shadow the lower one', () => {
  deepEqual(found({ a: { paths: ['/x'] }, b: { paths: ['/x'], priority: 1 } }), ['a shadowed b'])
})

test('a wider route of equal rank shadows a narrower one', () => {
  deepEqual(found({ a: { methods: ['GET', 'POST'] }, b: { methods: ['POST'] } }), ['b shadowed a'])
  deepEqual(found({ a: { methods: ['GET'] }, b: { methods: ['HEAD'] } }), ['b shadowed a'])
  deepEqual(
    found({ a: { headers: { h: { prefix: 'v' } } }, b: { headers: { h: { exact: 'v2' } } } }),
    ['b shadowed a'],
  )
  deepEqual(
    found({ a: { addresses: ['10.0.0.0/8'] }, b: { addresses: ['10.1.0.0/16', '10.2.0.0/16'] } }),
    ['b shadowed a'],
  )
  deepEqual(
    found({
      a: { hosts: ['x.example', 'y.example'], paths: ['/a', '/b'], methods: ['GET'] },
      b: { hosts: ['y.example'], paths: ['/b'], methods: ['GET'] },
    }),
    ['b shadowed a'],
  )
})

test('routes may shadow another together, each one of its methods or paths', () => {
  deepEqual(
    found({
      a: { methods: ['GET'] },
      b: { methods: ['POST'] },
      c: { methods: ['GET', 'POST'] },
      d: { paths: ['/p'], methods: ['PUT'] },
      e: { paths: ['/q'], methods: ['PUT'] },
      f: { paths: ['/p', '/q'], methods: ['PUT'] },
    }),
    ['c shadowed a', 'f shadowed d'],
  )
})

test('what only narrows another route is fine', () => {
  deepEqual(
    found({
      all: {},
      host: { hosts: ['x.example'] },
      books: { paths: ['/books/**'] },
      item: { paths: ['/books/{id}'] },
      latest: { paths: ['/books/latest'] },
      read: { paths: ['/books/{id}'], methods: ['GET'] },
      beta: { paths: ['/books/{id}'], headers: { beta: { present: true } } },
      tenant1: { headers: { tenant: { exact: '1' } } },
      tenant2: { headers: { tenant: { exact: '2' } } },
      narrowFirst: { methods: ['GET'], priority: 1 },
      wideAfter: { methods: ['GET', 'POST'] },
    }),
    [],
  )
})

test('the message says who, why and what to do', () => {
  const [overlap] = overlapsOf([
    { name: 'a', match: routeMatch(), priority: 5 },
    { name: 'b', match: routeMatch(), priority: 0 },
  ])
  match(overlap?.message ?? '', /`a` takes all its requests at a higher priority; give it a higher/)
})

test('10,000 routes on one path are compared within the limit, and equals are found beyond it', () => {
  const routes: TestRoute[] = Array.from({ length: 10_000 }, (_, index) => ({
    name: `r${String(index).padStart(5, '0')}`,
    match: routeMatch({
      paths: ['/x'],
      headers: { h: { prefix: `p${index}-` } },
      query: { q: { exact: String(index % 10) } },
    }),
    priority: 0,
  }))
  const last = routes.at(-1)
  ok(last !== undefined && routes.length / 10 > overlapComparisonsMax)
  routes.push({ ...last, name: 'z', priority: -1 })
  deepEqual(
    overlapsOf(routes).map(({ type, route, other }) => [type, route, other]),
    [['shadowed', 'z', 'r09999']],
  )
})
