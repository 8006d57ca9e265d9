import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { simulatedClock } from '../../../base/clock.ts'
import { seededRandom } from '../../../base/random.ts'
import { ask, configProblems, createPolicy, outcome } from '../test-context.ts'
import { testExchange } from '../test-exchange.ts'
import { fault } from './fault.ts'

test('an abort answers with the status and marks the answer', () => {
  const exchange = testExchange()
  const verdict = ask(createPolicy(fault, { share: '100%', abort: 418 }), exchange)
  equal(outcome(verdict), 'fault.injected')
  equal(verdict.type === 'deny' && verdict.status, 418)
  deepEqual(exchange.responseFields.log, [['set', 'x-headgate-fault', 'abort;status=418']])
})

test('the share is kept, and the same seed hits the same requests', () => {
  const hits = (seed: number) => {
    const instance = createPolicy(
      fault,
      { share: '5%', abort: 503 },
      { random: seededRandom(seed) },
    )
    const outcomes = Array.from({ length: 10_000 }, () => outcome(ask(instance, testExchange())))
    return outcomes.map((each, index) => (each === 'proceed' ? -1 : index)).filter((i) => i >= 0)
  }
  ok(Math.abs(hits(7).length - 500) < 80, `${hits(7).length} of 10000`)
  deepEqual(hits(7), hits(7))
})

test('a share of nothing hits nothing, and basis points are a share', () => {
  const never = createPolicy(fault, { share: 0, abort: 503 })
  const always = createPolicy(fault, { share: 10_000, abort: 503 })
  for (let index = 0; index < 200; index++) {
    equal(outcome(ask(never, testExchange())), 'proceed')
    equal(outcome(ask(always, testExchange())), 'fault.injected')
  }
})

test('with `header` only requests that carry it are hit', () => {
  const instance = createPolicy(fault, { share: '100%', abort: 503, header: 'X-Break-It' })
  equal(outcome(ask(instance, testExchange())), 'proceed')
  const asked = testExchange({ fields: { 'x-break-it': '' } })
  equal(outcome(ask(instance, asked)), 'fault.injected')
})

test('a fixed delay holds the request for its time, then lets it go on', async () => {
  const clock = simulatedClock()
  const exchange = testExchange()
  const verdict = createPolicy(fault, { share: '100%', delay: '250ms' }, { clock }).onRequest?.(
    exchange,
  )
  let result = 'waiting'
  const done = Promise.resolve(verdict).then((each) => {
    result = each === undefined ? 'nothing' : outcome(each)
  })
  clock.advance(249)
  await Promise.resolve()
  equal(result, 'waiting')
  clock.advance(1)
  await done
  equal(result, 'proceed')
  deepEqual(exchange.responseFields.log, [['set', 'x-headgate-fault', 'delay;ms=250']])
})

test('a range of delays is spread over the range', () => {
  const instance = createPolicy(fault, { share: '100%', delay: { min: '100ms', max: '2s' } })
  const delays = Array.from({ length: 500 }, () => {
    const exchange = testExchange()
    void instance.onRequest?.(exchange)
    return Number(/ms=(\d+)/.exec(exchange.responseFields.log[0]?.[2] ?? '')?.[1])
  })
  ok(Math.min(...delays) >= 100 && Math.min(...delays) < 200, `from ${Math.min(...delays)}`)
  ok(Math.max(...delays) <= 2_000 && Math.max(...delays) > 1_900, `to ${Math.max(...delays)}`)
})

test('a delay ends at once when the client goes away', async () => {
  const exchange = testExchange()
  const config = { share: '100%', delay: '30s', abort: 500 }
  const verdict = createPolicy(fault, config).onRequest?.(exchange)
  exchange.abort()
  const answer = await verdict
  equal(answer && outcome(answer), 'client.aborted')
  deepEqual(exchange.responseFields.log[0]?.[2], 'delay;ms=30000, abort;status=500')
})

test('a fault that does nothing or too much is refused', () => {
  const problems = (config: object) => configProblems(fault, { share: '1%', ...config }).join()
  match(problems({}), /must have `delay`, `abort` or both/)
  match(problems({ delay: '30001ms' }), /at most 30s/)
  match(problems({ delay: { min: '2s', max: '1s' } }), /`min` must not exceed `max`/)
  match(problems({ abort: 200 }), /abort/)
  match(problems({ share: '101%', abort: 500 }), /share/)
  equal(problems({ delay: '30s' }), '')
})
