import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type PlainRequest,
  requestArbitrary,
  routable,
  routeMatch,
  routeSlowly,
  routesArbitrary,
  type TestRoute,
} from '../../../test/support/routing.ts'
import type { RouteMatch } from '../../kinds/route.ts'
import { buildRouter } from './build.ts'
import { activateRouter, matchRoute } from './match.ts'
import type { PathNode } from './tables.ts'

/** Builds as control does, sends the tables as to a worker, and matches there. */
function routerOf(routes: readonly TestRoute[]) {
  const router = activateRouter(structuredClone(buildRouter(routes)))
  return (request: Partial<PlainRequest>) => {
    const found = matchRoute(router, routable(request))
    return found && { ...found, name: routes[found.routeIndex]?.name }
  }
}

function named(routes: Record<string, Partial<RouteMatch> & { priority?: number }>): TestRoute[] {
  return Object.entries(routes).map(([name, { priority = 0, ...match }]) => ({
    name,
    match: routeMatch(match),
    priority,
  }))
}

test('the router chooses what sorting all matching routes by the documented order chooses', () => {
  fc.assert(
    fc.property(
      routesArbitrary,
      fc.array(requestArbitrary, { minLength: 20, maxLength: 20 }),
      (routes, requests) => {
        const find = routerOf(routes)
        for (const request of requests)
          equal(find(request)?.name, routeSlowly(routes, request)?.name)
      },
    ),
    { numRuns: 1_000 },
  )
})

test('an exact host wins over the longest wildcard, that over a shorter one, that over any host', () => {
  const find = routerOf(
    named({
      any: {},
      short: { hosts: ['*.example.com'] },
      long: { hosts: ['*.eu.example.com'] },
      exact: { hosts: ['a.eu.example.com'] },
    }),
  )
  equal(find({ host: 'a.eu.example.com' })?.name, 'exact')
  equal(find({ host: 'b.eu.example.com' })?.name, 'long')
  equal(find({ host: 'x.y.eu.example.com' })?.name, 'long')
  equal(find({ host: 'eu.example.com' })?.name, 'short')
  equal(find({ host: 'example.com' })?.name, 'any')
  equal(find({ host: 'notexample.com' })?.name, 'any')
})

test('the root dot of a host does not lead around its routes', () => {
  const find = routerOf(named({ any: {}, admin: { hosts: ['admin.example.com'] } }))
  equal(find({ host: 'admin.example.com.' })?.name, 'admin')
})

test('a literal wins over a parameter and a parameter over the rest, and the walk comes back', () => {
  const find = routerOf(
    named({
      rest: { paths: ['/books/**'] },
      item: { paths: ['/books/{id}'] },
      reviews: { paths: ['/books/{id}/reviews'] },
      latest: { paths: ['/books/new/latest'] },
    }),
  )
  equal(find({ path: '/books/new/latest' })?.name, 'latest')
  equal(find({ path: '/books/new/reviews' })?.name, 'reviews')
  equal(find({ path: '/books/new' })?.name, 'item')
  equal(find({ path: '/books/new/other' })?.name, 'rest')
})

test('`/books/**` takes `/books`, `/books/` and everything below, and nothing beside', () => {
  const find = routerOf(named({ books: { paths: ['/books/**'] } }))
  deepEqual(
    ['/books', '/books/', '/books/1', '/books/1/x/', '/books//1'].map(
      (path) => find({ path })?.rest,
    ),
    ['', '', '1', '1/x/', '1'],
  )
  equal(find({ path: '/bookshop' }), undefined)
  equal(find({ path: '/' }), undefined)
})

test('an exact path does not take a trailing slash, and a parameter is never empty', () => {
  const find = routerOf(named({ books: { paths: ['/books'] }, item: { paths: ['/items/{id}'] } }))
  equal(find({ path: '/books/' }), undefined)
  equal(find({ path: '/items/' }), undefined)
  equal(find({ path: '/items/1/' }), undefined)
})

test('other spellings of a path reach the same route', () => {
  const find = routerOf(
    named({ any: {}, admin: { paths: ['/admin/**'] }, cafe: { paths: ['/café/{id}'] } }),
  )
  for (const path of ['//admin', '/%61dmin/x', '///%61%64min//x', '/admin//'])
    equal(find({ path })?.name, 'admin', path)
  equal(find({ path: '/ADMIN' })?.name, 'any')
  equal(find({ path: '/admin%2fx' })?.name, 'any')
  equal(find({ path: '/caf%c3%a9/7' })?.name, 'cafe')
})

test('captures are segments as on the wire, in the order of the route’s parameters', () => {
  const find = routerOf(
    named({ swap: { paths: ['/a/{x}/{y}', '/b/{y}/{x}', '/c/{y}', '/d/{x}/**'] } }),
  )
  deepEqual(find({ path: '/a/1/2' })?.captures, ['1', '2'])
  deepEqual(find({ path: '/b/2/%31' })?.captures, ['%31', '2'])
  deepEqual(find({ path: '/c/2' })?.captures, ['', '2'])
  const rest = find({ path: '/d/1//%7e/x%2fy' })
  deepEqual([rest?.captures, rest?.rest, rest?.pattern], [['1'], '%7e/x%2fy', '/d/{x}/**'])
})

test('more conditions win, then the higher priority, then the name', () => {
  const find = routerOf(
    named({
      plain: { paths: ['/x'], priority: 9 },
      b: { paths: ['/x'], headers: { tier: { exact: 'gold' } } },
      a: { paths: ['/x'], headers: { beta: { present: true } } },
      late: { paths: ['/x'], headers: { beta: { present: true } }, priority: -1 },
      both: { paths: ['/x'], headers: { tier: { exact: 'gold' } }, methods: ['GET'] },
    }),
  )
  equal(find({ path: '/x' })?.name, 'plain')
  equal(find({ path: '/x', fields: { tier: 'gold' } })?.name, 'both')
  equal(find({ path: '/x', method: 'PUT', fields: { tier: 'gold', beta: '1' } })?.name, 'a')
})

test('a route for GET takes HEAD', () => {
  const find = routerOf(named({ read: { methods: ['GET'] } }))
  equal(find({ method: 'HEAD' })?.name, 'read')
  equal(find({ method: 'POST' }), undefined)
})

test('a client network is one of the conditions', () => {
  const find = routerOf(named({ any: {}, office: { addresses: ['10.0.0.0/8', '2001:db8::/32'] } }))
  equal(find({ clientAddress: '10.200.0.1' })?.name, 'office')
  equal(find({ clientAddress: '2001:db8::7' })?.name, 'office')
  equal(find({ clientAddress: '11.0.0.1' })?.name, 'any')
})

test('what is not a path, such as the `*` of OPTIONS, matches no route', () => {
  equal(routerOf(named({ any: {} }))({ path: '*', method: 'OPTIONS' }), undefined)
})

test('many routes that differ in one value only are found by it, in the documented order', () => {
  const headers = (exact: string) => ({ tenant: { exact } })
  const routes = named({
    ...Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`t${index}`, { headers: headers(String(index)) }]),
    ),
    fallback: {},
    prefixed: { headers: { tenant: { prefix: '1' } }, priority: 1 },
    both: { headers: headers('7'), methods: ['GET'] },
    urgent: { headers: headers('8'), priority: 2 },
  })
  equal(buildRouter(routes).anyHost?.rest.index?.byValue.size, 40)
  const find = routerOf(routes)
  const chosen = (tenant: string, method = 'GET') => find({ method, fields: { tenant } })?.name
  equal(chosen('39'), 't39')
  equal(chosen('7'), 'both')
  equal(chosen('7', 'POST'), 't7')
  equal(chosen('8'), 'urgent')
  equal(chosen('12'), 'prefixed')
  equal(chosen('none'), 'fallback')
  equal(find({})?.name, 'fallback')
})

/** Counts what a match looks at: maps asked and conditions tried. */
function lookUpsAmong(routes: readonly TestRoute[], request: Partial<PlainRequest>): number {
  let count = 0
  class CountingMap<Key, Value> extends Map<Key, Value> {
    override get(key: Key): Value | undefined {
      count++
      return super.get(key)
    }
  }
  const countingMaps = (node: PathNode): PathNode => ({
    literals:
      node.literals &&
      new CountingMap([...node.literals].map(([key, child]) => [key, countingMaps(child)])),
    parameter: node.parameter && countingMaps(node.parameter),
    exact: node.exact,
    rest: node.rest,
  })
  const tables = buildRouter(routes)
  const router = activateRouter({
    ...tables,
    exactHosts: new CountingMap([...tables.exactHosts].map(([k, node]) => [k, countingMaps(node)])),
    wildcardHosts: new CountingMap(
      [...tables.wildcardHosts].map(([k, node]) => [k, countingMaps(node)]),
    ),
    anyHost: tables.anyHost && countingMaps(tables.anyHost),
  })
  const counting = routable(request)
  const found = matchRoute(router, {
    ...counting,
    field: (name) => {
      count++
      return counting.field(name)
    },
  })
  equal(found === undefined, false)
  return count
}

test('a match looks at no more among 10,000 routes than among 10', () => {
  const routesOf = (count: number) =>
    named(
      Object.fromEntries(
        Array.from({ length: count }, (_, number) => String(number).padStart(5, '0')).map(
          (index) => [
            `r${index}`,
            [
              { paths: [`/s${index}/{id}/**`] },
              { hosts: [`h${index}.example.com`], paths: ['/v1/{id}'] },
              { hosts: [`*.w${index}.example.com`] },
              { paths: ['/tenants/**'], headers: { tenant: { exact: index } } },
            ][Number(index) % 4] ?? {},
          ],
        ),
      ),
    )
  const few = routesOf(10)
  const many = routesOf(10_000)
  for (const request of [
    { host: 'x.org', path: '/s00004/1/2/3' },
    { host: 'h00005.example.com', path: '/v1/7' },
    { host: 'a.b.w00006.example.com', path: '/v1/7' },
    { host: 'x.org', path: '/tenants/a', fields: { tenant: '00007' } },
  ])
    equal(lookUpsAmong(many, request) <= lookUpsAmong(few, request), true, JSON.stringify(request))
})
