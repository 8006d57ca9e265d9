import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { murmur3 } from './hash.ts'

test('murmur3 gives the values of the reference implementation', () => {
  equal(murmur3('', 0), 0)
  equal(murmur3('', 1), 0x514e28b7)
  equal(murmur3('', 0xffffffff), 0x81f16f39)
  equal(murmur3('a', 0x9747b28c), 0x7fa09ea6)
  equal(murmur3('ab', 0x9747b28c), 0x74875592)
  equal(murmur3('abc', 0x9747b28c), 0xc84a62dd)
  equal(murmur3('abcd', 0x9747b28c), 0xf0478627)
  equal(murmur3('Hello, world!', 0x9747b28c), 0x24884cba)
  equal(murmur3('The quick brown fox jumps over the lazy dog', 0x9747b28c), 0x2fa826cd)
})

test('murmur3 hashes the UTF-8 bytes of text beyond ASCII', () => {
  equal(murmur3('ππππππππ', 0x9747b28c), 0xd58063c1)
})
