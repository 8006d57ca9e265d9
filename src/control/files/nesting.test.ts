import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { findDeepNesting } from './nesting.ts'

test('openings right behind each other pass up to the limit, on one line or on many', () => {
  for (const opening of ['[', '{', '[ ', '- ', '? ', '[\n', '-\n']) {
    equal(findDeepNesting(opening.repeat(500)), undefined, opening)
    equal(findDeepNesting(opening.repeat(501)), 500 * opening.length, opening)
  }
})

test('brackets that stay open within a line are counted whatever stands between them', () => {
  equal(findDeepNesting('{a: '.repeat(500)), undefined)
  equal(findDeepNesting('{a: '.repeat(501)), 2_000)
})

test('brackets that are closed again, and lists over many lines, are no nesting', () => {
  equal(findDeepNesting('[a],'.repeat(10_000)), undefined)
  equal(findDeepNesting('- [a\n'.repeat(10_000)), undefined)
  equal(findDeepNesting('- a\n'.repeat(10_000)), undefined)
})
