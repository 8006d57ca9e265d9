/** Which metrics the counted cells become. Names and labels are public: they are added, never changed. */
import { bucketOf, histogramBucketCount } from '../../base/histogram.ts'
import type { Labels, MetricText } from './openmetrics.ts'
import type { SeriesFamily } from './pages.ts'
import { seriesCell, statusClassCount, statusClasses } from './series.ts'
import {
  counterCellOf,
  counterNames,
  handshakeReasons,
  refusalCodes,
  workerCell,
  workerCounters,
} from './worker-counters.ts'
import type { WorkerPages } from './worker-pages.ts'

export type FamilyText = {
  /** Of the metric names. */
  readonly prefix: string
  /** Ends the help texts. */
  readonly what: string
  labelsOf(name: string): Labels
}

type FamilySeries = FamilyText & {
  readonly family: SeriesFamily
  readonly slots: readonly { readonly slot: number; readonly labels: Labels }[]
}

/**
 * Upper bounds shown for durations: powers of two of a microsecond, because these are bounds of our own
 * buckets too, so that what is shown was counted and not estimated. A bound is told as "less than",
 * where the format says "at most"; they differ by values of exactly one microsecond.
 */
const boundsUs: readonly number[] = [
  8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 24, 26,
].map((exponent) => 2 ** exponent)

/** Classes shown from the first request on, so that a rate sees the very first failure. */
const shownFromStart: ReadonlySet<string> = new Set(['2xx', '3xx', '4xx', '5xx'])

export function renderSeries(text: MetricText, pages: WorkerPages, series: FamilySeries): void {
  const { prefix, what, family, slots } = series
  text.begin(
    `${prefix}_requests`,
    'counter',
    `Requests ${what}, by class of status and by who answered.`,
  )
  for (const { slot, labels } of slots) {
    const sumOf = (cell: number) => pages.seriesSum(family, slot, cell)
    renderAnswers(text, seriesCell.upstreamAnswers, { ...labels, answered_by: 'upstream' }, sumOf)
    renderAnswers(text, seriesCell.gatewayAnswers, { ...labels, answered_by: 'gateway' }, sumOf)
  }
  const single = (name: string, type: 'counter' | 'gauge', cell: number, help: string) => {
    text.begin(`${prefix}_${name}`, type, `${help} ${what}.`)
    for (const { slot, labels } of slots) {
      const value = pages.seriesSum(family, slot, cell)
      text.sample(type === 'counter' ? '_total' : '', labels, value)
    }
  }
  single('request_bytes', 'counter', seriesCell.requestBytes, 'Bytes of requests')
  single('response_bytes', 'counter', seriesCell.responseBytes, 'Bytes of responses')
  single('requests_in_flight', 'gauge', seriesCell.inFlight, 'Requests being served')
  const histogram = (name: string, cells: HistogramCells, help: string) => {
    text.begin(`${prefix}_${name}_seconds`, 'histogram', `${help} ${what}.`)
    for (const { slot, labels } of slots) {
      renderHistogram(text, labels, cells, (cell) => pages.seriesSum(family, slot, cell))
    }
  }
  histogram(
    'request_duration',
    { buckets: seriesCell.durationBuckets, sumUs: seriesCell.durationSumUs },
    'From the first byte of the request to the last of the response,',
  )
  if (family !== 'version') return
  histogram(
    'first_byte',
    { buckets: seriesCell.upstreamBuckets, sumUs: seriesCell.upstreamSumUs },
    'From the request sent to the first byte of the answer,',
  )
}

export function renderWorkers(text: MetricText, pages: WorkerPages): void {
  for (const name of counterNames) {
    const { metric, help } = workerCounters[name]
    text.begin(`headgate_${metric}`, 'counter', help)
    text.sample('_total', {}, pages.workerSum(counterCellOf(name)))
  }
  text.begin('headgate_client_connections_open', 'gauge', 'Client connections that are open.')
  text.sample('', {}, pages.workerSum(workerCell.openConnections))
  text.begin('headgate_tunnels_open', 'gauge', 'Upgraded connections (WebSocket) that are open.')
  text.sample('', {}, pages.workerSum(workerCell.tunnels))
  text.begin(
    'headgate_tunnels_open_by_revision',
    'gauge',
    'Upgraded connections that are open, by the revision of the configuration they live on.',
  )
  for (const [revision, count] of pages.tunnelsByRevision()) {
    text.sample('', { revision: String(revision) }, count)
  }
  text.begin('headgate_messages_refused', 'counter', 'Messages refused on the wire, by error code.')
  for (const [index, code] of refusalCodes.entries()) {
    text.sample('_total', { code }, pages.workerSum(workerCell.refusals + index))
  }
  text.begin(
    'headgate_tls_handshakes_refused',
    'counter',
    'TLS handshakes with clients that came to nothing, by reason.',
  )
  for (const [index, reason] of handshakeReasons.entries()) {
    text.sample('_total', { reason }, pages.workerSum(workerCell.handshakeRefusals + index))
  }
  text.begin('headgate_event_loop_lag_seconds', 'histogram', 'How late workers run their timers.')
  const lag = { buckets: workerCell.lagBuckets, sumUs: workerCell.lagSumUs }
  renderHistogram(text, {}, lag, (cell) => pages.workerSum(cell))
}

type CellSum = (cell: number) => number

function renderAnswers(text: MetricText, first: number, labels: Labels, sumOf: CellSum): void {
  for (let index = 0; index < statusClassCount; index += 1) {
    const statusClass = statusClasses[index] ?? ''
    const value = sumOf(first + index)
    if (value === 0 && !shownFromStart.has(statusClass)) continue
    text.sample('_total', { ...labels, status_class: statusClass }, value)
  }
}

type HistogramCells = { readonly buckets: number; readonly sumUs: number }

function renderHistogram(
  text: MetricText,
  labels: Labels,
  { buckets, sumUs }: HistogramCells,
  sumOf: CellSum,
): void {
  let count = 0
  let bucket = 0
  for (const boundUs of boundsUs) {
    for (; bucket < bucketOf(boundUs); bucket += 1) count += sumOf(buckets + bucket)
    text.sample('_bucket', { ...labels, le: String(boundUs / 1e6) }, count)
  }
  for (; bucket < histogramBucketCount; bucket += 1) count += sumOf(buckets + bucket)
  text.sample('_bucket', { ...labels, le: '+Inf' }, count)
  text.sample('_count', labels, count)
  text.sample('_sum', labels, sumOf(sumUs) / 1e6)
}
