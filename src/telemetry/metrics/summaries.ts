/** Series as people read them: counts and quantiles, of all time or since the last look. */
import { quantileUs } from '../../base/histogram.ts'
import { seriesCell, statusClassCount } from './series.ts'

export type SeriesSummary = {
  readonly name: string
  readonly requests: number
  /** Answers 5xx, from the upstream or from Headgate. */
  readonly errors: number
  /** Requests that Headgate answered itself. */
  readonly gatewayAnswers: number
  /** Milliseconds; undefined when no request ended. Each at most 6.25 % off. */
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
  readonly p99Ms: number | undefined
  /** Now, whatever the period. */
  readonly inFlight: number
  readonly requestBytes: number
  readonly responseBytes: number
}

const serverErrorClass = 5

/** Sums up the cells of one series. */
export function summarize(name: string, cells: Float64Array): SeriesSummary {
  const at = (cell: number) => cells[cell] ?? 0
  const sumOf = (first: number) => {
    let sum = 0
    for (let index = 0; index < statusClassCount; index += 1) sum += at(first + index)
    return sum
  }
  const gatewayAnswers = sumOf(seriesCell.gatewayAnswers)
  const quantile = (share: number) => {
    const us = quantileUs({ cells, start: seriesCell.durationBuckets }, share)
    return us === undefined ? undefined : us / 1_000
  }
  return {
    name,
    requests: sumOf(seriesCell.upstreamAnswers) + gatewayAnswers,
    errors:
      at(seriesCell.upstreamAnswers + serverErrorClass) +
      at(seriesCell.gatewayAnswers + serverErrorClass),
    gatewayAnswers,
    p50Ms: quantile(0.5),
    p95Ms: quantile(0.95),
    p99Ms: quantile(0.99),
    inFlight: at(seriesCell.inFlight),
    requestBytes: at(seriesCell.requestBytes),
    responseBytes: at(seriesCell.responseBytes),
  }
}

/** What was counted between two readings of a series; what is in flight is not a difference. */
export function difference(before: Float64Array, now: Float64Array): Float64Array {
  const change = now.map((value, cell) => value - (before[cell] ?? 0))
  change[seriesCell.inFlight] = now[seriesCell.inFlight] ?? 0
  return change
}
