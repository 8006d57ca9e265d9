import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { simulatedClock } from '../../base/clock.ts'
import { MetricRegistry } from '../metrics/registry.ts'
import { callMetrics } from './call-metrics.ts'

test('what becomes of call records is shown with the metrics', () => {
  const clock = simulatedClock()
  const registry = new MetricRegistry({ clock, build: {}, workers: () => [] })
  const totals = {
    recordsRead: 10,
    recordsDropped: 1,
    linesWritten: 7,
    bytesWritten: 2_100,
    linesDropped: 3,
  }
  for (const source of callMetrics({ totals: () => totals })) registry.addSource(source)
  const lines = registry.render().split('\n')
  for (const line of [
    'headgate_call_records_read_total 10',
    'headgate_call_records_dropped_total 1',
    'headgate_access_log_lines_total 7',
    'headgate_access_log_bytes_total 2100',
    'headgate_access_log_lines_dropped_total 3',
  ]) {
    equal(lines.includes(line), true, line)
  }
})
