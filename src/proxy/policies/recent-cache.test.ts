import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { RecentCache } from './recent-cache.ts'

test('a cache never holds more than its maximum, whatever is put in', () => {
  const cache = new RecentCache<number>(100)
  let largest = 0
  for (let index = 0; index < 10_000; index++) {
    cache.set(`key-${index}`, index)
    if (index % 3 === 0) cache.get(`key-${index - 40}`)
    largest = Math.max(largest, cache.size)
  }
  ok(largest <= 100, `held ${largest}`)
})

test('what is used stays, what is not used goes', () => {
  const cache = new RecentCache<number>(10)
  cache.set('used', 1)
  cache.set('unused', 2)
  for (let index = 0; index < 50; index++) {
    equal(cache.get('used'), 1)
    cache.set(`other-${index}`, index)
  }
  equal(cache.get('unused'), undefined)
})
