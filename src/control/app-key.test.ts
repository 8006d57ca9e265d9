import { equal, match, notEqual } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { seededRandom } from '../base/random.ts'
import { app } from '../kinds/app.ts'
import { makeAppKey } from './app-key.ts'

test('a key is recognisable, all letters and digits, and fits the definition of an app', () => {
  const random = seededRandom(1)
  const { key, hash, prefix } = makeAppKey(random)
  match(key, /^hg_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$/)
  equal(prefix, key.slice(0, 11))
  equal(hash, `sha256:${createHash('sha256').update(key).digest('hex')}`)
  equal(app.spec.safeParse({ keys: [{ name: 'first', hash, prefix }] }).success, true)
  notEqual(makeAppKey(random).key, key)
})

test('the smallest and the largest secret have the same length', () => {
  for (const byte of [0, 255]) {
    const random = { fraction: () => 0, secretBytes: (n: number) => new Uint8Array(n).fill(byte) }
    match(makeAppKey(random).key, /^hg_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$/)
  }
})
