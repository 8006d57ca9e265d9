import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { checksum, payloadBytes } from './__fixtures__/ring-records.ts'
import { RingReader, RingWriter, ringMemory } from './rings.ts'

function writerThread(memory: SharedArrayBuffer, progress: SharedArrayBuffer, count: number) {
  return new Worker(new URL('./__fixtures__/ring-writer-thread.ts', import.meta.url), {
    workerData: { memory, progress, count },
  })
}

/** Reads and checks whatever is there; `state.next` is the number the next record must have. */
function drain(reader: RingReader, state: { next: number }): number {
  return reader.read((offset, length) => {
    equal(reader.ints[offset / 4], state.next)
    equal(length, payloadBytes(state.next))
    equal(reader.ints[offset / 4 + 1], checksum(reader.bytes, offset, length))
    state.next += 1
  }, 10_000)
}

test('a reader sees exactly what was written, in order, whatever the sizes', () => {
  const operation = fc.oneof(
    { weight: 3, arbitrary: fc.record({ write: fc.integer({ min: 0, max: 600 }) }) },
    { weight: 1, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 20 }) }) },
  )
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const memory = ringMemory(1_024)
      const writer = new RingWriter(memory)
      const reader = new RingReader(memory)
      const expected: number[][] = []
      let dropped = 0
      let written = 0
      for (const step of operations) {
        if ('write' in step) {
          const offset = writer.tryReserve(step.write)
          if (offset < 0) {
            dropped += 1
            continue
          }
          equal(offset % 8, 0)
          written += 1
          const content = Array.from({ length: step.write }, (_, index) => (written + index) & 255)
          writer.bytes.set(content, offset)
          writer.commit(step.write)
          expected.push(content)
        } else {
          reader.read((offset, length) => {
            deepEqual([...reader.bytes.subarray(offset, offset + length)], expected.shift())
          }, step.read)
        }
      }
      equal(reader.dropped, dropped)
      reader.read((offset, length) => {
        deepEqual([...reader.bytes.subarray(offset, offset + length)], expected.shift())
      }, 10_000)
      equal(expected.length, 0)
    }),
    { numRuns: 300 },
  )
})

test('a full ring drops and counts, and takes records again after reading', () => {
  const memory = ringMemory(1_024)
  const writer = new RingWriter(memory)
  const reader = new RingReader(memory)
  let accepted = 0
  while (writer.tryReserve(56) >= 0) {
    writer.commit(56)
    accepted += 1
  }
  equal(accepted, 1_024 / 64)
  equal(reader.dropped, 1)
  equal(
    reader.read(() => {}, 1),
    1,
  )
  ok(writer.tryReserve(56) >= 0)
  writer.commit(56)
  equal(writer.tryReserve(1), -1)
  equal(reader.dropped, 2)
})

test('every record up to the limit fits an empty ring at any position; a larger one never does', () => {
  const memory = ringMemory(1_024)
  const writer = new RingWriter(memory)
  const reader = new RingReader(memory)
  for (let position = 0; position < 1_024; position += 8) {
    ok(writer.tryReserve(writer.recordBytesMax) >= 0, `at ${position}`)
    writer.commit(0)
    reader.read(() => {}, 10)
  }
  equal(writer.tryReserve(writer.recordBytesMax + 1), -1)
})

test('a reservation may shrink on commit and is forgotten without one', () => {
  const memory = ringMemory(1_024)
  const writer = new RingWriter(memory)
  const reader = new RingReader(memory)
  writer.tryReserve(500)
  const offset = writer.tryReserve(400)
  writer.bytes.set([1, 2, 3], offset)
  writer.commit(3)
  const seen: number[][] = []
  reader.read((at, length) => seen.push([...reader.bytes.subarray(at, at + length)]), 10)
  deepEqual(seen, [[1, 2, 3]])
  equal(reader.pendingBytes, 0)
})

test('positions wrap around 2^32 without losing a record', () => {
  const memory = ringMemory(1_024)
  const positions = new Int32Array(memory)
  positions[0] = -64
  positions[16] = -64
  const writer = new RingWriter(memory)
  const reader = new RingReader(memory)
  for (let value = 0; value < 100; value += 1) {
    const offset = writer.tryReserve(24)
    writer.ints[offset / 4] = value
    writer.commit(24)
    reader.read((at) => equal(reader.ints[at / 4], value), 10)
  }
  equal(reader.pendingBytes, 0)
})

test('a record whose callback throws is not handed out again', () => {
  const memory = ringMemory(1_024)
  const writer = new RingWriter(memory)
  const reader = new RingReader(memory)
  for (const value of [1, 2]) {
    writer.ints[writer.tryReserve(8) / 4] = value
    writer.commit(8)
  }
  throws(() =>
    reader.read(() => {
      throw new Error('from the callback')
    }, 10),
  )
  reader.read((offset) => equal(reader.ints[offset / 4], 2), 10)
})

test('the reader can say that it wants no records', () => {
  const memory = ringMemory(1_024)
  const writer = new RingWriter(memory)
  const reader = new RingReader(memory)
  equal(writer.isWanted, true)
  reader.setWanted(false)
  equal(writer.isWanted, false)
  reader.setWanted(true)
  equal(writer.isWanted, true)
})

test('millions of records cross threads whole and in order', async () => {
  const count = 2_000_000
  const memory = ringMemory(64 * 1_024)
  const progress = new SharedArrayBuffer(12)
  const worker = writerThread(memory, progress, count)
  const reader = new RingReader(memory)
  const state = { next: 0 }
  while (state.next < count) {
    if (drain(reader, state) === 0) await nextTurn()
  }
  await once(worker, 'exit')
  equal(state.next, count)
  equal(reader.pendingBytes, 0)
  equal(reader.dropped, Atomics.load(new Int32Array(progress), 1))
})

test('a writer terminated in the middle leaves whole records, and its successor goes on', async () => {
  const memory = ringMemory(64 * 1_024)
  const progress = new SharedArrayBuffer(12)
  const sent = new Int32Array(progress)
  const reader = new RingReader(memory)
  const state = { next: 0 }
  for (let round = 1; round <= 8; round += 1) {
    const worker = writerThread(memory, progress, Number.MAX_SAFE_INTEGER)
    const until = state.next + round * 3_000
    while (state.next < until) if (drain(reader, state) === 0) await nextTurn()
    await worker.terminate()
    while (drain(reader, state) > 0) {
      // Everything the dead writer has published is read before the next one starts.
    }
    equal(reader.pendingBytes, 0)
    // It may have died between publishing a record and noting so.
    ok(state.next === sent[0] || state.next === (sent[0] ?? 0) + 1)
    sent[0] = state.next
  }
})
