import { equal, match, notEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../base/random.ts'
import { createIds } from './ids.ts'

test('request ids of one worker never repeat and those of two workers differ in their prefix', () => {
  const ids = createIds(seededRandom(1))
  const seen = new Set(Array.from({ length: 10_000 }, () => ids.requestId()))
  equal(seen.size, 10_000)
  notEqual(ids.requestId().slice(0, 12), createIds(seededRandom(2)).requestId().slice(0, 12))
})

test('trace ids are lower-case hexadecimal of the length asked for, also where the pool ends', () => {
  const ids = createIds(seededRandom(3))
  for (let index = 0; index < 1_000; index++) {
    match(ids.hex(32), /^[0-9a-f]{32}$/)
    match(ids.hex(16), /^[0-9a-f]{16}$/)
  }
})

test('an id of nothing but zeros is never given out: it means "no trace"', () => {
  const zeros = { fraction: () => 0, secretBytes: (count: number) => new Uint8Array(count) }
  equal(createIds(zeros).hex(16), '0000000000000001')
})
