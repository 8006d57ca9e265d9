/** Shared memory for one page of metric series; see `series.ts` for the layout. */
export type MetricPage = {
  readonly pageIndex: number
  readonly memory: SharedArrayBuffer
}
