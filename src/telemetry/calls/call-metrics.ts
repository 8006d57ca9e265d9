import type { MetricSource } from '../metrics/registry.ts'
import type { CallReader, CallTotals } from './reader.ts'

const texts = {
  recordsRead: ['call_records_read', 'Call records read by the telemetry thread.'],
  recordsDropped: ['call_records_dropped', 'Call records lost because a ring was full.'],
  linesWritten: ['access_log_lines', 'Lines written to the access log.'],
  bytesWritten: ['access_log_bytes', 'Bytes written to the access log.'],
  linesDropped: ['access_log_lines_dropped', 'Lines lost because the access log was stalled.'],
} as const satisfies Record<keyof CallTotals, readonly [name: string, help: string]>

/** What the reading of call records adds to the metrics. */
export function callMetrics(reader: Pick<CallReader, 'totals'>): MetricSource[] {
  // The cast holds because the table is a literal of ours; Object.keys only forgets what its keys are.
  const counters = Object.keys(texts) as (keyof typeof texts)[]
  return counters.map((counter) => {
    const [name, help] = texts[counter]
    const read = () => [{ labels: {}, value: reader.totals()[counter] }]
    return { name, type: 'counter', help, read }
  })
}
