import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { resourcesOfYaml } from '../../test/support/resources.ts'
import { policyCatalog } from '../proxy/policies/catalog.ts'
import { bucketOf } from '../proxy/upstreams/split.ts'
import { compile } from './compile/compile.ts'
import { emptySlotTable } from './compile/slots.ts'
import type { RouteTestRequest } from './control-api.ts'
import { explainRoute, tracedRoutesMax } from './explain-route.ts'

function snapshotOf(yaml: string) {
  return compile({
    revision: 1,
    resources: resourcesOfYaml(yaml),
    splits: new Map(),
    catalog: policyCatalog(),
    slots: emptySlotTable,
    policyModules: [],
    caPems: new Map(),
    appKeyHashes: new Map(),
  }).snapshot
}

const snapshot = snapshotOf(`
upstreams:
  - name: books
    versions:
      v1: { url: "http://127.0.0.1:7001/base", account: books-a }
      v2: { url: "http://127.0.0.1:7002" }
    live: v1
    split: { weights: { v1: 95%, v2: 5% }, sticky: { by: Consumer } }
    forcedVersion: { header: x-version, apps: [qa] }
  - name: dice
    versions: { v1: { url: "http://127.0.0.1:7003" }, v2: { url: "http://127.0.0.1:7004" } }
    split: { weights: { v1: 30%, v2: 70% } }
  - { name: plain, url: "http://plain.internal:8080" }
accounts:
  - { name: books-a, header: { name: x-api-key, secret: "env:A" } }
apps: [{ name: qa }, { name: ada, consumer: acme }]
policySets: [{ name: std, policies: [api-key] }]
routes:
  - name: books
    match: { path: "/books/{id}/**" }
    to: books
    rewrite: { path: "/v2/{id}/{**}" }
    policies: [{ set: std }]
  - { name: dice, match: { path: /dice }, to: dice }
  - { name: kept, match: { host: keep.example.com }, to: plain, rewrite: { host: Preserve } }
  - { name: plain, match: { path: /plain, query: { a: "1 2" }, cookies: { c: x } }, to: plain }
  - { name: old, match: { path: "/old/{id}" }, redirect: { status: 301, path: "/books/{id}" } }
  - { name: up, match: { path: /up }, respond: { status: 204 } }
`)

function explain(url: string, others: Partial<RouteTestRequest> = {}) {
  return explainRoute(snapshot, {
    method: 'GET',
    url,
    headers: [],
    clientAddress: '192.0.2.1',
    ...others,
  })
}

test('a proxied request shows route, parameters, policies, version and what the upstream sees', () => {
  const answer = explain('http://localhost:8080/books/7/a%20b?q=1', { app: 'ada' })
  deepEqual(answer.matched, { route: 'books', parameters: { id: '7', '**': 'a%20b' } })
  deepEqual(answer.policies, [{ policy: 'api-key', scope: 'policySet/std#0' }])
  const bucket = bucketOf('books', 'acme')
  ok(bucket >= 500, 'the consumer must fall to the live version')
  deepEqual(answer.upstream, {
    name: 'books',
    version: 'v1',
    why: `split 95% of v2 5%, v1 95%: bucket ${bucket} of 10000 by consumer`,
    endpoints: [{ url: 'http://127.0.0.1:7001/base', weight: 1 }],
    account: 'books-a',
    target: '/base/v2/7/a%20b?q=1',
    host: '127.0.0.1:7001',
  })
  equal(answer.refused, undefined)
})

test('without a known unit the likeliest version is shown, and says so', () => {
  match(
    explain('/books/7').upstream?.why ?? '',
    /^split v2 5%, v1 95%: each request is dealt by chance, for lack of consumer/,
  )
  const dice = explain('/dice').upstream
  equal(dice?.version, 'v2')
  match(dice?.why ?? '', /dealt by chance; the likeliest version is shown$/)
  equal(
    explain('/plain?a=1+2', { headers: [['Cookie', 'c=x']] }).upstream?.why,
    'live: it takes all traffic',
  )
})

test('a tester may force a version, others are told why not, and a wrong one is refused', () => {
  const headers = [['X-Version', 'v2']] as const
  const forced = explain('/books/7', { app: 'qa', headers }).upstream
  deepEqual([forced?.version, forced?.why], ['v2', 'forced by header x-version'])
  match(
    explain('/books/7', { app: 'ada', headers }).upstream?.why ?? '',
    /; header x-version is ignored: neither app nor address may use it$/,
  )
  const unknown = explain('/books/7', { app: 'qa', headers: [['x-version', 'v9']] })
  deepEqual(unknown.refused, {
    code: 'route.version_unknown',
    why: 'header x-version asks for version v9; there is v1, v2',
  })
  equal(unknown.upstream, undefined)
})

test('redirects and answers show status and location', () => {
  deepEqual(explain('/old/7?q').answer, { type: 'redirect', status: 301, location: '/books/7?q' })
  deepEqual(explain('/up').answer, { type: 'respond', status: 204 })
})

test('the Host field counts before the address, and is kept where the route says so', () => {
  const answer = explain('http://127.0.0.1:8080/x', {
    headers: [['host', 'Keep.example.com:8080']],
  })
  deepEqual([answer.matched?.route, answer.upstream?.host], ['kept', 'Keep.example.com:8080'])
  equal(explain('http://[::1]:8080/nowhere').refused?.code, 'route.not_found')
})

test('a request that no route takes says why for each', () => {
  const answer = explain('/nowhere')
  deepEqual(answer.refused, { code: 'route.not_found', why: 'no route matches' })
  equal(answer.matched, undefined)
  equal(answer.tried.length, 6)
  equal(
    answer.tried.find(({ route }) => route === 'dice')?.why,
    'path /nowhere does not match /dice',
  )
})

test('an ambiguous path is refused before it is routed, and not resolved by the test', () => {
  for (const url of ['http://x/books/../up', '/up/%2e%2e/up'])
    equal(explain(url).refused?.code, 'wire.path_ambiguous', url)
})

test('an app that does not exist is an error of the question', () => {
  throws(() => explain('/up', { app: 'nobody' }), { code: 'admin.invalid_request' })
})

test('of very many routes the nearest are listed, and the rest counted', () => {
  const routes = Array.from(
    { length: tracedRoutesMax + 5 },
    (_, index) => `  - { name: r${index}, match: { path: /r${index} }, respond: { status: 200 } }`,
  )
  const answer = explainRoute(snapshotOf(`routes:\n${routes.join('\n')}\n`), {
    method: 'GET',
    url: `/r${tracedRoutesMax}`,
    headers: [],
    clientAddress: '192.0.2.1',
  })
  deepEqual(
    [answer.tried.length, answer.triedOmitted, answer.tried[0]?.route],
    [tracedRoutesMax, 5, `r${tracedRoutesMax}`],
  )
})
