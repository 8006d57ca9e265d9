import { deepEqual, equal, notEqual, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { simulatedClock } from '../../base/clock.ts'
import { HeadgateError } from '../../base/errors.ts'
import { s } from '../../base/schema.ts'
import type { PolicyEntry } from '../snapshot.ts'
import { createAppDirectory } from './app-directory.ts'
import {
  type AppDirectory,
  definePolicy,
  deny,
  type PolicyDefinition,
  proceed,
} from './define-policy.ts'
import { instantiatePolicies } from './instantiate.ts'
import { ask, outcome, testContext } from './test-context.ts'
import { testExchange } from './test-exchange.ts'

/** A policy that counts its instances and those closed. */
function counted(name = 'counted') {
  const log: string[] = []
  const definition: PolicyDefinition = definePolicy({
    name,
    summary: 'Counts.',
    phase: 'admit',
    config: s.object({ limit: s.int().optional(), bad: s.boolean().optional() }),
    create({ bad }, { scope, apps }) {
      if (bad === true) throw new Error('cannot count that')
      log.push(`made ${scope}`)
      return {
        onRequest: () => (apps.find('k').found ? proceed : deny('policy.denied')),
        close: () => void log.push(`closed ${scope}`),
      }
    },
  })
  return { definition, log, catalog: new Map([[name, definition]]) }
}

function entry(scope: string, config: PolicyEntry['config'] = {}): PolicyEntry {
  return { policy: 'counted', scope, config }
}

const services = testContext()

test('an unchanged entry keeps its instance over a reload, wherever it stands now', () => {
  const { catalog, log } = counted()
  const first = instantiatePolicies(
    [entry('a#0', { limit: 1, bad: false }), entry('b#0')],
    catalog,
    services,
  )
  const second = instantiatePolicies(
    [entry('b#0'), entry('a#0', { bad: false, limit: 1 })],
    catalog,
    services,
    first,
  )
  equal(second.members[1]?.instance, first.members[0]?.instance)
  equal(second.members[0]?.instance, first.members[1]?.instance)
  deepEqual(log, ['made a#0', 'made b#0'])
})

test('another configuration, scope or definition makes another instance', () => {
  const { catalog } = counted()
  const first = instantiatePolicies([entry('a#0', { limit: 1 })], catalog, services)
  const instanceFor = (each: PolicyEntry, from = catalog) =>
    instantiatePolicies([each], from, services, first).members[0]?.instance
  equal(instanceFor(entry('a#0', { limit: 1 })), first.members[0]?.instance)
  notEqual(instanceFor(entry('a#0', { limit: 2 })), first.members[0]?.instance)
  notEqual(instanceFor(entry('a#1', { limit: 1 })), first.members[0]?.instance)
  notEqual(instanceFor(entry('a#0', { limit: 1 }), counted().catalog), first.members[0]?.instance)
})

test('a dropped instance is closed when its last snapshot has drained, once', () => {
  const { catalog, log } = counted()
  const first = instantiatePolicies([entry('a#0'), entry('b#0')], catalog, services)
  const second = instantiatePolicies([entry('a#0')], catalog, services, first)
  const third = instantiatePolicies([entry('c#0')], catalog, services, second)
  log.length = 0
  // The second drains before the first, as it can when streams are long.
  second.close()
  deepEqual(log, [])
  first.close()
  first.close()
  deepEqual(log, ['closed a#0', 'closed b#0'])
  third.close()
  deepEqual(log.slice(2), ['closed c#0'])
})

test('a policy that cannot be made leaves everything as it was', () => {
  const { catalog, log } = counted()
  const first = instantiatePolicies([entry('a#0')], catalog, services)
  throws(
    () =>
      instantiatePolicies(
        [entry('a#0'), entry('new#0'), entry('bad#0', { bad: true })],
        catalog,
        services,
        first,
      ),
    (error) =>
      error instanceof HeadgateError &&
      error.code === 'config.policy_create_failed' &&
      error.message === 'bad#0: policy `counted` could not be made: cannot count that',
  )
  deepEqual(log, ['made a#0', 'made new#0', 'closed new#0'])
  first.close()
  deepEqual(log.at(-1), 'closed a#0')
})

test('a policy that nobody knows is refused by name', () => {
  throws(
    () => instantiatePolicies([{ policy: 'nope', scope: 'x#0', config: {} }], new Map(), services),
    { code: 'config.unknown_policy' },
  )
})

test('what `create` gives back must be an instance at once, or nothing would be checked', () => {
  const fine = { onRequest: () => proceed }
  const wrong = [
    undefined,
    7,
    () => proceed,
    {},
    { onRequests: () => proceed },
    { onRequest: 'yes' },
  ]
  for (const returned of [...wrong, Promise.resolve(fine), { ...fine, close: 1 }]) {
    const { definition, catalog } = counted()
    // As a file in JavaScript can do it, past the types.
    Reflect.set(definition, 'create', () => returned)
    throws(() => instantiatePolicies([entry('a#0')], catalog, services), {
      code: 'config.policy_create_failed',
    })
  }
})

test('an instance that fails to close is reported and keeps no other open', () => {
  const { definition, catalog, log } = counted()
  const failing: PolicyDefinition = {
    ...definition,
    name: 'failing',
    create: () => ({
      onRequest: () => proceed,
      close() {
        throw new Error('stuck')
      },
    }),
  }
  const failures: string[] = []
  const instances = instantiatePolicies(
    [{ policy: 'failing', scope: 'f#0', config: {} }, entry('a#0')],
    new Map([...catalog, ['failing', failing]]),
    { ...services, onFailure: (policy, error) => failures.push(`${policy}: ${String(error)}`) },
  )
  instances.close()
  deepEqual([failures, log], [['failing: Error: stuck'], ['made a#0', 'closed a#0']])
})

test('a kept instance finds the apps of the newest snapshot, so that a revoked key stops at once', () => {
  const { catalog } = counted()
  const clock = simulatedClock()
  const app = { name: 'a', slot: 0, consumer: 'a', isSuspended: false }
  const key = {
    name: 'k',
    sha256: '8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a',
  }
  const withKey: AppDirectory = createAppDirectory(
    [{ ...app, keys: [{ ...key, expiresAtMs: undefined }] }],
    { clock },
  )
  const first = instantiatePolicies([entry('a#0')], catalog, { ...services, apps: withKey })
  const instance = first.members[0]?.instance ?? {}
  equal(outcome(ask(instance, testExchange())), 'proceed')
  const apps = createAppDirectory([{ ...app, keys: [] }], { clock })
  const second = instantiatePolicies([entry('a#0')], catalog, { ...services, apps }, first)
  equal(second.members[0]?.instance, instance)
  equal(outcome(ask(instance, testExchange())), 'policy.denied')
})
