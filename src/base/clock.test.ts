import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { simulatedClock, systemClock, wait } from './clock.ts'

const toleranceMs = 0.2

test('shared time of two threads that started at different moments is on one scale', async () => {
  const memory = new SharedArrayBuffer(16)
  const turn = new Int32Array(memory, 0, 1)
  const stamp = new Float64Array(memory, 8, 1)
  const clock = systemClock()
  // The worker answers each turn with its own time; both sides block, so that the order is certain.
  const worker = new Worker(
    `const { workerData } = require('node:worker_threads')
     import(workerData.module).then(({ systemClock }) => {
       const clock = systemClock()
       const turn = new Int32Array(workerData.memory, 0, 1)
       const stamp = new Float64Array(workerData.memory, 8, 1)
       for (let round = 0; round < 50; round += 1) {
         Atomics.wait(turn, 0, round * 2)
         stamp[0] = clock.sharedNowMs()
         Atomics.store(turn, 0, round * 2 + 2)
         Atomics.notify(turn, 0)
       }
     })`,
    { eval: true, workerData: { memory, module: new URL('./clock.ts', import.meta.url).href } },
  )
  const exited = new Promise((resolve) => worker.once('exit', resolve))
  for (let round = 0; round < 50; round += 1) {
    const beforeMs = clock.sharedNowMs()
    Atomics.store(turn, 0, round * 2 + 1)
    Atomics.notify(turn, 0)
    Atomics.wait(turn, 0, round * 2 + 1, 5_000)
    const afterMs = clock.sharedNowMs()
    const workerMs = stamp[0] ?? 0
    ok(workerMs >= beforeMs - toleranceMs, `round ${round}: ${workerMs} before ${beforeMs}`)
    ok(workerMs <= afterMs + toleranceMs, `round ${round}: ${workerMs} after ${afterMs}`)
  }
  await exited
})

test('shared time advances as monotonic time does', () => {
  const clock = systemClock()
  const before = { now: clock.now(), shared: clock.sharedNowMs() }
  let after = clock.now()
  while (after - before.now < 2) after = clock.now()
  const sharedAfter = clock.sharedNowMs()
  ok(Math.abs(sharedAfter - before.shared - (clock.now() - before.now)) < toleranceMs)
})

test('timers of a simulated clock run in the order of their time, and only when it comes', () => {
  const clock = simulatedClock()
  const ran: string[] = []
  clock.after(20, () => ran.push(`b at ${clock.now()}`))
  clock.after(10, () => {
    ran.push(`a at ${clock.now()}`)
    clock.after(5, () => ran.push(`nested at ${clock.now()}`))
  })
  clock.after(30, () => ran.push('too late'))
  clock.advance(9)
  deepEqual(ran, [])
  clock.advance(20)
  deepEqual(ran, ['a at 10', 'nested at 15', 'b at 20'])
  equal(clock.now(), 29)
})

test('a cancelled timer does not run, also when cancelled by another at the same time', () => {
  const clock = simulatedClock()
  const ran: string[] = []
  clock.after(10, () => second.cancel())
  const second = clock.after(10, () => ran.push('second'))
  const ticks = clock.every(10, () => {
    ran.push('tick')
    if (ran.length === 3) ticks.cancel()
  })
  clock.advance(100)
  deepEqual(ran, ['tick', 'tick', 'tick'])
})

test('simulated time never goes back, and a period of nothing is bounded', () => {
  const clock = simulatedClock(1_000)
  clock.advance(50)
  const seen: number[] = []
  clock.after(-20, () => seen.push(clock.now()))
  clock.advance(0)
  deepEqual(seen, [50])
  let ticks = 0
  clock.every(0, () => (ticks += 1))
  clock.advance(10)
  equal(ticks, 10)
  equal(clock.wallMs(), 1_060)
})

test('a wait ends when its time has come, and at once when aborted', async () => {
  const clock = simulatedClock()
  const done = wait(clock, 100)
  clock.advance(100)
  equal(await done, undefined)

  const abort = new AbortController()
  const aborted = wait(clock, 100, abort.signal)
  abort.abort(new Error('enough'))
  await rejects(aborted, /enough/)
  await rejects(wait(clock, 100, AbortSignal.abort(new Error('before'))), /before/)
})

test('a wait longer than the platform can time is not cut short', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let nowMs = 0
  t.mock.method(performance, 'now', () => nowMs)
  const pass = (ms: number) => {
    nowMs += ms
    t.mock.timers.tick(ms)
  }
  const dayMs = 86_400_000
  const clock = systemClock()
  const ran: string[] = []
  clock.after(60 * dayMs, () => ran.push('once'))
  const cancelled = clock.after(60 * dayMs, () => ran.push('cancelled'))
  const ticks = clock.every(30 * dayMs, () => ran.push('tick'))
  for (let day = 0; day < 59; day++) pass(dayMs)
  deepEqual(ran, ['tick'])
  cancelled.cancel()
  pass(dayMs)
  deepEqual(ran.sort(), ['once', 'tick', 'tick'])
  ticks.cancel()
  for (let day = 0; day < 60; day++) pass(dayMs)
  equal(ran.length, 3)
})
