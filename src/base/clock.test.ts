import { ok } from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { systemClock } from './clock.ts'

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
