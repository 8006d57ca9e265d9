/**
 * One series: everything counted about one route, version and so on, by one worker. All cells are
 * 64-bit floats: they count to 2^53 without wrapping, which 32-bit cells would do within a day of
 * full load, and a reader in another thread never sees half of one. One thread writes, with plain
 * additions; readers may be a request behind, never wrong.
 */
import { bucketOf, histogramBucketCount } from '../../base/histogram.ts'

/** Requests by class of status; 0 is for exchanges that ended before there was a status. */
export const statusClasses = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const
export const statusClassCount = statusClasses.length

/** First cell of each part of a series. */
export const seriesCell = {
  /** Requests answered by the upstream, by status class. */
  upstreamAnswers: 0,
  /** Requests answered by Headgate itself, by status class. */
  gatewayAnswers: statusClassCount,
  requestBytes: 2 * statusClassCount,
  responseBytes: 2 * statusClassCount + 1,
  durationSumUs: 2 * statusClassCount + 2,
  upstreamSumUs: 2 * statusClassCount + 3,
  inFlight: 2 * statusClassCount + 4,
  durationBuckets: 2 * statusClassCount + 5,
  upstreamBuckets: 2 * statusClassCount + 5 + histogramBucketCount,
} as const

/** Rounded up to whole cache lines. */
export const seriesCells = Math.ceil((seriesCell.upstreamBuckets + histogramBucketCount) / 8) * 8

export const seriesPerPage = 64
export const seriesPageBytes = seriesPerPage * seriesCells * 8

/** Class of a status as an index into `statusClasses`. */
export function statusClassOf(status: number): number {
  return status >= 100 && status < 600 ? (status / 100) | 0 : 0
}

/** The writing side of a series. Resolve it once per snapshot, use it for every request. */
export class Series {
  readonly #cells: Float64Array
  readonly #start: number

  constructor(cells: Float64Array, start: number) {
    this.#cells = cells
    this.#start = start
  }

  /** A request begins; each `enter` is followed by one `leave`. */
  enter(): void {
    this.#add(seriesCell.inFlight, 1)
  }

  leave(): void {
    this.#add(seriesCell.inFlight, -1)
  }

  /** A request has ended. `isOurs`: Headgate answered it, not the upstream. */
  observe(
    status: number,
    durationUs: number,
    requestBytes: number,
    responseBytes: number,
    isOurs: boolean,
  ): void {
    const answers = isOurs ? seriesCell.gatewayAnswers : seriesCell.upstreamAnswers
    this.#add(answers + statusClassOf(status), 1)
    this.#add(seriesCell.requestBytes, requestBytes)
    this.#add(seriesCell.responseBytes, responseBytes)
    this.#add(seriesCell.durationSumUs, durationUs)
    this.#add(seriesCell.durationBuckets + bucketOf(durationUs), 1)
  }

  /** The upstream has begun to answer, this long after it was sent the request. */
  observeUpstream(upstreamUs: number): void {
    this.#add(seriesCell.upstreamSumUs, upstreamUs)
    this.#add(seriesCell.upstreamBuckets + bucketOf(upstreamUs), 1)
  }

  #add(cell: number, amount: number): void {
    const index = this.#start + cell
    this.#cells[index] = (this.#cells[index] ?? 0) + amount
  }
}
