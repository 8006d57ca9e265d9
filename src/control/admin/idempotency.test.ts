import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { simulatedClock } from '../../base/clock.ts'
import { createIdempotencyCache, type KeptAnswer } from './idempotency.ts'

const limits = { idempotentAnswersMax: 3, idempotentAnswersMs: 1_000, idempotentBytesMax: 100 }

function openCache() {
  const clock = simulatedClock()
  const cache = createIdempotencyCache(clock, limits)
  let runs = 0
  const run = async (
    key: string,
    options: { fingerprint?: string; status?: number; body?: string } = {},
  ) => {
    const { fingerprint = 'f', status = 200, body = '' } = options
    const before = runs
    await cache.run(key, fingerprint, async (): Promise<KeptAnswer> => {
      runs += 1
      return { status, headers: [], body }
    })
    return runs > before
  }
  return { clock, cache, run }
}

test('the same request under the same key runs once', async () => {
  const { run } = openCache()
  equal(await run('a'), true)
  equal(await run('a'), false)
  equal(await run('b'), true)
})

test('two at the same time run once and get the same answer', async () => {
  const { cache } = openCache()
  const gate = Promise.withResolvers<KeptAnswer>()
  const first = cache.run('a', 'f', () => gate.promise)
  const second = cache.run('a', 'f', () => Promise.reject(new Error('must not run')))
  const answer = { status: 200, headers: [], body: 'x' }
  gate.resolve(answer)
  deepEqual(await first, { answer, isReplay: false })
  deepEqual(await second, { answer, isReplay: true })
})

test('another request under the same key is refused', async () => {
  const { run } = openCache()
  await run('a', { fingerprint: 'one' })
  await rejects(run('a', { fingerprint: 'two' }), { code: 'admin.idempotency_mismatch' })
})

test('a refused or failed request may be sent again', async () => {
  const { cache, run } = openCache()
  await run('a', { status: 412 })
  equal(await run('a', { status: 503 }), true)
  equal(await run('a'), true)
  await rejects(
    cache.run('b', 'f', () => Promise.reject(new Error('broken'))),
    /broken/,
  )
  equal(await run('b'), true)
})

test('an answer is forgotten after its time', async () => {
  const { clock, run } = openCache()
  await run('a')
  clock.advance(999)
  equal(await run('a'), false)
  clock.advance(1)
  equal(await run('a'), true)
})

test('answers are bounded in number and in bytes, and the oldest goes first', async () => {
  const many = openCache()
  for (const key of ['a', 'b', 'c', 'd']) await many.run(key)
  equal(await many.run('b'), false)
  equal(await many.run('a'), true)
  const large = openCache()
  await large.run('a', { body: 'x'.repeat(60) })
  await large.run('b', { body: 'x'.repeat(60) })
  equal(await large.run('b'), false)
  equal(await large.run('a'), true)
})
