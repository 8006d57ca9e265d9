import { deepEqual, equal, ok } from 'node:assert/strict'
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
import type { RouteMatch } from '../../kinds/route.ts'
import type { RouteEntry } from '../snapshot.ts'
import { buildRouter } from './build.ts'
import { explainRoutes } from './explain.ts'
import { activateRouter } from './match.ts'
import { parameterNamesOf } from './pattern.ts'

function tracesOf(routes: readonly TestRoute[], request: Partial<PlainRequest>) {
  const entries = routes.map(
    ({ name, match, priority }, index): RouteEntry => ({
      name,
      slot: index + 1,
      parameterNames: parameterNamesOf(match),
      priority,
      policyIndices: [],
      action: { type: 'respond', status: 200, fields: [], body: '' },
    }),
  )
  const router = activateRouter(buildRouter(routes))
  return explainRoutes({ routes: entries }, router, routable(request)).traces
}

function explained(
  routes: Record<string, Partial<RouteMatch> & { priority?: number }>,
  request: Partial<PlainRequest>,
): string[] {
  const named = Object.entries(routes).map(([name, { priority = 0, ...match }]) => ({
    name,
    match: routeMatch(match),
    priority,
  }))
  return tracesOf(named, request).map(({ route, why }) => `${route}: ${why}`)
}

test('every route says once whether it takes the request, as the router decides', () => {
  fc.assert(
    fc.property(routesArbitrary, requestArbitrary, (routes, request) => {
      const traces = tracesOf(routes, request)
      deepEqual(traces.map(({ route }) => route).sort(), routes.map(({ name }) => name).sort())
      const chosen = routeSlowly(routes, request)?.name
      deepEqual(
        traces.flatMap(({ route, isMatch }) => (isMatch ? [route] : [])),
        chosen === undefined ? [] : [chosen],
      )
      for (const { name, match } of routes) {
        const why = traces.find(({ route }) => route === name)?.why ?? ''
        const saysItMatches = /^(?:matches|less specific|as specific)/.test(why)
        equal(saysItMatches, matchesSlowly(match, request), `${name}: ${why}`)
      }
    }),
    { numRuns: 500 },
  )
})

test('routes that match come in the order of the router, then the near misses', () => {
  deepEqual(
    explained(
      {
        any: {},
        shop: { hosts: ['shop.example.com'], paths: ['/books/**'] },
        wild: { hosts: ['*.example.com'], paths: ['/books/{id}'] },
        item: { hosts: ['api.example.com'], paths: ['/books/{id}'] },
        items: { hosts: ['api.example.com'], paths: ['/books/**', '/b/**'] },
        other: { hosts: ['api.example.com'], paths: ['/music', '/films/{id}'] },
        write: { hosts: ['api.example.com'], paths: ['/books/{id}'], methods: ['POST', 'PUT'] },
        latest: { hosts: ['api.example.com'], paths: ['/books/latest'], methods: ['POST'] },
      },
      { host: 'api.example.com', path: '/books/latest' },
    ),
    [
      'latest: method GET, not POST',
      'write: method GET, not POST or PUT',
      'item: matches host api.example.com, path /books/{id}',
      'items: less specific than `item`: `/**` against parameter',
      'wild: less specific than `item`: wildcard *.example.com against host api.example.com',
      'any: less specific than `item`: any host against host api.example.com',
      'shop: host api.example.com does not match shop.example.com',
      'other: path /books/latest does not match /films/{id} or /music',
    ],
  )
})

test('a parameter loses against a literal, and what ends against nothing', () => {
  deepEqual(
    explained(
      { id: { paths: ['/a/{id}'] }, literal: { paths: ['/a/b'] }, rest: { paths: ['/a/b/**'] } },
      { path: '/a/b' },
    ),
    [
      'literal: matches any host, path /a/b',
      'rest: less specific than `literal`: `/**` against the end of the path',
      'id: less specific than `literal`: parameter against literal',
    ],
  )
})

test('conditions, priority and name are given as reasons in this order', () => {
  deepEqual(
    explained(
      {
        a: { methods: ['GET'] },
        b: { methods: ['GET', 'POST'] },
        low: { methods: ['GET'], priority: -5 },
        plain: { priority: 9 },
      },
      {},
    ),
    [
      'a: matches any host, path /** and 1 condition',
      'b: as specific as `a`, whose name comes first',
      'low: as specific as `a`, which has priority 0 against -5',
      'plain: less specific than `a`: 0 conditions against 1',
    ],
  )
})

test('each kind of condition says what it asked for, and never what was sent', () => {
  const reasons = explained(
    {
      a: { headers: { 'x-tier': { exact: 'gold' } } },
      b: { headers: { 'x-debug': { present: true } } },
      c: { headers: { 'x-tier': { present: false } } },
      d: { query: { v: { prefix: '2' } } },
      e: { query: { q: { suffix: '-eu' } } },
      f: { cookies: { beta: { contains: 'yes' } } },
      g: { addresses: ['10.0.0.0/8', '10.1.0.0/16', '172.16.0.0/12', '192.168.0.0/16'] },
    },
    { fields: { 'x-tier': 's3cret' }, query: { v: 's3cret' }, cookies: { beta: 's3cret' } },
  )
  deepEqual(reasons, [
    'a: header `x-tier` does not equal `gold`',
    'b: header `x-debug` is missing',
    'c: header `x-tier` is there, but must not be',
    'd: query parameter `v` does not begin with `2`',
    'e: query parameter `q` is missing, it must end with `-eu`',
    'f: cookie `beta` does not contain `yes`',
    'g: client address 192.0.2.1 is not in 10.0.0.0/8, 10.1.0.0/16, 172.16.0.0/12 or 1 more',
  ])
  ok(!reasons.join('\n').includes('s3cret'))
})
