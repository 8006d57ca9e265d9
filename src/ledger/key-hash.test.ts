import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeyHash } from './key-hash.ts'

/** HalfSipHash as the paper has it, over bytes and with any number of rounds: slow and plain. */
function halfSipHash(
  bytes: Uint8Array,
  keys: [number, number],
  rounds: [number, number],
): number[] {
  const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by))
  const v = [keys[0], keys[1] ^ 0xee, 0x6c796765 ^ keys[0], 0x74656462 ^ keys[1]]
  const at = (index: number) => v[index] ?? 0
  const run = (count: number) => {
    for (let round = 0; round < count; round += 1) {
      v[0] = (at(0) + at(1)) | 0
      v[1] = rotate(at(1), 5) ^ at(0)
      v[0] = rotate(at(0), 16)
      v[2] = (at(2) + at(3)) | 0
      v[3] = rotate(at(3), 8) ^ at(2)
      v[0] = (at(0) + at(3)) | 0
      v[3] = rotate(at(3), 7) ^ at(0)
      v[2] = (at(2) + at(1)) | 0
      v[1] = rotate(at(1), 13) ^ at(2)
      v[2] = rotate(at(2), 16)
    }
  }
  const whole = bytes.length & ~3
  const last = new Uint8Array(4)
  last.set(bytes.subarray(whole))
  last[3] = bytes.length
  const padded = new Uint8Array([...bytes.subarray(0, whole), ...last])
  for (let offset = 0; offset < padded.length; offset += 4) {
    const word = new DataView(padded.buffer).getInt32(offset, true)
    v[3] = at(3) ^ word
    run(rounds[0])
    v[0] = at(0) ^ word
  }
  v[2] = at(2) ^ 0xee
  run(rounds[1])
  const low = at(1) ^ at(3)
  v[1] = at(1) ^ 0xdd
  run(rounds[1])
  return [low, at(1) ^ at(3)]
}

test('the plain implementation gives the published results of HalfSipHash-2-4', () => {
  const expected = ['218d1f59b9b83cc8', 'be552412f8387315', '064f39ef7c50eb57', 'ce0f1a45f7060679']
  for (const [length, hex] of expected.entries()) {
    const halves = halfSipHash(
      Uint8Array.from({ length }, (_, index) => index),
      [0x03020100, 0x07060504],
      [2, 4],
    )
    equal(Buffer.from(Int32Array.from(halves).buffer).toString('hex'), hex)
  }
})

test('the fast implementation equals the plain one with one and three rounds', () => {
  const unit = fc.string({ unit: 'binary', maxLength: 40 })
  fc.assert(
    fc.property(unit, fc.integer(), fc.integer(), (text, key0, key1) => {
      const hash = new KeyHash(key0, key1)
      hash.update(text)
      deepEqual(
        [hash.low, hash.high],
        halfSipHash(Buffer.from(text, 'utf16le'), [key0, key1], [1, 3]),
      )
    }),
    { numRuns: 500 },
  )
})

test('another key gives another hash', () => {
  const left = new KeyHash(1, 2)
  const right = new KeyHash(1, 3)
  left.update('same')
  right.update('same')
  equal(left.low === right.low && left.high === right.high, false)
})
