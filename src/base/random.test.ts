import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, systemRandom } from './random.ts'

test('the same seed gives the same sequence, another seed another', () => {
  const sequence = (seed: number) => {
    const random = seededRandom(seed)
    return Array.from({ length: 20 }, () => random.fraction())
  }
  deepEqual(sequence(7), sequence(7))
  notDeepEqual(sequence(7), sequence(8))
})

test('fractions fill [0, 1) evenly', () => {
  for (const random of [seededRandom(1), systemRandom()]) {
    const counts = new Array<number>(10).fill(0)
    for (let draw = 0; draw < 10_000; draw++) {
      const fraction = random.fraction()
      ok(fraction >= 0 && fraction < 1)
      const tenth = Math.floor(fraction * 10)
      counts[tenth] = (counts[tenth] ?? 0) + 1
    }
    // Six standard deviations of a fair tenth: a false alarm in a billion runs.
    for (const count of counts) ok(Math.abs(count - 1_000) < 180, String(counts))
  }
})

test('secret bytes have the length asked for and are not repeated', () => {
  const random = systemRandom()
  equal(random.secretBytes(32).length, 32)
  equal(random.secretBytes(0).length, 0)
  notDeepEqual(random.secretBytes(32), random.secretBytes(32))
})

test('secret bytes of a seed are reproducible and use all values', () => {
  deepEqual(seededRandom(3).secretBytes(16), seededRandom(3).secretBytes(16))
  equal(new Set(seededRandom(3).secretBytes(10_000)).size, 256)
})
