import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { simulatedClock } from '../../../base/clock.ts'
import { seededRandom } from '../../../base/random.ts'
import type { Ledger, LimiterAnswer, LimiterSettings } from '../../../ledger/ledger.ts'
import { ledgerMemory } from '../../../ledger/memory.ts'
import { openSharedLedger } from '../../../ledger/shared-ledger.ts'
import { ask, configProblems, createPolicy, fieldsOf, outcome } from '../test-context.ts'
import { type TestRequest, testExchange } from '../test-exchange.ts'
import { rateLimit } from './rate-limit.ts'

/** A ledger that gives one answer and remembers what it was asked. */
function scriptedLedger(answer: Partial<LimiterAnswer> = {}) {
  const opened: { scope: string; settings: LimiterSettings }[] = []
  const keys: string[] = []
  const ledger: Ledger = {
    limiter(scope, settings) {
      opened.push({ scope, settings })
      return {
        take(key) {
          keys.push(key)
          return { isAllowed: true, remaining: 41, resetMs: 17_200, retryAfterMs: 0, ...answer }
        },
      }
    },
  }
  return { ledger, opened, keys }
}

const identity = { app: 'mobile', appSlot: 1, consumer: 'acme', keyName: 'first' }

function keyFor(config: unknown, request: TestRequest, consumer?: typeof identity): string {
  const { ledger, keys } = scriptedLedger()
  const exchange = testExchange(request)
  exchange.consumer = consumer
  ask(createPolicy(rateLimit, config, { ledger }), exchange)
  return keys.join()
}

test('the limiter is opened once, under the scope of the entry, and a bucket bursts its count', () => {
  const { ledger, opened } = scriptedLedger()
  const instance = createPolicy(rateLimit, { limit: '100/min' }, { ledger, scope: 'policySet/x#1' })
  ask(instance, testExchange())
  ask(instance, testExchange())
  const settings = { algorithm: 'TokenBucket', count: 100, periodMs: 60_000, burst: 100 }
  deepEqual(opened, [{ scope: 'policySet/x#1', settings }])
})

test('burst and algorithm reach the limiter', () => {
  const { ledger, opened } = scriptedLedger()
  createPolicy(rateLimit, { limit: '10/s', burst: 25 }, { ledger })
  createPolicy(rateLimit, { limit: '10/30s', algorithm: 'SlidingWindow' }, { ledger })
  deepEqual(
    opened.map(({ settings }) => settings),
    [
      { algorithm: 'TokenBucket', count: 10, periodMs: 1_000, burst: 25 },
      { algorithm: 'SlidingWindow', count: 10, periodMs: 30_000, burst: 10 },
    ],
  )
})

test('an allowed request tells policy and what is left, in whole seconds rounded up', () => {
  const { ledger } = scriptedLedger()
  const exchange = testExchange()
  const instance = createPolicy(rateLimit, { limit: '100/min', by: 'App' }, { ledger })
  equal(outcome(ask(instance, exchange)), 'proceed')
  deepEqual(exchange.responseFields.applyTo([]), [
    ['ratelimit-policy', '"app-1m";q=100;w=60'],
    ['ratelimit', '"app-1m";r=41;t=18'],
  ])
})

test('a refused request gets 429, and Retry-After ends with the window that RateLimit tells', () => {
  const { ledger } = scriptedLedger({
    isAllowed: false,
    remaining: 0,
    resetMs: 60_000,
    retryAfterMs: 1_001,
  })
  const exchange = testExchange()
  const verdict = ask(createPolicy(rateLimit, { limit: '100/min' }, { ledger }), exchange)
  equal(outcome(verdict), 'client.rate_limited')
  deepEqual(fieldsOf(verdict, 'retry-after'), ['2'])
  deepEqual(exchange.responseFields.log[1], ['add', 'ratelimit', '"route-1m";r=0;t=2'])
})

test('Retry-After is never 0', () => {
  const { ledger } = scriptedLedger({ isAllowed: false, remaining: 0, retryAfterMs: 0.4 })
  const verdict = ask(createPolicy(rateLimit, { limit: '9999/s' }, { ledger }), testExchange())
  deepEqual(fieldsOf(verdict, 'retry-after'), ['1'])
})

test('two limits on one route add their items instead of hiding each other', () => {
  const exchange = testExchange()
  for (const limit of ['10/s', '1000/day']) {
    ask(createPolicy(rateLimit, { limit, by: 'ClientAddress' }, scriptedLedger()), exchange)
  }
  deepEqual(
    exchange.responseFields
      .applyTo([])
      .filter(([name]) => name === 'ratelimit-policy')
      .map(([, value]) => value),
    ['"client-address-1s";q=10;w=1', '"client-address-1d";q=1000;w=86400'],
  )
})

test('a burst is told under a name of ours, and a part of a second is not told', () => {
  const exchange = testExchange()
  const config = { limit: '5/1500ms', burst: 8, name: 'search' }
  ask(createPolicy(rateLimit, config, scriptedLedger()), exchange)
  equal(exchange.responseFields.log[0]?.[2], '"search";q=5;headgate-burst=8')
})

test('with `fields: Omit` answers tell nothing but Retry-After', () => {
  const { ledger } = scriptedLedger({ isAllowed: false, retryAfterMs: 500 })
  const exchange = testExchange()
  const instance = createPolicy(rateLimit, { limit: '1/s', fields: 'Omit' }, { ledger })
  deepEqual(fieldsOf(ask(instance, exchange), 'retry-after'), ['1'])
  deepEqual(exchange.responseFields.log, [])
})

test('`by` chooses what has a limit of its own', () => {
  const request = { address: '192.0.2.9', fields: { 'x-tenant': 'blue' } }
  const limit = '1/s'
  equal(keyFor({ limit }, request, identity), '')
  equal(keyFor({ limit, by: 'App' }, request, identity), 'mobile')
  equal(keyFor({ limit, by: 'Consumer' }, request, identity), '=acme')
  equal(keyFor({ limit, by: 'ClientAddress' }, request, identity), '192.0.2.9')
  equal(keyFor({ limit, by: 'Header', header: 'X-Tenant' }, request), '=blue')
})

test('a caller without what `by` asks for is counted by its address, and cannot pose as another', () => {
  const request = { address: '192.0.2.9' }
  for (const config of [{ by: 'App' }, { by: 'Consumer' }, { by: 'Header', header: 'x-tenant' }]) {
    equal(keyFor({ limit: '1/s', ...config }, request), '192.0.2.9')
  }
  const posing = { address: '192.0.2.1', fields: { 'x-tenant': '192.0.2.9' } }
  equal(keyFor({ limit: '1/s', by: 'Header', header: 'x-tenant' }, posing), '=192.0.2.9')
})

test('contradictions are refused', () => {
  const problems = (config: object) => configProblems(rateLimit, { limit: '1/s', ...config }).join()
  match(problems({ by: 'Header' }), /^header: must be set with/)
  match(problems({ header: 'x-tenant' }), /^header: must be set with/)
  match(problems({ algorithm: 'SlidingWindow', burst: 3 }), /^burst: belongs to `TokenBucket`/)
  match(problems({ limit: '0/s' }), /at least one request/)
  match(problems({ limit: 'often' }), /must be a rate/)
  match(problems({ name: 'a"b' }), /^name: must be printable/)
})

test('with the shared ledger the limit holds over instances, and Retry-After tells the truth', () => {
  const clock = simulatedClock()
  const memory = ledgerMemory(1_024, seededRandom(1))
  const worker = () =>
    createPolicy(
      rateLimit,
      { limit: '5/10s', by: 'ClientAddress', algorithm: 'SlidingWindow' },
      { ledger: openSharedLedger(memory, { clock }) },
    )
  const workers = [worker(), worker()]
  const send = (index: number, address = '192.0.2.1') =>
    ask(workers[index % 2] ?? {}, testExchange({ address }))
  for (let index = 0; index < 5; index++) equal(outcome(send(index)), 'proceed')
  const refusal = send(5)
  equal(outcome(refusal), 'client.rate_limited')
  equal(outcome(send(6, '192.0.2.2')), 'proceed')
  clock.advance(Number(fieldsOf(refusal, 'retry-after')[0]) * 1_000)
  equal(outcome(send(7)), 'proceed')
})
