/** What series are counted for; the numbers of their slots come from the snapshot. */
export const seriesFamilies = ['route', 'version'] as const
export type SeriesFamily = (typeof seriesFamilies)[number]

/**
 * Shared memory of one worker: a page of metric series of one family (`series.ts` has the layout), or
 * the page with the counters of the worker as a whole (`worker-counters.ts`). Only the worker writes to it.
 */
export type MetricPage = {
  readonly family: SeriesFamily | 'worker'
  readonly pageIndex: number
  readonly memory: SharedArrayBuffer
}
