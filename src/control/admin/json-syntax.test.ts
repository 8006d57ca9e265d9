import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findJsonFault } from './json-syntax.ts'

test('the place of a fault is line and column, and the message says what belongs there', () => {
  deepEqual(findJsonFault('{\n  "a": abc\n}'), { line: 2, column: 8, message: 'expected a value' })
  deepEqual(findJsonFault('[1,]'), { line: 1, column: 4, message: 'expected a value' })
  deepEqual(findJsonFault('{"a":1,}')?.message, 'expected a member name in double quotes')
  deepEqual(findJsonFault("{'a':1}")?.column, 2)
  deepEqual(findJsonFault('{"a" 1}')?.message, 'expected `:` after the member name')
  deepEqual(findJsonFault('[1 2]'), { line: 1, column: 4, message: 'expected `,` or `]`' })
  deepEqual(findJsonFault('{} x'), {
    line: 1,
    column: 4,
    message: 'expected nothing after the value',
  })
  deepEqual(findJsonFault(''), { line: 1, column: 1, message: 'expected a value' })
  deepEqual(findJsonFault('{"a":'), { line: 1, column: 6, message: 'expected a value' })
})

test('a fault is found exactly in those texts that JSON.parse refuses', () => {
  const isParsed = (text: string) => {
    try {
      JSON.parse(text)
      return true
    } catch {
      return false // Refused: the other side of the comparison.
    }
  }
  const damaged = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', '"', '0', '\\', 'x', ' ', '\n'))
    .map(([text, at, insert]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + insert + text.slice(place + (at % 2))
    })
  fc.assert(
    fc.property(damaged, (text) => {
      equal(findJsonFault(text) === undefined, isParsed(text), text)
    }),
    { numRuns: 2_000 },
  )
})
