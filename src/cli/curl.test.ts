import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRequestWords, splitShellWords } from './curl.ts'

const parse = (...words: string[]) => parseRequestWords(words, '127.0.0.1')

test('a pasted curl command gives method, address and fields', () => {
  deepEqual(
    parse(`curl -sS -X PUT "http://a.example/books/1?x=1" \\
      -H 'Content-Type: application/json' -H "x-api-key: it's \\"mine\\"" --data-raw '{"a": 1}' --compressed`),
    {
      method: 'PUT',
      url: 'http://a.example/books/1?x=1',
      headers: [
        ['content-type', 'application/json'],
        ['x-api-key', `it's "mine"`],
      ],
      clientAddress: '127.0.0.1',
    },
  )
})

test('flags may be joined, attached, or written with an equals sign', () => {
  equal(parse('curl -sXDELETE http://a/').method, 'DELETE')
  equal(parse('curl --request=PATCH http://a/').method, 'PATCH')
  deepEqual(parse('curl -HX-A:1 http://a/').headers, [['x-a', '1']])
})

test('data makes a POST and a form, and with -G a query', () => {
  const posted = parse('curl -d a=1 -d b=2 http://a/x')
  equal(posted.method, 'POST')
  deepEqual(posted.headers, [['content-type', 'application/x-www-form-urlencoded']])
  const got = parse('curl -G -d a=1 -d b=2 http://a/x')
  equal(got.method, 'GET')
  equal(got.url, 'http://a/x?a=1&b=2')
  equal(parse('curl --json {} http://a/').headers[0]?.[1], 'application/json')
})

test('flags about output take their value along and change nothing', () => {
  deepEqual(parse('curl -o /tmp/x -w %{http_code} --max-time 5 http://a/').headers, [])
  equal(parse('curl -I http://a/').method, 'HEAD')
  equal(parse('curl -u me:secret http://a/').headers[0]?.[1], 'Basic bWU6c2VjcmV0')
  equal(parse('curl -b session=1 http://a/').headers[0]?.[0], 'cookie')
})

test('METHOD URL and a bare path work without curl', () => {
  equal(parse('post', 'http://a/b').method, 'POST')
  equal(parse('/books').url, 'http://localhost/books')
  equal(parse('a.example/books').url, 'http://a.example/books')
})

test('what is not a request is refused with an example', () => {
  for (const words of [
    ['curl'],
    ['curl http://a http://b'],
    ['curl -X'],
    ['curl "http://a'],
    ['a', 'b', 'c'],
    [''],
  ]) {
    throws(() => parse(...words), { code: 'cli.usage' })
  }
})

test('every list of words survives quoting and splitting', () => {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
      deepEqual(splitShellWords(words.map(quote).join(' ')), words)
    }),
  )
})
