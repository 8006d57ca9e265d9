import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { expandWeights, type UpstreamSpec, upstream } from '../kinds/upstream.ts'
import {
  type AssignmentInput,
  type AssignmentPlan,
  declaredHash,
  planAssignments,
  type RuntimeSplit,
  type UpstreamState,
} from './runtime-state.ts'

function books(more: Record<string, unknown> = {}): UpstreamSpec {
  const input = {
    versions: { v1: { url: 'http://h:1' }, v2: { url: 'http://h:2' } },
    live: 'v1',
    ...more,
  }
  return upstream.expand(upstream.spec.parse(input))
}

function splitOver(spec: UpstreamSpec, v2: number): RuntimeSplit {
  const weights = { v1: 10_000 - v2, v2 }
  return { weights, declared: declaredHash(spec), setAt: '2026-01-01T00:00:00Z', actor: 'ann' }
}

const one = (spec: UpstreamSpec | undefined) => new Map(spec === undefined ? [] : [['books', spec]])

function plan(
  before: UpstreamSpec | undefined,
  after: UpstreamSpec | undefined,
  more: { state?: UpstreamState; floor?: number; operation?: RuntimeSplit | 'clear' } = {},
): AssignmentPlan {
  const { state, operation } = more
  const input: AssignmentInput = {
    before: one(before),
    after: one(after),
    states: new Map(state === undefined ? [] : [['books', state]]),
    epochFloor: more.floor ?? 0,
    ...(operation !== undefined && {
      operations: new Map([['books', operation === 'clear' ? undefined : operation]]),
    }),
  }
  return planAssignments(input)
}

test('a new upstream follows its definition, in epoch 1, and nothing is stored for it', () => {
  const { assignments, runtimeChanges } = plan(undefined, books())
  deepEqual(assignments.get('books'), {
    weights: { v1: 10_000 },
    epoch: 1,
    source: 'Definition',
  })
  deepEqual(runtimeChanges, [])
})

test('a run-time split wins over the definition, raises the epoch and is stored', () => {
  const spec = books()
  const operation = splitOver(spec, 500)
  const { assignments, previous, runtimeChanges } = plan(spec, spec, { operation })
  deepEqual(previous.get('books')?.weights, { v1: 10_000 })
  deepEqual(assignments.get('books'), {
    weights: { v1: 9_500, v2: 500 },
    epoch: 2,
    source: 'RunTime',
  })
  deepEqual(
    runtimeChanges.map(({ state }) => state),
    [{ epoch: 2, split: operation }],
  )
})

test('a run-time split stands while the definition changes elsewhere', () => {
  const before = books()
  const state = { epoch: 4, split: splitOver(before, 500) }
  const after = books({
    versions: { v1: { url: 'http://h:9' }, v2: { url: 'http://h:2' }, v3: { url: 'http://h:3' } },
  })
  const { assignments, dropped, runtimeChanges } = plan(before, after, { state })
  deepEqual(assignments.get('books')?.weights, { v1: 9_500, v2: 500 })
  equal(assignments.get('books')?.epoch, 4)
  deepEqual([dropped, runtimeChanges], [[], []])
})

test('a run-time split is dropped when live, weights or stickiness are defined anew', () => {
  const before = books()
  const state = { epoch: 4, split: splitOver(before, 500) }
  const split = { weights: { v1: '90%', v2: '10%' } }
  for (const after of [
    books({ live: 'v2' }),
    books({ split }),
    books({ split: { ...split, sticky: { by: 'Consumer' } } }),
  ]) {
    const { assignments, dropped, runtimeChanges } = plan(before, after, { state })
    equal(assignments.get('books')?.source, 'Definition')
    equal(assignments.get('books')?.epoch, 5)
    deepEqual(dropped, [
      {
        upstream: 'books',
        weights: { v1: 9_500, v2: 500 },
        why: 'the definition of the split changed',
      },
    ])
    deepEqual(
      runtimeChanges.map((change) => change.state),
      [{ epoch: 5 }],
    )
  }
})

test('a run-time split is dropped when one of its versions is gone', () => {
  const before = books()
  const after = books({ versions: { v1: { url: 'http://h:1' } } })
  const state = { epoch: 2, split: splitOver(before, 500) }
  const { dropped, assignments } = plan(before, after, { state })
  deepEqual(
    dropped.map(({ why }) => why),
    ['version `v2` no longer exists'],
  )
  deepEqual(assignments.get('books')?.weights, { v1: 10_000 })
})

test('clearing goes back to the definition in a further epoch', () => {
  const spec = books()
  const state = { epoch: 2, split: splitOver(spec, 500) }
  const cleared = plan(spec, spec, { state, operation: 'clear' })
  equal(cleared.assignments.get('books')?.epoch, 3)
  deepEqual(
    cleared.runtimeChanges.map((change) => change.state),
    [{ epoch: 3 }],
  )
  deepEqual(cleared.dropped, [])
})

test('the epoch stays when nobody gets another version', () => {
  const spec = books()
  const same = { ...splitOver(spec, 0), weights: { v2: 0, v1: 10_000 } }
  equal(plan(spec, spec, { operation: same }).assignments.get('books')?.epoch, 1)
  const reordered = books({ split: { weights: { v2: '10%', v1: '90%' } } })
  const ordered = books({ split: { weights: { v1: '90%', v2: '10%' } } })
  equal(plan(ordered, reordered).assignments.get('books')?.epoch, 1)
  equal(declaredHash(ordered), declaredHash(reordered))
})

test('the epoch grows with live, weights and stickiness', () => {
  const split = { weights: { v1: '90%', v2: '10%' } }
  const before = books({ split })
  for (const after of [
    books({ split, live: 'v2' }),
    books({ split: { weights: { v1: '80%', v2: '20%' } } }),
    books({ split: { ...split, sticky: { by: 'Consumer' } } }),
    books({ split: { ...split, sticky: { by: 'Consumer', salt: 'x' } } }),
  ]) {
    equal(plan(before, after).assignments.get('books')?.epoch, 2)
    notEqual(declaredHash(before), declaredHash(after))
  }
})

test('an upstream that is deleted and made again never sees an epoch twice', () => {
  const spec = books()
  const gone = plan(spec, undefined, { state: { epoch: 7, split: splitOver(spec, 500) } })
  equal(gone.epochFloor, 7)
  deepEqual(
    gone.runtimeChanges.map((change) => change.state),
    [undefined],
  )
  const again = plan(undefined, spec, { floor: gone.epochFloor })
  equal(again.assignments.get('books')?.epoch, 8)
  deepEqual(
    again.runtimeChanges.map((change) => change.state),
    [{ epoch: 8 }],
  )
  const untouched = plan(spec, undefined)
  equal(untouched.epochFloor, 1)
  deepEqual(untouched.runtimeChanges, [])
})

test('weights in percent and in basis points are the same declaration', () => {
  ok(books({ split: { weights: expandWeights({ v1: '90%', v2: '10%' }) } }))
  equal(
    declaredHash(books({ split: { weights: { v1: 9_000, v2: 1_000 } } })),
    declaredHash(books({ split: { weights: { v1: '90%', v2: '10%' } } })),
  )
})
