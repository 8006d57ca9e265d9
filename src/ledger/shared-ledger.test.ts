import { deepEqual, equal, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { simulatedClock, systemClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import { KeyHash } from './key-hash.ts'
import type { LimiterSettings } from './ledger.ts'
import { ledgerMemory, rowsPerGroup } from './memory.ts'
import { openSharedLedger } from './shared-ledger.ts'
import { LedgerTable } from './table.ts'

const bucket = (count: number, periodMs: number, burst = count): LimiterSettings => ({
  algorithm: 'TokenBucket',
  count,
  periodMs,
  burst,
})
const slidingWindow = (count: number, periodMs: number): LimiterSettings => ({
  algorithm: 'SlidingWindow',
  count,
  periodMs,
  burst: count,
})

function simulated(rows = 64) {
  const clock = simulatedClock()
  const memory = ledgerMemory(rows, seededRandom(1))
  return { clock, memory, ledger: openSharedLedger(memory, { clock }) }
}

test('a bucket allows its burst at once and says what is left', () => {
  const { ledger } = simulated()
  const limiter = ledger.limiter('route/a#0', bucket(10, 1_000, 3))
  deepEqual(
    { ...limiter.take('key') },
    {
      isAllowed: true,
      remaining: 2,
      resetMs: 100,
      retryAfterMs: 0,
    },
  )
  equal(limiter.take('key').remaining, 1)
  equal(limiter.take('key').isAllowed, true)
  deepEqual(
    { ...limiter.take('key') },
    {
      isAllowed: false,
      remaining: 0,
      resetMs: 300,
      retryAfterMs: 100,
    },
  )
})

test('a bucket gives one permit back exactly after the announced time', () => {
  const { ledger, clock } = simulated()
  const limiter = ledger.limiter('scope', bucket(7, 60_000))
  for (let take = 0; take < 7; take += 1) ok(limiter.take('key').isAllowed)
  for (let round = 0; round < 100; round += 1) {
    const { isAllowed, retryAfterMs } = limiter.take('key')
    equal(isAllowed, false)
    clock.advance(retryAfterMs - 0.01)
    equal(limiter.take('key').isAllowed, false)
    clock.advance(0.011)
    equal(limiter.take('key').isAllowed, true)
  }
})

test('a bucket never exceeds its definition, over any sequence of takes and pauses', () => {
  const pauses = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 })
  fc.assert(
    fc.property(pauses, fc.integer({ min: 1, max: 20 }), (waits, count) => {
      const { ledger, clock } = simulated()
      const limiter = ledger.limiter('scope', bucket(count, 1_000, 5))
      let allowed = 0
      for (const waitMs of waits) {
        clock.advance(waitMs)
        if (limiter.take('key').isAllowed) allowed += 1
        ok(allowed <= 5 + (clock.now() * count) / 1_000 + 1e-6)
      }
    }),
  )
})

test('a window never lets more than its count pass in a period, wherever the period begins', () => {
  const pauses = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 })
  fc.assert(
    fc.property(pauses, fc.integer({ min: 1, max: 8 }), (waits, count) => {
      const { ledger, clock } = simulated()
      const limiter = ledger.limiter('scope', slidingWindow(count, 1_000))
      const passed: number[] = []
      for (const waitMs of waits) {
        clock.advance(waitMs)
        const nowMs = clock.now()
        const inPeriod = passed.filter((atMs) => atMs > nowMs - 1_000).length
        const inLongest = passed.filter((atMs) => atMs > nowMs - 1_100).length
        const { isAllowed } = limiter.take('key')
        if (isAllowed) ok(inPeriod < count, 'too many in one period')
        else ok(inLongest >= count, 'refused although the permits were due back')
        if (isAllowed) passed.push(nowMs)
      }
    }),
    { numRuns: 300 },
  )
})

test('a window announces exactly when the next permit is there, and when all are', () => {
  const { ledger, clock } = simulated()
  const limiter = ledger.limiter('scope', slidingWindow(3, 1_000))
  clock.advance(5_050)
  limiter.take('key')
  clock.advance(400)
  limiter.take('key')
  equal(limiter.take('key').resetMs, 6_500 - 5_450)
  const refused = { ...limiter.take('key') }
  deepEqual(refused, { isAllowed: false, remaining: 0, resetMs: 1_050, retryAfterMs: 650 })
  clock.advance(649)
  equal(limiter.take('key').isAllowed, false)
  clock.advance(1)
  equal(limiter.take('key').isAllowed, true)
})

test('a window is empty again after a long pause', () => {
  const { ledger, clock } = simulated()
  const limiter = ledger.limiter('scope', slidingWindow(2, 1_000))
  limiter.take('key')
  limiter.take('key')
  clock.advance(1_000_000)
  equal(limiter.take('key').remaining, 1)
})

for (const settings of [bucket(2, 1_000), slidingWindow(2, 1_000)]) {
  test(`${settings.algorithm}: keys, scopes and settings each have a state of their own`, () => {
    const { ledger } = simulated()
    const limiter = ledger.limiter('a', settings)
    limiter.take('key')
    limiter.take('key')
    equal(limiter.take('key').isAllowed, false)
    equal(limiter.take('other').isAllowed, true)
    equal(ledger.limiter('b', settings).take('key').isAllowed, true)
    equal(ledger.limiter('a', { ...settings, count: 3, burst: 3 }).take('key').isAllowed, true)
  })

  test(`${settings.algorithm}: a limiter opened again, by anyone, continues the same state`, () => {
    const { ledger, memory, clock } = simulated()
    ledger.limiter('a', settings).take('key')
    const other = openSharedLedger(memory, { clock }).limiter('a', { ...settings })
    equal(other.take('key').remaining, 0)
    equal(ledger.limiter('a', settings).take('key').isAllowed, false)
  })

  test(`${settings.algorithm}: a full table allows and counts, and rows at rest are used again`, () => {
    const { ledger, clock } = simulated(rowsPerGroup)
    const limiter = ledger.limiter('a', settings)
    for (let key = 0; key < rowsPerGroup; key += 1) limiter.take(`key-${key}`)
    equal(ledger.counters().rowsInUse, rowsPerGroup)
    for (let take = 0; take < 5; take += 1) equal(limiter.take('one-more').isAllowed, true)
    equal(ledger.counters().tableFull, 5)
    equal(limiter.take('key-3').remaining, 0)
    clock.advance(1_100)
    equal(ledger.counters().rowsInUse <= 1, true)
    for (let key = 0; key < rowsPerGroup - 1; key += 1) limiter.take(`new-${key}`)
    equal(limiter.take('new-0').remaining, 0)
    equal(ledger.counters().tableFull, 5)
  })
}

test('memory has at least the rows asked for', () => {
  for (const rows of [1, 16, 17, 1_000]) {
    const { ledger } = simulated(rows)
    ok(ledger.counters().rowCount >= rows)
  }
})

/** Starts threads that all take from the same keys at once; returns how many permits each got. */
async function takeInThreads(
  memory: SharedArrayBuffer,
  options: { settings: LimiterSettings; keys: string[]; threads: number; takes: number },
): Promise<number[]> {
  const start = new SharedArrayBuffer(4)
  const workers = Array.from(
    { length: options.threads },
    () =>
      new Worker(new URL('./__fixtures__/taking-thread.ts', import.meta.url), {
        workerData: { memory, start, scope: 'route/a#0', ...options },
      }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const results = workers.map((worker) => once(worker, 'message'))
  Atomics.store(new Int32Array(start), 0, 1)
  Atomics.notify(new Int32Array(start), 0)
  return (await Promise.all(results)).map(([allowed]) => allowed)
}

for (const settings of [bucket(20_000, 86_400_000), slidingWindow(20_000, 86_400_000)]) {
  test(`${settings.algorithm}: four threads on one key get exactly its permits, none twice`, async () => {
    const memory = ledgerMemory(64, seededRandom(2))
    const got = await takeInThreads(memory, {
      settings,
      keys: ['key'],
      threads: 4,
      takes: 50_000,
    })
    const sum = got.reduce((total, allowed) => total + allowed, 0)
    // A bucket of 20,000 a day gives one permit back every 4.3 s: at most a few within the test.
    const refilledMax = settings.algorithm === 'TokenBucket' ? 5 : 0
    ok(sum >= 20_000 && sum <= 20_000 + refilledMax, `${sum} from ${got}`)
    const { tableFull, lockGivenUp, lockTakenOver } = openSharedLedger(memory, {
      clock: systemClock(),
    }).counters()
    deepEqual([tableFull, lockGivenUp, lockTakenOver], [0, 0, 0])
  })
}

test('threads that insert the same new keys at once never make two rows of one key', async () => {
  const memory = ledgerMemory(4_096, seededRandom(3))
  const keys = Array.from({ length: 1_000 }, (_, index) => `key-${index}`)
  const got = await takeInThreads(memory, {
    settings: slidingWindow(3, 86_400_000),
    keys,
    threads: 4,
    takes: keys.length * 2,
  })
  equal(
    got.reduce((total, allowed) => total + allowed, 0),
    keys.length * 3,
  )
})

test('the lock of a thread that was terminated is taken over and its half-made row is reused', async () => {
  const clock = systemClock()
  const memory = ledgerMemory(rowsPerGroup, seededRandom(4))
  const hash = new KeyHash(...new LedgerTable(memory).hashKey)
  hash.update('anything')
  const worker = new Worker(new URL('./__fixtures__/dying-thread.ts', import.meta.url), {
    workerData: { memory, low: hash.low, high: hash.high },
  })
  await once(worker, 'message')
  await worker.terminate()
  const ledger = openSharedLedger(memory, { clock })
  const limiter = ledger.limiter('scope', slidingWindow(2, 86_400_000))
  deepEqual(
    [1, 2, 3].map(() => limiter.take('key').isAllowed),
    [true, true, false],
  )
  equal(ledger.counters().lockTakenOver, 1)
  equal(ledger.counters().rowsInUse, 1)
})
