import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { simulatedClock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { deny, type PolicyInstance, proceed, respond, type Verdict } from './define-policy.ts'
import { buildChain, policyWaitMsMax, runRequest, runResponse } from './run-chain.ts'
import { outcome } from './test-context.ts'
import { testExchange, testResponse } from './test-exchange.ts'

/** A chain of policies named a, b, c … with the failures it reported. */
function chainOf(...instances: readonly PolicyInstance[]) {
  const failures: string[] = []
  const clock = simulatedClock()
  const members = instances.map((instance, index) => ({
    policy: String.fromCharCode(97 + index),
    instance,
  }))
  const onFailure = (policy: string, error: unknown) => {
    failures.push(`${policy}: ${messageOf(error)}`)
  }
  return { chain: buildChain(members, { clock, onFailure }), failures, clock }
}

/** A policy that writes down when it runs. */
function tracing(log: string[], name: string, verdict: Verdict = proceed): PolicyInstance {
  return {
    onRequest() {
      log.push(`>${name}`)
      return verdict
    },
    onResponse: () => void log.push(`<${name}`),
  }
}

function now(verdict: Verdict | Promise<Verdict>): string {
  ok(!(verdict instanceof Promise), 'answered with a promise')
  return outcome(verdict)
}

/** What a policy written in JavaScript may give back, whatever the types say. */
function returning(value: unknown): PolicyInstance {
  const instance: PolicyInstance = { onRequest: () => proceed }
  Reflect.set(instance, 'onRequest', () => value)
  return instance
}

test('requests run through in order, responses back in reverse order', () => {
  const log: string[] = []
  const { chain } = chainOf(
    tracing(log, 'a'),
    { onResponse: () => void log.push('<b') },
    {},
    tracing(log, 'd'),
  )
  const exchange = testExchange()
  equal(now(runRequest(chain, exchange)), 'proceed')
  equal(exchange.policiesEntered, 4)
  equal(runResponse(chain, exchange.policiesEntered, exchange, testResponse()), proceed)
  deepEqual(log, ['>a', '>d', '<d', '<b', '<a'])
})

test('an empty chain lets everything through', () => {
  const { chain } = chainOf()
  equal(runRequest(chain, testExchange()), proceed)
})

test('a denial ends the chain, and its response is seen by those who saw the request', () => {
  const log: string[] = []
  const { chain } = chainOf(
    tracing(log, 'a'),
    tracing(log, 'b', deny('client.rate_limited')),
    tracing(log, 'c'),
    { onResponse: () => void log.push('<d'), seesEveryResponse: true },
  )
  const exchange = testExchange()
  equal(now(runRequest(chain, exchange)), 'client.rate_limited')
  equal(chain.names[exchange.policiesEntered - 1], 'b')
  runResponse(chain, exchange.policiesEntered, exchange, testResponse(429))
  deepEqual(log, ['>a', '>b', '<d', '<b', '<a'])
})

test('a policy that throws refuses the request and is reported', () => {
  const log: string[] = []
  const { chain, failures } = chainOf(
    {
      onRequest() {
        throw new Error('out of ideas')
      },
    },
    tracing(log, 'b'),
  )
  equal(now(runRequest(chain, testExchange())), 'policy.failed')
  deepEqual(failures, ['a: out of ideas'])
  deepEqual(log, [])
})

test('a policy that rejects refuses the request and is reported', async () => {
  const { chain, failures } = chainOf({ onRequest: () => Promise.reject(new Error('no network')) })
  equal(outcome(await runRequest(chain, testExchange())), 'policy.failed')
  deepEqual(failures, ['a: no network'])
})

test('a promise suspends the chain, which then goes on where it was', async () => {
  const log: string[] = []
  const { chain } = chainOf(
    tracing(log, 'a'),
    { onRequest: async () => proceed },
    tracing(log, 'c', respond(202, [])),
  )
  const exchange = testExchange()
  const verdict = runRequest(chain, exchange)
  ok(verdict instanceof Promise)
  equal(exchange.policiesEntered, 2)
  equal(outcome(await verdict), '202')
  equal(exchange.policiesEntered, 3)
  deepEqual(log, ['>a', '>c'])
})

test('several promises in a row are waited for one after the other', async () => {
  const order: string[] = []
  const slow = (name: string): PolicyInstance => ({
    async onRequest() {
      await Promise.resolve()
      order.push(name)
      return proceed
    },
  })
  const { chain } = chainOf(slow('a'), slow('b'), slow('c'))
  equal(outcome(await runRequest(chain, testExchange())), 'proceed')
  deepEqual(order, ['a', 'b', 'c'])
})

test('a policy that never answers has failed after its time, and its late answer is nothing', async () => {
  const { chain, failures, clock } = chainOf({ onRequest: () => new Promise(() => {}) })
  const verdict = runRequest(chain, testExchange())
  clock.advance(policyWaitMsMax - 1)
  deepEqual(failures, [])
  clock.advance(1)
  equal(outcome(await verdict), 'policy.failed')
  match(failures.join(), /did not answer within 60000 ms/)
})

test('when the client has gone, policies after the wait do not run, and nobody is blamed', async () => {
  const log: string[] = []
  const { chain, failures } = chainOf(
    {
      async onRequest({ signal }) {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        })
        return proceed
      },
    },
    tracing(log, 'b'),
  )
  const patient = chainOf({ onRequest: async () => proceed }, tracing(log, 'b'))
  for (const each of [chain, patient.chain]) {
    const exchange = testExchange()
    const verdict = runRequest(each, exchange)
    exchange.abort()
    equal(outcome(await verdict), 'client.aborted')
  }
  deepEqual(failures, [])
  deepEqual(log, [])
})

test('what is no verdict refuses the request', () => {
  const wrong: readonly [unknown, RegExp][] = [
    [undefined, /must return/],
    [null, /must return/],
    ['proceed', /must return/],
    [{ type: 'allow' }, /must return/],
    [{ type: 'deny', code: 'made.up' }, /unknown code `made.up`/],
    [{ type: 'deny', code: 'toString' }, /unknown code/],
    [{ type: 'deny', code: 'policy.denied', status: 200 }, /400 to 599/],
    [{ type: 'respond', status: 101, fields: [], body: '' }, /200 to 599/],
    [{ type: 'respond', status: 200.5, fields: [], body: '' }, /200 to 599/],
    [{ type: 'respond', status: 200, fields: [] }, /string or bytes/],
    [{ type: 'respond', status: 200, body: '' }, /must be a list/],
    [{ type: 'respond', status: 200, fields: ['x'], body: '' }, /both of them strings/],
    [{ type: 'respond', status: 200, fields: [['a', 1]], body: '' }, /both of them strings/],
    [{ type: 'respond', status: 200, fields: [['a', 'b\r\nc']], body: '' }, /line break/],
    [
      { type: 'respond', status: 200, fields: [['content-length', '9']], body: '' },
      /not for polic/,
    ],
    [{ type: 'respond', status: 200, fields: [['a b', 'x']], body: '' }, /not for policies/],
  ]
  for (const [value, message] of wrong) {
    const { chain, failures } = chainOf(returning(value))
    equal(now(runRequest(chain, testExchange())), 'policy.failed')
    match(failures.join(), message)
  }
})

test('a verdict that was made elsewhere counts like one of ours', () => {
  const log: string[] = []
  const { chain } = chainOf(returning({ type: 'proceed' }), tracing(log, 'b'))
  equal(now(runRequest(chain, testExchange())), 'proceed')
  deepEqual(log, ['>b'])
})

test('a response policy that throws turns the response into a denial; the others still see it', () => {
  const log: string[] = []
  const { chain, failures } = chainOf(tracing(log, 'a'), {
    onResponse() {
      throw new Error('cannot redact')
    },
  })
  const exchange = testExchange()
  runRequest(chain, exchange)
  const verdict = runResponse(chain, exchange.policiesEntered, exchange, testResponse())
  equal(outcome(verdict), 'policy.failed')
  deepEqual(failures, ['b: cannot redact'])
  deepEqual(log, ['>a', '<a'])
})

test('an async onResponse has failed, and its rejection does not end the process', async () => {
  const { chain, failures } = chainOf({
    onResponse: () => Promise.reject(new Error('late')),
  })
  const exchange = testExchange()
  const verdict = runResponse(chain, 1, exchange, testResponse())
  equal(outcome(verdict), 'policy.failed')
  match(failures.join(), /must not be async/)
  // An unhandled rejection would fail this test in the turns that follow.
  await new Promise((resolve) => setImmediate(resolve))
})

test('policies keep their `this`', () => {
  class Counter implements PolicyInstance {
    #count = 0
    onRequest() {
      this.#count++
      return proceed
    }
    get count() {
      return this.#count
    }
  }
  const counter = new Counter()
  const { chain, failures } = chainOf(counter)
  runRequest(chain, testExchange())
  runRequest(chain, testExchange())
  deepEqual([counter.count, failures], [2, []])
})
