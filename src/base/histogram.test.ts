import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  bucketLowerUs,
  bucketMiddleUs,
  bucketOf,
  bucketUpperUs,
  countBefore,
  countOf,
  emptyBuckets,
  histogramBucketCount,
  histogramLimitUs,
  mergeBuckets,
  quantileUs,
} from './histogram.ts'

// Uniform over octaves, not over values: otherwise nearly all draws would be longer than minutes.
const duration = fc
  .tuple(fc.integer({ min: 0, max: 31 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([octave, part]) => Math.min(2 ** octave * (1 + part), histogramLimitUs - 1))

function counted(values: readonly number[]): Float64Array {
  const cells = emptyBuckets()
  for (const value of values) cells[bucketOf(value)] = (cells[bucketOf(value)] ?? 0) + 1
  return cells
}

test('every duration lies between the bounds of its bucket', () => {
  fc.assert(
    fc.property(duration, (us) => {
      const bucket = bucketOf(us)
      ok(bucketLowerUs(bucket) <= us && us < bucketUpperUs(bucket), `${us} in ${bucket}`)
    }),
    { numRuns: 2_000 },
  )
})

test('both ends of every bucket fall into it, and buckets leave no gap', () => {
  for (let bucket = 0; bucket < histogramBucketCount; bucket += 1) {
    equal(bucketOf(bucketLowerUs(bucket)), bucket)
    equal(bucketOf(bucketUpperUs(bucket) - 1), bucket)
    if (bucket > 0) equal(bucketLowerUs(bucket), bucketUpperUs(bucket - 1))
  }
  equal(bucketUpperUs(histogramBucketCount - 1), histogramLimitUs)
})

test('the middle of a bucket is at most 6.25 % off, for whole microseconds', () => {
  fc.assert(
    fc.property(duration.map(Math.floor), (us) => {
      ok(Math.abs(bucketMiddleUs(bucketOf(us)) - us) <= us / 16)
    }),
    { numRuns: 2_000 },
  )
})

test('values beyond every bound are counted at the ends, never outside', () => {
  for (const us of [-1, -1e9, Number.NaN, Number.NEGATIVE_INFINITY, 0, 0.9]) equal(bucketOf(us), 0)
  for (const us of [histogramLimitUs, 1e12, Number.POSITIVE_INFINITY]) {
    equal(bucketOf(us), histogramBucketCount - 1)
  }
  equal(bucketOf(histogramLimitUs - 1), histogramBucketCount - 1)
  ok(histogramLimitUs > 3_600_000_000)
})

test('a quantile is the nearest-rank value within the error of a bucket', () => {
  fc.assert(
    fc.property(
      fc.array(duration.map(Math.floor), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const sorted = values.toSorted((left, right) => left - right)
        const rank = Math.max(1, Math.ceil(share * sorted.length))
        const exact = sorted[rank - 1] ?? 0
        const told = quantileUs({ cells: counted(values), start: 0 }, share) ?? -1
        ok(Math.abs(told - exact) <= exact / 16, `${told} for ${exact}`)
      },
    ),
  )
})

test('an empty histogram has no quantile', () => {
  equal(quantileUs({ cells: emptyBuckets(), start: 0 }, 0.5), undefined)
})

test('merging equals counting everything in one histogram, wherever the counts start', () => {
  fc.assert(
    fc.property(fc.array(duration), fc.array(duration), (left, right) => {
      const merged = counted(left)
      const shifted = new Float64Array(histogramBucketCount + 7)
      shifted.set(counted(right), 7)
      mergeBuckets(merged, { cells: shifted, start: 7 })
      deepEqual(merged, counted([...left, ...right]))
      equal(countOf({ cells: merged, start: 0 }), left.length + right.length)
    }),
  )
})

test('counts before a bucket are cumulative', () => {
  const cells = counted([0, 5, 100, 100, 5_000])
  equal(countBefore({ cells, start: 0 }, bucketOf(100)), 2)
  equal(countBefore({ cells, start: 0 }, bucketOf(100) + 1), 4)
  equal(countBefore({ cells, start: 0 }, histogramBucketCount), 5)
})
