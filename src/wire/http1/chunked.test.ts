import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { badChunk, ChunkedTracker, chunkedLimits, trailersTooLarge } from './chunked.ts'

function feed(text: string): { end: number; data: string; tracker: ChunkedTracker } {
  const tracker = new ChunkedTracker()
  const bytes = Buffer.from(text, 'latin1')
  let data = ''
  const end = tracker.advance(bytes, 0, bytes.length, (source, from, to) => {
    data += source.toString('latin1', from, to)
  })
  return { end, data, tracker }
}

test('data is separated from its framing and the end is found', () => {
  const text = '4\r\nWiki\r\n5;name=value\r\npedia\r\n0\r\nX-Sum: 9\r\n\r\n'
  const { end, data, tracker } = feed(`${text}GET /`)
  equal(end, text.length)
  equal(data, 'Wikipedia')
  equal(tracker.dataBytes, 9)
  ok(tracker.isDone)
})

const bad: readonly (readonly [name: string, text: string])[] = [
  ['no size', '\r\n'],
  ['a sign before the size', '+4\r\nWiki\r\n'],
  ['0x before the size', '0x4\r\nWiki\r\n'],
  ['a space before the size', ' 4\r\nWiki\r\n'],
  ['a space behind the size', '4 \r\nWiki\r\n'],
  ['a bare LF behind the size', '4\nWiki\r\n'],
  ['a bare LF in an extension', '4;a\nWiki\r\n'],
  ['data longer than its size', '3\r\nWiki\r\n'],
  ['data without CRLF behind it', '4\r\nWiki0\r\n\r\n'],
  ['a bare LF behind data', '4\r\nWiki\n0\r\n\r\n'],
  ['a size of nine digits', '000000004\r\nWiki\r\n'],
  ['an empty extension', '4;\r\nWiki\r\n'],
  ['an extension without name', '4;=a\r\nWiki\r\n'],
  ['an extension with a value that is missing', '4;a=\r\nWiki\r\n'],
  ['a space in an extension', '4;a =b\r\nWiki\r\n'],
  ['a space behind an extension', '4;a=b \r\nWiki\r\n'],
  ['a quote that does not end', '4;a="b\r\nWiki\r\n'],
  ['text behind a quote', '4;a="b"c\r\nWiki\r\n'],
  ['a bare CR in a quote', '4;a="\r"\r\nWiki\r\n'],
  ['an endless extension', `4;${'a'.repeat(chunkedLimits.extensionBytesMax + 1)}`],
  ['a trailer without name', '0\r\n: b\r\n\r\n'],
  ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
  ['a space before the colon of a trailer', '0\r\nA : b\r\n\r\n'],
]

for (const [name, text] of bad) {
  test(`${name} is refused`, () => equal(feed(text).end, badChunk))
}

test('extensions of every valid form pass', () => {
  const { data, tracker } = feed('4;a;b=c;d="e \\"f\\" ;=\\\\";g\r\nWiki\r\n0;last\r\n\r\n')
  equal(data, 'Wiki')
  ok(tracker.isDone)
})

test('many small extensions together are bounded too', () => {
  const chunk = `1;${'a'.repeat(200)}\r\nx\r\n`
  equal(feed(chunk.repeat(100)).end, badChunk)
})

test('trailers are bounded', () => {
  equal(feed(`0\r\n${'A: b\r\n'.repeat(chunkedLimits.trailerBytesMax)}`).end, trailersTooLarge)
})

test('a chunked body split at any positions gives the same data and the same end', () => {
  const chunks = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), {
    maxLength: 6,
  })
  fc.assert(
    fc.property(chunks, fc.array(fc.nat({ max: 300 }), { maxLength: 8 }), (parts, cuts) => {
      const body = `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
      const bytes = Buffer.from(`${body}NEXT`, 'latin1')
      const edges = [
        0,
        ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
        bytes.length,
      ]
      const tracker = new ChunkedTracker()
      let data = ''
      let consumed = 0
      for (let index = 1; index < edges.length; index++) {
        const from = edges[index - 1] ?? 0
        const to = edges[index] ?? 0
        consumed +=
          tracker.advance(bytes, from, to, (source, start, end) => {
            data += source.toString('latin1', start, end)
          }) - from
        if (tracker.isDone) break
      }
      equal(data, parts.join(''))
      equal(consumed, body.length)
    }),
    { numRuns: 500 },
  )
})
