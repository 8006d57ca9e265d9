import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fieldId, fieldKey } from './fields.ts'
import { Head } from './head.ts'
import {
  type HeadLimits,
  incomplete,
  refusalOf,
  scanRequestHead,
  scanResponseHead,
} from './scan.ts'

const limits: HeadLimits = { headBytesMax: 1_024, targetBytesMax: 256 }

function scan(text: string): { result: number; head: Head; refusal: string | undefined } {
  const head = new Head(16)
  const bytes = Buffer.from(text, 'latin1')
  const result = scanRequestHead(head, bytes, 0, bytes.length, limits)
  return { result, head, refusal: result < incomplete ? refusalOf(result) : undefined }
}

function scanResponse(text: string): { result: number; head: Head; refusal: string | undefined } {
  const head = new Head(16)
  const bytes = Buffer.from(text, 'latin1')
  const result = scanResponseHead(head, bytes, 0, bytes.length, limits)
  return { result, head, refusal: result < incomplete ? refusalOf(result) : undefined }
}

test('a request head is taken apart without changing a byte of it', () => {
  const text =
    'GET /books?id=1 HTTP/1.1\r\nHost: a.example\r\nX-Mixed:  two words \t\r\nAccept: */*\r\n\r\nbody'
  const { result, head } = scan(text)
  equal(result, text.indexOf('body'))
  equal(head.method, 'GET')
  equal(head.target(), '/books?id=1')
  equal(head.minorVersion, 1)
  equal(head.fieldCount, 3)
  equal(head.value('host'), 'a.example')
  equal(head.value('x-mixed'), 'two words')
  equal(head.nameAt(1), 'X-Mixed')
  equal(head.value('absent'), undefined)
})

test('one empty line before the request line is ignored, a second one is not (RFC 9112 §2.2)', () => {
  equal(scan('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n').result, 29)
  equal(scan('\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n').refusal, 'wire.bad_method')
})

test('several lines of one field are combined with a comma (RFC 9110 §5.3)', () => {
  const { head } = scan('GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n')
  equal(head.combinedValue('x-a'), '1, 2')
  equal(head.value('x-a'), '1')
})

test('a duplicate of a field that the gateway acts on is noticed', () => {
  const { head } = scan('GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n')
  ok(head.isDuplicate(fieldId('host')))
})

const refused: readonly (readonly [name: string, text: string, code: string])[] = [
  ['a bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 'wire.bad_line_ending'],
  ['a bare LF after a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 'wire.bad_line_ending'],
  ['a bare CR in a value', 'GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n', 'wire.bad_line_ending'],
  ['a bare CR as the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\rX', 'wire.bad_line_ending'],
  ['a folded field', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n', 'wire.folded_field'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 'wire.bad_field'],
  ['an empty field name', 'GET / HTTP/1.1\r\n: a\r\n\r\n', 'wire.bad_field'],
  ['a line without a colon', 'GET / HTTP/1.1\r\nHost\r\n\r\n', 'wire.bad_line_ending'],
  ['NUL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 'wire.bad_field'],
  ['a control byte in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n', 'wire.bad_field'],
  ['DEL in a value', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n', 'wire.bad_field'],
  ['a byte above ASCII in a name', 'GET / HTTP/1.1\r\nH\xf6st: a\r\n\r\n', 'wire.bad_field'],
  ['two spaces in the request line', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 'wire.bad_target'],
  ['a tab in the request line', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 'wire.bad_method'],
  ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 'wire.bad_request_line'],
  ['a fragment in the target', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 'wire.bad_target'],
  ['a byte above ASCII in the target', 'GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n', 'wire.bad_target'],
  ['no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n', 'wire.bad_method'],
  ['HTTP/2.0 in the request line', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 'wire.unsupported_version'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 'wire.unsupported_version'],
  ['a lower-case version', 'GET / http/1.1\r\nHost: a\r\n\r\n', 'wire.bad_request_line'],
  ['HTTP/0.9', 'GET /\r\nHost: a\r\n\r\n', 'wire.bad_target'],
  ['a space behind the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 'wire.bad_request_line'],
  ['a method of 33 characters', `${'A'.repeat(33)} / HTTP/1.1\r\n\r\n`, 'wire.bad_method'],
  ['a long target', `GET /${'a'.repeat(256)} HTTP/1.1\r\n\r\n`, 'wire.target_too_long'],
  [
    'a long head',
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(1_024)}\r\n\r\n`,
    'wire.head_too_large',
  ],
  [
    'a long head that never ends',
    `GET / HTTP/1.1\r\nX: ${'a'.repeat(1_024)}`,
    'wire.head_too_large',
  ],
  [
    '17 fields where 16 are allowed',
    `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(17)}\r\n`,
    'wire.too_many_fields',
  ],
]

for (const [name, text, code] of refused) {
  test(`${name} is refused`, () => equal(scan(text).refusal, code))
}

test('16 fields pass where 16 are allowed', () => {
  equal(scan(`GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(16)}\r\n`).head.fieldCount, 16)
})

test('every proper prefix of a head is incomplete, whatever the position of the split', () => {
  const text = '\r\nPOST /a HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 3\r\nX-Y: z\r\n\r\n'
  for (let length = 0; length < text.length; length++) {
    equal(scan(text.slice(0, length)).result, incomplete, JSON.stringify(text.slice(0, length)))
  }
  equal(scan(text).result, text.length)
})

test('a status line may leave out the reason, also with its space', () => {
  for (const line of [
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 ',
    'HTTP/1.1 200',
    'HTTP/1.0 200 Fine by me',
  ]) {
    equal(scanResponse(`${line}\r\nA: b\r\n\r\n`).head.status, 200, line)
  }
})

const refusedResponses: readonly (readonly [name: string, text: string])[] = [
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['a version without slash', 'HTTP1.1 200 OK\r\n\r\n'],
  ['a control byte in the reason', 'HTTP/1.1 200 O\x02K\r\n\r\n'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
]

for (const [name, text] of refusedResponses) {
  test(`a response with ${name} is refused`, () => ok(scanResponse(text).result < incomplete))
}

test('whatever bytes arrive, the scan ends with a result and never throws', () => {
  const alphabet = fc.constantFrom(
    'GET ',
    '/',
    ' HTTP/1.1',
    '\r\n',
    '\n',
    '\r',
    ':',
    ' ',
    'Host: a',
    '\0',
    '\xff',
    'x',
  )
  const arbitrary = fc.array(alphabet, { maxLength: 40 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(arbitrary, (text) => {
      const { result, head } = scan(text)
      ok(Number.isInteger(result) && result <= text.length)
      if (result > 0) ok(text.slice(0, result).endsWith('\r\n\r\n') && head.fieldsEnd <= result)
    }),
    { numRuns: 3_000 },
  )
})

test('a name with the hash of a known field is not taken for it', () => {
  const host = fieldKey('host')
  const forged = fieldKey('hq5t')
  equal(forged.hash, host.hash, 'the two names collide')
  const { head } = scan('GET / HTTP/1.1\r\nhq5t: a\r\nHost: b\r\n\r\n')
  deepEqual([head.idAt(0), head.idAt(1)], [0, fieldId('host')])
  equal(head.value('host'), 'b')
  equal(head.value('hq5t'), 'a')
})
