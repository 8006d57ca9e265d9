import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RingReader, RingWriter, ringMemory } from '../../base/rings.ts'
import type { CallRecord } from '../call-record.ts'
import { CallWriter } from './call-writer.ts'
import { callBytesMax, callTexts } from './layout.ts'
import { LineFormatter, lineBytesMax } from './log-line.ts'

const record: CallRecord = {
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 67) + 0.75,
  requestId: 'r-1',
  clientAddress: '::1',
  method: 'GET',
  host: 'books.example',
  path: '/books',
  status: 200,
  reason: '',
  routeSlot: -1,
  versionSlot: -1,
  endpointSlot: -1,
  appSlot: -1,
  attempts: 1,
  durationUs: 12_345,
  upstreamUs: -1,
  requestBytes: 0,
  responseBytes: 713,
  traceId: '',
}

function lineOf(changes: Partial<CallRecord>, formatter = new LineFormatter()): string {
  const memory = ringMemory(callBytesMax * 2)
  new CallWriter(new RingWriter(memory)).write({ ...record, ...changes })
  const reader = new RingReader(memory)
  const target = new Uint8Array(lineBytesMax + 3)
  let end = 0
  reader.read((offset) => {
    end = formatter.format(reader, offset, target, 3)
  }, 1)
  ok(end > 3 && end <= target.length)
  return Buffer.from(target.subarray(3, end)).toString('utf8')
}

function parsed(changes: Partial<CallRecord>, formatter?: LineFormatter): unknown {
  const line = lineOf(changes, formatter)
  ok(line.endsWith('}\n'))
  ok(!line.slice(0, -1).includes('\n'))
  return JSON.parse(line)
}

test('a line is one JSON object with the members that apply', () => {
  deepEqual(parsed({}), {
    time: '2026-01-02T03:04:05.067Z',
    requestId: 'r-1',
    client: '::1',
    method: 'GET',
    host: 'books.example',
    path: '/books',
    status: 200,
    attempts: 1,
    durationMs: 12.345,
    requestBytes: 0,
    responseBytes: 713,
  })
})

test('slots become names; one without a name is shown by its number', () => {
  const formatter = new LineFormatter()
  formatter.setNames([
    { family: 'route', slot: 1, name: 'books' },
    { family: 'version', slot: 2, name: 'books/v1' },
    { family: 'endpoint', slot: 3, name: 'books/v1/http://127.0.0.1:7001/a/b' },
  ])
  const slots = { routeSlot: 1, versionSlot: 2, endpointSlot: 3, appSlot: 4 }
  const line = parsed({ ...slots, reason: 'upstream.connect_failed', upstreamUs: 999 }, formatter)
  deepEqual(line, {
    ...Object(parsed({})),
    reason: 'upstream.connect_failed',
    route: 'books',
    upstream: 'books',
    version: 'v1',
    endpoint: 'http://127.0.0.1:7001/a/b',
    app: '#4',
    upstreamMs: 0.999,
  })
})

test('whatever a client sends, a line stays one line of valid JSON with that text in it', () => {
  const text = fc.string({ unit: 'binary', maxLength: 8 })
  const names = callTexts.map(({ name }) => name)
  const members = ['requestId', 'client', 'method', 'host', 'path', 'reason', 'traceId']
  fc.assert(
    fc.property(fc.array(text, { minLength: 7, maxLength: 7 }), (texts) => {
      const line = Object(
        parsed(Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']))),
      )
      for (const [index, member] of members.entries()) {
        // A lone surrogate is no text; in UTF-8 it becomes the replacement character.
        const expected = (texts[index] ?? '').toWellFormed()
        equal(line[member] ?? '', expected)
      }
    }),
    { numRuns: 500 },
  )
})

test('control characters and DEL are escaped, so that no terminal acts on them', () => {
  const line = lineOf({ path: '/\x1b[2J\x7f"\\' })
  ok(line.includes('"path":"/\\u001b[2J\\u007f\\"\\\\"'))
})

test('the longest record still fits', () => {
  const long = Object.fromEntries(callTexts.map(({ name }) => [name, '\x01'.repeat(1_000)]))
  const formatter = new LineFormatter()
  const name = `${'x'.repeat(4_000)}/v`
  formatter.setNames(
    (['route', 'version', 'endpoint', 'app'] as const).map((family) => ({ family, slot: 1, name })),
  )
  const slots = { routeSlot: 1, versionSlot: 1, endpointSlot: 1, appSlot: 1 }
  ok(parsed({ ...long, ...slots, responseBytes: 2 ** 53 }, formatter))
})

test('numbers of any size are written as JSON numbers', () => {
  const number = fc.oneof(
    fc.integer({ min: 0, max: 2_000 }),
    fc.integer({ min: 0, max: 2 ** 32 }),
    fc.maxSafeNat(),
  )
  fc.assert(
    fc.property(number, number, (bytes, us) => {
      const line = Object(parsed({ responseBytes: bytes, durationUs: us, upstreamUs: us }))
      equal(line.responseBytes, bytes)
      ok(Math.abs(line.durationMs - us / 1_000) <= us * 1e-12)
      ok(Math.abs(line.upstreamMs - us / 1_000) <= us * 1e-12)
    }),
    { numRuns: 500 },
  )
})

test('time follows the clock over seconds, days and nonsense', () => {
  const formatter = new LineFormatter()
  for (const atMs of [0, 999, 1_000, 1_700_000_000_001, 1_700_000_000_999, 1_700_000_001_000]) {
    equal(Object(parsed({ atMs }, formatter)).time, new Date(atMs).toISOString())
  }
  for (const atMs of [Number.NaN, 1e300, Number.POSITIVE_INFINITY]) {
    ok(Object(parsed({ atMs }, formatter)).time.startsWith('1970-'))
  }
})
