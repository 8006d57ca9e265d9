/**
 * Layout of the log-linear histograms in which latencies are counted: exact below 16 µs, from there
 * on eight equal buckets per power of two. A bucket is at most 1/8 as wide as its lower bound, so
 * a value told by the middle of its bucket is at most 1/16 (6.25 %) off. 240 buckets reach to 2^32 µs
 * (71 minutes); the last one holds everything longer.
 *
 * A fixed layout beats a self-adjusting sketch here: counting is three integer operations on memory that
 * already exists, two histograms are merged by adding, and a bucket means the same everywhere and
 * for ever.
 */
const exactBelowUs = 16
const bucketsPerOctave = 8
const firstOctave = 4
const octavesEnd = 32

export const histogramBucketCount = exactBelowUs + (octavesEnd - firstOctave) * bucketsPerOctave

/** Values from here on share the last bucket. */
export const histogramLimitUs = 2 ** octavesEnd

const lastBucket = histogramBucketCount - 1

/** The bucket of a duration in microseconds. Fractions are cut; below 0 and NaN count as 0. */
export function bucketOf(us: number): number {
  if (us >= histogramLimitUs) return lastBucket
  if (!(us >= exactBelowUs)) return us > 0 ? us | 0 : 0
  // 31 - clz32 is the octave. `>>> (octave - 3)` leaves the leading 1 and the three bits after it.
  const octave = 31 - Math.clz32(us)
  return (octave - firstOctave) * bucketsPerOctave + (us >>> (octave - 3)) + bucketsPerOctave
}

/** First microsecond value that belongs to bucket `index`. */
export function bucketLowerUs(index: number): number {
  if (index < exactBelowUs) return index
  const octave = Math.floor((index - exactBelowUs) / bucketsPerOctave) + firstOctave
  const step = (index - exactBelowUs) % bucketsPerOctave
  return 2 ** octave + step * 2 ** (octave - 3)
}

/** First microsecond value beyond bucket `index`. For the last bucket this is `histogramLimitUs`. */
export function bucketUpperUs(index: number): number {
  return bucketLowerUs(index + 1)
}

/** The value that stands for a bucket: the middle of the whole microseconds it holds. */
export function bucketMiddleUs(index: number): number {
  return (bucketLowerUs(index) + bucketUpperUs(index) - 1) / 2
}

/** Counts of a histogram that starts somewhere in a larger array: how shared memory is laid out. */
export type BucketCounts = {
  readonly cells: ArrayLike<number>
  /** Index of the first bucket in `cells`. */
  readonly start: number
}

/** A histogram of its own, all zero. */
export function emptyBuckets(): Float64Array {
  return new Float64Array(histogramBucketCount)
}

/** Number of values counted. */
export function countOf({ cells, start }: BucketCounts): number {
  let count = 0
  for (let index = 0; index < histogramBucketCount; index += 1) count += cells[start + index] ?? 0
  return count
}

/** Number of values counted in all buckets before bucket `end`. */
export function countBefore({ cells, start }: BucketCounts, end: number): number {
  let count = 0
  for (let index = 0; index < end; index += 1) count += cells[start + index] ?? 0
  return count
}

/** Adds the counts of `from` to `into`. */
export function mergeBuckets(into: Float64Array, { cells, start }: BucketCounts): void {
  for (let index = 0; index < histogramBucketCount; index += 1) {
    into[index] = (into[index] ?? 0) + (cells[start + index] ?? 0)
  }
}

/**
 * The value in microseconds below or at which the `share` (0 to 1) of all counted values lies
 * (nearest-rank definition), told by the middle of its bucket; undefined when nothing was counted.
 */
export function quantileUs(counts: BucketCounts, share: number): number | undefined {
  const total = countOf(counts)
  if (total === 0) return undefined
  const rank = Math.min(total, Math.max(1, Math.ceil(share * total)))
  let seen = 0
  for (let index = 0; index < histogramBucketCount; index += 1) {
    seen += counts.cells[counts.start + index] ?? 0
    if (seen >= rank) return bucketMiddleUs(index)
  }
  return bucketMiddleUs(lastBucket)
}
