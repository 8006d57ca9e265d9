import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { basisPointsWhole } from '../../base/units.ts'
import type { SplitEntry, UpstreamEntry } from '../snapshot.ts'
import {
  bucketOf,
  chooseVersion,
  forcedVersionOf,
  forcedVersionRule,
  stickyUnitOf,
} from './split.ts'

/** Weights of the versions that are not live; version 0 is live and takes the rest. */
function splitOf(others: readonly number[], sticky = true): SplitEntry {
  const left = basisPointsWhole - others.reduce((sum, weight) => sum + weight, 0)
  return {
    arms: [
      ...others.map((basisPoints, index) => ({ versionIndex: index + 1, basisPoints })),
      { versionIndex: 0, basisPoints: left },
    ],
    sticky: sticky ? { by: 'Consumer', name: '', salt: 'books' } : undefined,
    epoch: 1,
  }
}

const request = { field: () => undefined, cookie: () => undefined, clientAddress: '192.0.2.1' }

test('the bucket of a unit is fixed by salt and unit alone, for every process and release', () => {
  deepEqual(
    [
      bucketOf('books', 'ada'),
      bucketOf('books', 'bob'),
      bucketOf('music', 'ada'),
      bucketOf('', 'ü'),
    ],
    [627, 344, 1136, 9274],
  )
})

test('a unit never moves back towards the live version while the other weights grow', () => {
  const weights = fc
    .array(fc.nat(3_000), { minLength: 1, maxLength: 3 })
    .chain((low) => fc.tuple(fc.constant(low), fc.tuple(...low.map(() => fc.nat(333)))))
  fc.assert(
    fc.property(weights, fc.string(), ([low, growth], unit) => {
      const high = low.map((weight, index) => weight + (growth[index] ?? 0))
      fc.pre(high.reduce((sum, weight) => sum + weight, 0) <= basisPointsWhole)
      const position = (split: SplitEntry) => {
        const { versionIndex } = chooseVersion(split, unit, 0)
        return split.arms.findIndex((arm) => arm.versionIndex === versionIndex)
      }
      ok(position(splitOf(high)) <= position(splitOf(low)))
    }),
    { numRuns: 2_000 },
  )
})

test('units fall evenly into the arms, whatever they look like', () => {
  const shapes = [
    (index: number) => `consumer-${index}`,
    (index: number) => String(index),
    (index: number) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    (index: number) => `ü${index}`,
  ]
  const count = 40_000
  for (const unitOf of shapes) {
    const split = splitOf([500, 2_500])
    const counts = [0, 0, 0]
    for (let index = 0; index < count; index++) {
      const { versionIndex } = chooseVersion(split, unitOf(index), 0)
      counts[versionIndex] = (counts[versionIndex] ?? 0) + 1
    }
    // Five standard deviations of a fair draw: the units are fixed, so this cannot flicker.
    for (const [version, share] of [0.7, 0.05, 0.25].entries()) {
      const tolerance = 5 * Math.sqrt(count * share * (1 - share))
      ok(Math.abs((counts[version] ?? 0) - count * share) < tolerance, `${unitOf(7)}: ${counts}`)
    }
  }
})

test('without a unit the fraction decides, to the last basis point', () => {
  const split = splitOf([500], false)
  deepEqual(chooseVersion(split, undefined, 0), { versionIndex: 1, bucket: 0 })
  deepEqual(chooseVersion(split, undefined, 0.04999), { versionIndex: 1, bucket: 499 })
  deepEqual(chooseVersion(split, undefined, 0.05), { versionIndex: 0, bucket: 500 })
  deepEqual(chooseVersion(split, undefined, 0.99999999), { versionIndex: 0, bucket: 9_999 })
  equal(chooseVersion(splitOf([500]), undefined, 0.01).versionIndex, 1)
})

test('an upstream without arms has no version', () => {
  equal(chooseVersion({ arms: [], sticky: undefined, epoch: 0 }, undefined, 0.5).versionIndex, -1)
})

test('the unit is what `sticky.by` names', () => {
  const asked = {
    field: (name: string) => `field ${name}`,
    cookie: (name: string) => `cookie ${name}`,
    clientAddress: '192.0.2.1',
  }
  const unit = (by: 'Consumer' | 'Header' | 'Cookie' | 'ClientAddress') =>
    stickyUnitOf({ arms: [], sticky: { by, name: 'sid', salt: '' }, epoch: 0 }, asked, 'acme')
  deepEqual(
    [unit('Consumer'), unit('Header'), unit('Cookie'), unit('ClientAddress')],
    ['acme', 'field sid', 'cookie sid', '192.0.2.1'],
  )
  equal(stickyUnitOf({ arms: [], sticky: undefined, epoch: 0 }, asked, 'acme'), undefined)
})

function upstreamWith(forcedVersion: UpstreamEntry['forcedVersion']): UpstreamEntry {
  const version = {
    slot: 1,
    account: undefined,
    balancer: 'RoundRobin',
    connectionsMax: 1,
    timeouts: {
      connectMs: 1,
      firstByteMs: 1,
      idleMs: 1,
      totalMs: undefined,
      tunnelIdleMs: 1,
      tunnelTotalMs: undefined,
    },
    tls: undefined,
    endpoints: [],
  } as const
  return {
    name: 'books',
    versions: [
      { ...version, name: 'v1' },
      { ...version, name: 'v2' },
    ],
    split: splitOf([]),
    forcedVersion,
  }
}

test('a listed app or network may force a version, nobody else', () => {
  const rule = forcedVersionRule(
    upstreamWith({ header: 'x-version', apps: ['qa'], addresses: ['10.0.0.0/8'] }),
  )
  ok(rule !== undefined)
  const ask = (value: string | undefined, app: string | undefined, clientAddress = '192.0.2.1') =>
    forcedVersionOf(
      rule,
      { ...request, clientAddress, field: (name) => (name === 'x-version' ? value : undefined) },
      app,
    )
  deepEqual(ask('v2', 'qa'), { type: 'forced', versionIndex: 1 })
  deepEqual(ask('v1', undefined, '10.1.2.3'), { type: 'forced', versionIndex: 0 })
  deepEqual(ask('v2', 'mobile'), { type: 'unauthorised' })
  deepEqual(ask('v2', undefined), { type: 'unauthorised' })
  deepEqual(ask(undefined, 'qa'), { type: 'none' })
  deepEqual(ask('v9', 'qa'), { type: 'unknown', name: 'v9' })
  deepEqual(ask('v9', 'mobile'), { type: 'unauthorised' })
})

test('without a rule, or with nobody listed, no version can be forced', () => {
  equal(forcedVersionRule(upstreamWith(undefined)), undefined)
  const rule = forcedVersionRule(upstreamWith({ header: 'x', apps: [], addresses: [] }))
  ok(rule !== undefined)
  deepEqual(forcedVersionOf(rule, { ...request, field: () => 'v1' }, 'qa'), {
    type: 'unauthorised',
  })
})
