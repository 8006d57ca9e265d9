import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  basisPointsWhole,
  formatDuration,
  formatShare,
  parseDuration,
  parseRate,
  parseShare,
  parseSize,
} from './units.ts'

test('durations of one or several units are milliseconds', () => {
  equal(parseDuration('250ms'), 250)
  equal(parseDuration('30s'), 30_000)
  equal(parseDuration('1h30m'), 5_400_000)
  equal(parseDuration('1.5s'), 1_500)
  equal(parseDuration('2d'), 172_800_000)
  equal(parseDuration('0s'), 0)
})

test('what is not a duration is none', () => {
  for (const text of ['', '5', 's', '-1s', '1 s', '1s ', '1S', '1.s', '.5s', '1e3s', '1w', 'abc']) {
    equal(parseDuration(text), undefined, text)
  }
})

test('fractions come out as they were written, to the microsecond', () => {
  equal(parseDuration('1.001s'), 1_001)
  equal(parseDuration('0.001ms'), 0.001)
  equal(formatDuration(60_000.1), '1m0.1ms')
})

test('a duration, size or count too large for an exact number is refused', () => {
  equal(parseDuration('99999999999999999999d'), undefined)
  equal(parseSize('99999999999999999999GiB'), undefined)
  equal(parseRate('99999999999999999999/s'), undefined)
  equal(parseSize('9007199254740991B'), Number.MAX_SAFE_INTEGER)
})

test('a duration is written in the form that is read back, as short as it goes', () => {
  equal(formatDuration(0), '0s')
  equal(formatDuration(90_000), '1m30s')
  equal(formatDuration(86_400_001), '1d1ms')
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (ms) => {
      equal(parseDuration(formatDuration(ms)), ms)
    }),
  )
})

test('sizes are bytes, decimal and binary units told apart', () => {
  equal(parseSize('512B'), 512)
  equal(parseSize('64KiB'), 65_536)
  equal(parseSize('10MB'), 10_000_000)
  equal(parseSize('1.5GiB'), 1_610_612_736)
  equal(parseSize('1.001KB'), 1_001)
  for (const text of ['', '512', '64kb', '64 KiB', '-1B', '1TiB']) {
    equal(parseSize(text), undefined, text)
  }
})

test('a rate is a count per unit, or per a period of one unit', () => {
  deepEqual(parseRate('100/min'), { count: 100, periodMs: 60_000 })
  deepEqual(parseRate('5/s'), { count: 5, periodMs: 1_000 })
  deepEqual(parseRate('10/30s'), { count: 10, periodMs: 30_000 })
  for (const [word, periodMs] of [
    ['sec', 1_000],
    ['second', 1_000],
    ['m', 60_000],
    ['minute', 60_000],
    ['h', 3_600_000],
    ['hour', 3_600_000],
    ['d', 86_400_000],
    ['day', 86_400_000],
    ['500ms', 500],
  ] as const) {
    deepEqual(parseRate(`1/${word}`), { count: 1, periodMs }, word)
  }
  for (const text of ['', '10', '10/', '/s', '1.5/s', '10/0s', '10/week', '-1/s', '10 / s']) {
    equal(parseRate(text), undefined, text)
  }
})

test('every basis point is written as a share and read back', () => {
  for (let basisPoints = 0; basisPoints <= basisPointsWhole; basisPoints++) {
    equal(parseShare(formatShare(basisPoints)), basisPoints)
  }
})

test('a share beyond the whole, or finer than a basis point, is none', () => {
  equal(parseShare('100%'), basisPointsWhole)
  for (const text of ['100.01%', '101%', '0.001%', '5', '-5%', '%', '5 %']) {
    equal(parseShare(text), undefined, text)
  }
})
