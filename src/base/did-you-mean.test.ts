import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, editDistance, suggestion } from './did-you-mean.ts'

const keys = ['connect', 'firstByte', 'idle', 'total', 'timeouts', 'rate-limit', 'api-key']

test('a slip of the finger finds the word that was meant', () => {
  for (const [word, meant] of [
    ['conect', 'connect'],
    ['cnonect', 'connect'],
    ['timeout', 'timeouts'],
    ['idel', 'idle'],
    ['totla', 'total'],
  ] as const)
    equal(didYouMean(word, keys), meant, word)
})

test('case, hyphens and underscores do not count', () => {
  equal(didYouMean('first_byte', keys), 'firstByte')
  equal(didYouMean('FIRST-BYTE', keys), 'firstByte')
  equal(didYouMean('RateLimit', keys), 'rate-limit')
})

test('a word that was left out or added is found', () => {
  equal(didYouMean('limit', keys), 'rate-limit')
  equal(didYouMean('connectTimeout', keys), 'connect')
})

test('words that have nothing in common are not suggested', () => {
  for (const word of ['colour', 'x', 'zz', '', '---'])
    equal(didYouMean(word, keys), undefined, word)
  equal(didYouMean('abc', ['xyz']), undefined)
})

test('the word itself is never suggested, but another spelling of it is', () => {
  equal(didYouMean('idle', ['idle']), undefined)
  equal(didYouMean('Idle', ['idle']), 'idle')
})

test('the nearest of several wins, the first of equals', () => {
  equal(didYouMean('v3', ['v1', 'v2']), 'v1')
  equal(didYouMean('books-v2', ['books', 'books-v1', 'bookshop']), 'books-v1')
})

test('a suggestion is a question with the word in it', () => {
  equal(suggestion('idel', keys), 'did you mean `idle`?')
  equal(suggestion('colour', keys), undefined)
})

test('the distance counts insertions, deletions, changes and swaps of neighbours', () => {
  equal(editDistance('abc', 'abc', 3), 0)
  equal(editDistance('abc', 'acb', 3), 1)
  equal(editDistance('abc', 'abcd', 3), 1)
  equal(editDistance('abc', 'xbc', 3), 1)
  equal(editDistance('kitten', 'sitting', 3), 3)
  equal(editDistance('kitten', 'sitting', 2), undefined)
  equal(editDistance('', 'abcd', 3), undefined)
})

test('words of any length are compared in bounded time', () => {
  const long = 'a'.repeat(1_000_000)
  equal(didYouMean(long, ['idle', `${'a'.repeat(63)}b`]), `${'a'.repeat(63)}b`)
})
