import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { ask, configProblems, createPolicy, fieldsOf, outcome } from '../test-context.ts'
import { testExchange } from '../test-exchange.ts'
import { cors } from './cors.ts'

const app = 'https://app.example.com'

function preflight(config: object, fields: Record<string, string> = {}, origin = app) {
  const exchange = testExchange({
    method: 'OPTIONS',
    fields: { origin, 'access-control-request-method': 'PUT', ...fields },
  })
  const verdict = ask(createPolicy(cors, { origins: [app], ...config }), exchange)
  const allow = (name: string) => fieldsOf(verdict, `access-control-${name}`).join('|')
  return { verdict, allow, code: outcome(verdict) }
}

/** The CORS fields and `Vary` of the answer to an actual request, as the browser sees them. */
function actual(config: object, origin: string | undefined, method = 'GET') {
  const fields: Record<string, string> = origin === undefined ? {} : { origin }
  const exchange = testExchange({ method, fields })
  equal(outcome(ask(createPolicy(cors, config), exchange)), 'proceed')
  return Object.fromEntries(
    exchange.responseFields.applyTo([
      ['access-control-allow-origin', 'https://upstream.test'],
      ['access-control-allow-credentials', 'true'],
    ]),
  )
}

test('an actual request of an allowed origin gets its origin back, and caches are told', () => {
  deepEqual(actual({ origins: [app] }, app), {
    'access-control-allow-origin': app,
    vary: 'Origin',
  })
})

test('an actual request of another origin goes on without any CORS field, the upstream’s included', () => {
  deepEqual(actual({ origins: [app], credentials: true }, 'https://evil.test'), { vary: 'Origin' })
})

test('a request without Origin still varies by it', () => {
  deepEqual(actual({ origins: [app] }, undefined), { vary: 'Origin' })
})

test('with `*` every origin gets `*`, and the answer does not vary', () => {
  deepEqual(actual({ origins: ['*'] }, 'https://anything.test'), {
    'access-control-allow-origin': '*',
  })
})

test('credentials and exposed fields are named', () => {
  const config = { origins: [app], credentials: true, exposeHeaders: ['ratelimit', 'x-total'] }
  deepEqual(actual(config, app), {
    'access-control-allow-origin': app,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'ratelimit, x-total',
    vary: 'Origin',
  })
})

test('a preflight is answered with 204 here, and varies by all it looked at', () => {
  const { verdict, allow, code } = preflight({ methods: ['GET', 'PUT'], maxAge: '90s' })
  equal(code, '204')
  equal(allow('allow-origin'), app)
  equal(allow('allow-methods'), 'GET, PUT')
  equal(allow('max-age'), '90')
  equal(allow('allow-headers'), '')
  equal(allow('allow-credentials'), '')
  match(fieldsOf(verdict, 'vary').join(), /^Origin, Access-Control-Request-Method, Access/)
})

test('a preflight of another origin is answered with 403 without any CORS field', () => {
  const { verdict, code } = preflight({ credentials: true }, {}, 'https://evil.test')
  equal(code, 'client.origin_denied')
  const lines = verdict.type === 'deny' ? (verdict.fields ?? []) : []
  deepEqual(
    lines.map(([name]) => name),
    ['vary'],
  )
})

test('an OPTIONS request that is no preflight reaches the upstream', () => {
  deepEqual(actual({ origins: [app] }, app, 'OPTIONS'), {
    'access-control-allow-origin': app,
    vary: 'Origin',
  })
  const noOrigin = testExchange({
    method: 'OPTIONS',
    fields: { 'access-control-request-method': 'PUT' },
  })
  equal(outcome(ask(createPolicy(cors, { origins: [app] }), noOrigin)), 'proceed')
})

test('the fields asked for are allowed by name, so that Authorization is covered', () => {
  const asked = { 'access-control-request-headers': 'authorization,x-page' }
  equal(preflight({}, asked).allow('allow-headers'), 'authorization,x-page')
  equal(preflight({ headers: ['x-page'] }, asked).allow('allow-headers'), 'x-page')
  equal(preflight({ headers: [] }, asked).allow('allow-headers'), '')
})

test('what is no list of names, or a very long one, is not reflected', () => {
  for (const list of ['a b', 'a,,b', 'a;b', '<script>', 'x,'.repeat(2_000)]) {
    const { allow } = preflight({}, { 'access-control-request-headers': list })
    equal(allow('allow-headers'), '', list.slice(0, 20))
  }
})

test('`methods: [*]` allows the method asked for, when it is one', () => {
  equal(preflight({ methods: ['*'] }).allow('allow-methods'), 'PUT')
  const odd = { 'access-control-request-method': 'P U T' }
  equal(preflight({ methods: ['*'] }, odd).allow('allow-methods'), '*')
})

test('access from public pages to a private network is allowed only when asked for and configured', () => {
  const asked = { 'access-control-request-private-network': 'true' }
  equal(preflight({ privateNetwork: true }, asked).allow('allow-private-network'), 'true')
  equal(preflight({ privateNetwork: true }).allow('allow-private-network'), '')
  equal(preflight({}, asked).allow('allow-private-network'), '')
})

test('a wildcard stands for subdomains, and for nothing that only looks like one', () => {
  const config = { origins: ['https://*.example.com'] }
  const isAllowed = (origin: string) =>
    actual(config, origin)['access-control-allow-origin'] === origin
  for (const origin of ['https://a.example.com', 'https://a.b-1.example.com']) {
    equal(isAllowed(origin), true, origin)
  }
  for (const origin of [
    'https://example.com',
    'https://.example.com',
    'https://a..example.com',
    'http://a.example.com',
    'https://a.example.com:8443',
    'https://a.example.com.evil.test',
    'https://evilexample.com',
    'https://evil.test/.example.com',
    'https://evil.test#.example.com',
    'https://user@a.example.com',
    'https://evil.test:80.example.com',
    `https://${'a'.repeat(400)}.example.com`,
    'null',
  ]) {
    equal(isAllowed(origin), false, origin)
  }
})

test('a wildcard may name a port', () => {
  const config = { origins: ['http://*.localhost:3000'] }
  const origin = 'http://shop.localhost:3000'
  equal(actual(config, origin)['access-control-allow-origin'], origin)
})

test('an app that is no web page has an origin too', () => {
  const origin = 'capacitor://localhost'
  equal(actual({ origins: [origin] }, origin)['access-control-allow-origin'], origin)
})

test('`*` together with credentials is refused', () => {
  const open = { origins: ['*'], credentials: true }
  match(configProblems(cors, open).join(), /^origins: must not contain `\*`/)
  const exposed = { origins: [app], credentials: true, exposeHeaders: ['*'] }
  match(configProblems(cors, exposed).join(), /^exposeHeaders: must not contain `\*`/)
})

test('an origin that no browser would send is refused with the form to write', () => {
  for (const origin of [
    'https://app.example.com/',
    'https://App.example.com',
    'https://app.example.com:443',
    'app.example.com',
    'null',
    'https://*',
    'https://*.com/x',
    'https://a.*.com',
    'file:///x',
    'capacitor://',
  ]) {
    match(configProblems(cors, { origins: [origin] }).join(), /must be `\*`, an origin/, origin)
  }
  equal(configProblems(cors, { origins: ['http://localhost:3000', 'http://[::1]:80'] }).length, 1)
})
