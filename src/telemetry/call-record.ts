/** One exchange as recorded: written by a worker into its ring, read by the telemetry thread. */
export type CallRecord = {
  /** Wall clock at the first byte of the request, ms since 1970. */
  atMs: number
  requestId: string
  clientAddress: string
  method: string
  host: string
  /** Path without query, at most 512 bytes. */
  path: string
  status: number
  /** Code from the error catalogue when Headgate answered or cut off; empty otherwise. */
  reason: string
  /** Slots as in the snapshot; -1 for none. */
  routeSlot: number
  versionSlot: number
  endpointSlot: number
  appSlot: number
  attempts: number
  /** Microseconds from the first byte of the request to the last byte of the response. */
  durationUs: number
  /** Microseconds from the request sent to the first byte of the answer; -1 without upstream. */
  upstreamUs: number
  requestBytes: number
  responseBytes: number
  traceId: string
}
