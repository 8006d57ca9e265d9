import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RingReader, RingWriter, ringMemory } from '../../base/rings.ts'
import type { CallRecord } from '../call-record.ts'
import { CallWriter } from './call-writer.ts'
import { decodeCall } from './decode.ts'
import { callBytesMax, callTexts } from './layout.ts'

const plainRecord: CallRecord = {
  atMs: 1_700_000_000_123.5,
  requestId: '0192f0c1-7c1e-7000-8000-000000000001',
  clientAddress: '2001:db8::1',
  method: 'GET',
  host: 'books.example',
  path: '/books/42',
  status: 200,
  reason: '',
  routeSlot: 3,
  versionSlot: 70_000,
  endpointSlot: -1,
  appSlot: -1,
  attempts: 1,
  durationUs: 5_000_000_000,
  upstreamUs: -1,
  requestBytes: 2 ** 40,
  responseBytes: 713,
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
}

function throughRing(records: readonly CallRecord[]): CallRecord[] {
  const memory = ringMemory(callBytesMax * 4)
  const writer = new CallWriter(new RingWriter(memory))
  const reader = new RingReader(memory)
  const seen: CallRecord[] = []
  for (const record of records) {
    equal(writer.write(record), true)
    reader.read((offset) => seen.push(decodeCall(reader, offset)), 1)
  }
  return seen
}

test('a record comes out of the ring as it went in', () => {
  deepEqual(throughRing([plainRecord]), [plainRecord])
})

test('texts of any characters come out whole, or cut at a character when they exceed their cap', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 700 })
  fc.assert(
    fc.property(fc.tuple(text, text, text, text, text, text, text), (texts) => {
      const changes = Object.fromEntries(
        callTexts.map(({ name }, index) => [name, texts[index] ?? '']),
      )
      const record = { ...plainRecord, ...changes }
      const [seen] = throughRing([record])
      const expected = callTexts.map(({ name, bytesMax }) => cut(record[name], bytesMax))
      deepEqual(
        callTexts.map(({ name }) => seen?.[name]),
        expected,
      )
    }),
  )
})

/** The longest start of `text` that has at most `bytesMax` bytes, in whole code points. */
function cut(text: string, bytesMax: number): string {
  let kept = ''
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytesMax) break
    kept += character
  }
  return kept
}

test('the largest record fits its reservation, and its neighbours stay whole', () => {
  const long = Object.fromEntries(callTexts.map(({ name }) => [name, 'x'.repeat(10_000)]))
  const records = [plainRecord, { ...plainRecord, ...long }, plainRecord, plainRecord]
  const memory = ringMemory(callBytesMax * 8)
  const ring = new RingWriter(memory)
  const writer = new CallWriter(ring)
  for (const record of records) equal(writer.write(record), true)
  const reader = new RingReader(memory)
  const seen: CallRecord[] = []
  reader.read((offset) => seen.push(decodeCall(reader, offset)), 10)
  deepEqual([seen[0], seen[2], seen[3]], [plainRecord, plainRecord, plainRecord])
  deepEqual(
    callTexts.map(({ name }) => seen[1]?.[name].length),
    callTexts.map(({ bytesMax }) => bytesMax),
  )
})

test('a record for a full ring is refused and counted', () => {
  const memory = ringMemory(callBytesMax * 2)
  const writer = new CallWriter(new RingWriter(memory))
  while (writer.write(plainRecord)) {
    // Until nothing fits any more.
  }
  equal(new RingReader(memory).dropped, 1)
})
