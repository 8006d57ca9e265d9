import { deepEqual, equal, match } from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { simulatedClock } from '../../../base/clock.ts'
import type { AppEntry } from '../../snapshot.ts'
import { createAppDirectory } from '../app-directory.ts'
import { ask, configProblems, createPolicy, fieldsOf, outcome } from '../test-context.ts'
import { type TestRequest, testExchange } from '../test-exchange.ts'
import { apiKey } from './api-key.ts'

const clock = simulatedClock()

function app(name: string, key: string, parts: Partial<AppEntry> = {}): AppEntry {
  const keys = [{ name: 'first', sha256: hash('sha256', key), expiresAtMs: undefined }]
  return { name, slot: 7, consumer: `${name} Ltd`, isSuspended: false, keys, ...parts }
}

const apps = createAppDirectory(
  [
    app('mobile', 'mobile-key'),
    app('partner', 'partner-key'),
    app('asleep', 'asleep-key', { isSuspended: true }),
    app('late', 'late-key', {
      keys: [{ name: 'old', sha256: hash('sha256', 'late-key'), expiresAtMs: clock.wallMs() - 1 }],
    }),
  ],
  { clock },
)

function present(config: unknown, request: TestRequest) {
  const exchange = testExchange(request)
  const verdict = ask(createPolicy(apiKey, config, { apps }), exchange)
  return { exchange, verdict, code: outcome(verdict) }
}

test('a valid key lets the request through and names the app', () => {
  const { exchange, code } = present({}, { fields: { 'X-Api-Key': 'mobile-key' } })
  equal(code, 'proceed')
  deepEqual(exchange.consumer, {
    app: 'mobile',
    appSlot: 7,
    consumer: 'mobile Ltd',
    keyName: 'first',
  })
})

test('a missing, empty, unknown or expired key is answered with 401', () => {
  equal(present({}, {}).code, 'client.credential_missing')
  equal(present({}, { fields: { 'x-api-key': '' } }).code, 'client.credential_missing')
  equal(present({}, { fields: { 'x-api-key': 'wrong' } }).code, 'client.credential_invalid')
  equal(present({}, { fields: { 'x-api-key': 'late-key' } }).code, 'client.credential_invalid')
})

test('a suspended app and one that is not listed are answered with 403', () => {
  equal(present({}, { fields: { 'x-api-key': 'asleep-key' } }).code, 'client.app_denied')
  const config = { apps: ['partner'] }
  equal(present(config, { fields: { 'x-api-key': 'mobile-key' } }).code, 'client.app_denied')
  equal(present(config, { fields: { 'x-api-key': 'partner-key' } }).code, 'proceed')
})

test('a refused request has no consumer', () => {
  const config = { apps: ['partner'] }
  const { exchange } = present(config, { fields: { 'x-api-key': 'mobile-key' } })
  equal(exchange.consumer, undefined)
})

test('every 401 carries a challenge that says where the key belongs', () => {
  const { verdict } = present({ header: 'X-Team', realm: 'books' }, {})
  deepEqual(fieldsOf(verdict, 'www-authenticate'), [
    'ApiKey realm="books", in="header", name="x-team"',
  ])
})

test('the bearer challenge names an error only when a credential came (RFC 6750 §3.1)', () => {
  const config = { bearer: 'Accept' }
  const [, missing] = fieldsOf(present(config, {}).verdict, 'www-authenticate')
  equal(missing, 'Bearer realm="headgate"')
  const wrong = present(config, { fields: { authorization: 'Bearer wrong' } })
  equal(
    fieldsOf(wrong.verdict, 'www-authenticate')[1],
    'Bearer realm="headgate", error="invalid_token"',
  )
})

test('a bearer token counts only where it is accepted, in any case of letters', () => {
  const fields = { authorization: 'bEaReR  mobile-key' }
  equal(present({}, { fields }).code, 'client.credential_missing')
  equal(present({ bearer: 'Accept' }, { fields }).code, 'proceed')
  const basic = { authorization: 'Basic bW9iaWxlLWtleQ==' }
  equal(present({ bearer: 'Accept' }, { fields: basic }).code, 'client.credential_missing')
})

test('a key in the query counts only where a parameter is named', () => {
  const target = '/books?page=2&api_key=mobile-key'
  equal(present({}, { target }).code, 'client.credential_missing')
  equal(present({ query: 'api_key' }, { target }).code, 'proceed')
})

test('the upstream does not see the key, wherever it stands', () => {
  const { exchange } = present(
    { bearer: 'Accept', query: 'api_key' },
    {
      target: '/books?api_key=mobile-key',
      fields: { 'x-api-key': 'mobile-key', authorization: 'Bearer mobile-key' },
    },
  )
  deepEqual(
    exchange.requestFields.applyTo([
      ['x-api-key', 'mobile-key'],
      ['authorization', 'Bearer mobile-key'],
      ['accept', '*/*'],
    ]),
    [['accept', '*/*']],
  )
  deepEqual(exchange.removedQueryParameters, ['api_key'])
})

test('credentials that are not ours reach the upstream', () => {
  const fields = { 'x-api-key': 'mobile-key', authorization: 'Basic dTpw' }
  const { exchange } = present({ bearer: 'Accept' }, { fields })
  deepEqual(exchange.requestFields.log, [['remove', 'x-api-key']])
})

test('with `upstreamKey: Keep` the upstream sees the key', () => {
  const { exchange } = present(
    { upstreamKey: 'Keep', query: 'k' },
    { target: '/?k=1', fields: { 'x-api-key': 'mobile-key' } },
  )
  deepEqual(exchange.requestFields.log, [])
  deepEqual(exchange.removedQueryParameters, [])
})

test('a configuration that could break a head or name nothing is refused', () => {
  match(configProblems(apiKey, { realm: 'a"b' }).join(), /realm: must not contain/)
  match(configProblems(apiKey, { header: 'content-length' }).join(), /header: belongs to the conn/)
  match(configProblems(apiKey, { apps: [] }).join(), /apps/)
  match(configProblems(apiKey, { heeder: 'x' }).join(), /heeder/)
})
