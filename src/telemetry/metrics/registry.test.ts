import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { simulatedClock } from '../../base/clock.ts'
import { MetricRegistry, type WorkerState } from './registry.ts'
import { seriesPerPage } from './series.ts'
import { WorkerMetrics } from './worker-metrics.ts'

function registryOf(workers: readonly WorkerState[] = []) {
  const clock = simulatedClock()
  const registry = new MetricRegistry({
    clock,
    build: { version: '0.1.0' },
    workers: () => workers,
  })
  registry.setNames([
    { family: 'route', slot: 0, name: '(others)' },
    { family: 'route', slot: 1, name: 'books' },
    { family: 'version', slot: 1, name: 'books/v1' },
    { family: 'app', slot: 1, name: 'mobile' },
  ])
  return { registry, clock }
}

type Sample = { readonly metric: string; readonly line: string; readonly value: number }

/** Reads OpenMetrics text strictly enough to notice what the format forbids. */
function parse(text: string): Map<string, Sample> {
  ok(text.endsWith('# EOF\n'))
  const samples = new Map<string, Sample>()
  const seen = new Set<string>()
  let metric = ''
  let type = ''
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    const typeLine = /^# TYPE ([a-z0-9_]+) (counter|gauge|histogram|info)$/.exec(line)
    if (typeLine !== null) {
      metric = typeLine[1] ?? ''
      type = typeLine[2] ?? ''
      ok(!seen.has(metric), `${metric} begins twice`)
      seen.add(metric)
      continue
    }
    if (line.startsWith('# HELP ')) {
      ok(line.startsWith(`# HELP ${metric} `))
      continue
    }
    const label = '[a-z_]+="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"'
    const sample = new RegExp(`^([a-z0-9_]+)(?:\\{(?:${label}(?:,${label})*)\\})? (\\S+)$`).exec(
      line,
    )
    ok(sample !== null, `not a sample: ${line}`)
    const suffixes = {
      counter: ['_total'],
      gauge: [''],
      info: ['_info'],
      histogram: ['_bucket', '_count', '_sum'],
    }[type]
    ok(
      suffixes?.some((suffix) => sample[1] === metric + suffix),
      line,
    )
    const key = line.slice(0, line.lastIndexOf(' '))
    ok(!samples.has(key), `twice: ${key}`)
    const value = Number(sample[2])
    ok(Number.isFinite(value), line)
    samples.set(key, { metric, line, value })
  }
  return samples
}

function shownValue(registry: MetricRegistry, key: string): number | undefined {
  return parse(registry.render()).get(key)?.value
}

test('requests are counted by route, version, class of status and who answered', () => {
  const { registry } = registryOf()
  const metrics = new WorkerMetrics(registry.pagesFor(0))
  const route = metrics.series('route', 1)
  const version = metrics.series('version', 1)
  for (const status of [200, 204, 404, 503]) route.observe(status, 1_000, 10, 100, false)
  route.observe(429, 50, 10, 20, true)
  route.observe(0, 50, 10, 0, true)
  version.observe(200, 1_000, 10, 100, false)
  const samples = parse(registry.render())
  const requests = (labels: string) => samples.get(`headgate_requests_total{${labels}}`)?.value
  equal(requests('route="books",answered_by="upstream",status_class="2xx"'), 2)
  equal(requests('route="books",answered_by="upstream",status_class="3xx"'), 0)
  equal(requests('route="books",answered_by="upstream",status_class="4xx"'), 1)
  equal(requests('route="books",answered_by="upstream",status_class="5xx"'), 1)
  equal(requests('route="books",answered_by="gateway",status_class="4xx"'), 1)
  equal(requests('route="books",answered_by="gateway",status_class="none"'), 1)
  equal(samples.get('headgate_response_bytes_total{route="books"}')?.value, 420)
  equal(samples.get('headgate_request_bytes_total{route="books"}')?.value, 60)
  const ofVersion =
    'headgate_upstream_requests_total{upstream="books",version="v1",answered_by="upstream",status_class="2xx"}'
  equal(samples.get(ofVersion)?.value, 1)
})

test('buckets are cumulative, bounded and agree with the count', () => {
  const { registry } = registryOf()
  const series = new WorkerMetrics(registry.pagesFor(0)).series('version', 1)
  for (const us of [1, 255, 256, 1_023, 1_024, 5_000, 70_000_000, 1e12]) {
    series.observe(200, us, 0, 0, false)
    series.observeUpstream(us)
  }
  const samples = parse(registry.render())
  for (const name of ['request_duration', 'first_byte']) {
    const metric = `headgate_upstream_${name}_seconds`
    const at = (le: string) =>
      samples.get(`${metric}_bucket{upstream="books",version="v1",le="${le}"}`)?.value
    equal(at('0.000256'), 2)
    equal(at('0.001024'), 4)
    equal(at('0.002048'), 5)
    equal(at('67.108864'), 6)
    equal(at('+Inf'), 8)
    equal(samples.get(`${metric}_count{upstream="books",version="v1"}`)?.value, 8)
    const buckets = [...samples].filter(([key]) => key.startsWith(`${metric}_bucket`))
    equal(buckets.length, 17)
    const values = buckets.map(([, { value }]) => value)
    deepEqual(
      values,
      values.toSorted((left, right) => left - right),
    )
  }
})

test('in-flight requests are a gauge that ends with its worker', () => {
  const { registry } = registryOf()
  const series = new WorkerMetrics(registry.pagesFor(0)).series('route', 1)
  series.enter()
  series.enter()
  series.leave()
  equal(shownValue(registry, 'headgate_requests_in_flight{route="books"}'), 1)
  series.observe(200, 1, 0, 0, false)
  registry.retire(0)
  equal(shownValue(registry, 'headgate_requests_in_flight{route="books"}'), 0)
})

test('counters are summed over workers and never go back when one dies and is replaced', () => {
  const { registry } = registryOf()
  const count = (index: number) => {
    const metrics = new WorkerMetrics(registry.pagesFor(index))
    metrics.series('route', 1).observe(200, 3_000, 1, 2, false)
    metrics.count('retries')
    metrics.countRefused('wire.bad_host')
    metrics.setOpenConnections(7)
  }
  const key = 'headgate_requests_total{route="books",answered_by="upstream",status_class="2xx"}'
  for (let life = 1; life <= 3; life += 1) {
    count(0)
    count(1)
    equal(shownValue(registry, 'headgate_client_connections_open'), 7 * 2)
    equal(shownValue(registry, key), 2 * life)
    registry.retire(0)
    registry.retire(1)
    registry.retire(1)
    equal(shownValue(registry, key), 2 * life)
    equal(shownValue(registry, 'headgate_request_duration_seconds_count{route="books"}'), 2 * life)
    equal(shownValue(registry, 'headgate_upstream_retries_total'), 2 * life)
    equal(shownValue(registry, 'headgate_messages_refused_total{code="wire.bad_host"}'), 2 * life)
    equal(shownValue(registry, 'headgate_client_connections_open'), 0)
  }
})

test('a refusal with a code that is no wire error is counted as other', () => {
  const { registry } = registryOf()
  new WorkerMetrics(registry.pagesFor(0)).countRefused('gateway.draining')
  equal(shownValue(registry, 'headgate_messages_refused_total{code="other"}'), 1)
})

test('what a worker counted before its page arrived is not lost', () => {
  const { registry } = registryOf()
  const metrics = new WorkerMetrics()
  metrics.count('connectionsAccepted')
  metrics.addPages(registry.pagesFor(0))
  metrics.addPages(registry.pagesFor(0))
  metrics.count('connectionsAccepted')
  equal(shownValue(registry, 'headgate_client_connections_accepted_total'), 2)
})

test('pages grow with the names, and series resolved before keep counting', () => {
  const { registry } = registryOf()
  const metrics = new WorkerMetrics(registry.pagesFor(0))
  const before = metrics.series('route', 1)
  const slot = seriesPerPage * 3 + 5
  registry.setNames([{ family: 'route', slot, name: 'far' }])
  equal(registry.pagesFor(0).filter(({ family }) => family === 'route').length, 4)
  metrics.addPages(registry.pagesFor(0))
  metrics.series('route', slot).observe(200, 1, 0, 0, false)
  before.observe(200, 1, 0, 0, false)
  deepEqual(
    registry.snapshotOf('route').map(({ name, requests }) => [name, requests]),
    [
      ['books', 1],
      ['far', 1],
    ],
  )
})

test('every slot of a page has cells of its own', () => {
  const { registry } = registryOf()
  registry.setNames(
    Array.from(
      { length: 130 },
      (_, slot) => ({ family: 'route', slot, name: `r${slot}` }) as const,
    ),
  )
  const metrics = new WorkerMetrics(registry.pagesFor(0))
  for (let slot = 0; slot < 130; slot += 1) {
    const series = metrics.series('route', slot)
    for (let count = 0; count <= slot; count += 1) {
      series.observe(599, 1e15, 1, 1, true)
      series.observeUpstream(1e15)
    }
  }
  deepEqual(
    registry.snapshotOf('route').map(({ requests, errors }) => requests - errors),
    Array.from({ length: 130 }, () => 0),
  )
  deepEqual(
    registry.snapshotOf('route').map(({ requests }) => requests),
    Array.from({ length: 130 }, (_, slot) => slot + 1),
  )
})

test('a series without requests is left out, names are escaped', () => {
  const { registry } = registryOf()
  registry.setNames([{ family: 'route', slot: 2, name: 'a"b\\c\nd' }])
  const metrics = new WorkerMetrics(registry.pagesFor(0))
  ok(!registry.render().includes('route='))
  metrics.series('route', 2).observe(200, 1, 0, 0, false)
  match(registry.render(), /\{route="a\\"b\\\\c\\nd"\}/)
  ok(!registry.render().includes('route="books"'))
  parse(registry.render())
})

test('build, revision, workers and the metrics of other rooms are shown', () => {
  const { registry } = registryOf([
    { index: 0, state: 'serving', revision: 7, restarts: 0 },
    { index: 1, state: 'gone', revision: 6, restarts: 2 },
  ])
  registry.setRevision(7)
  registry.addSource({
    name: 'ledger_table_full',
    type: 'counter',
    help: 'Requests allowed uncounted.',
    read: () => [{ labels: {}, value: 3 }],
  })
  const samples = parse(registry.render())
  const value = (key: string) => samples.get(key)?.value
  equal(value('headgate_build_info{version="0.1.0"}'), 1)
  equal(value('headgate_config_revision'), 7)
  equal(value('headgate_worker_up{worker="0"}'), 1)
  equal(value('headgate_worker_up{worker="1"}'), 0)
  equal(value('headgate_worker_revision{worker="1"}'), 6)
  equal(value('headgate_worker_restarts_total{worker="1"}'), 2)
  equal(value('headgate_ledger_table_full_total'), 3)
})

test('a summary gives counts and quantiles; a window gives what happened since the last look', () => {
  const { registry, clock } = registryOf()
  const series = new WorkerMetrics(registry.pagesFor(0)).series('route', 1)
  for (let request = 0; request < 98; request += 1) series.observe(200, 10_000, 1, 2, false)
  series.observe(502, 1_000_000, 1, 2, true)
  series.observe(500, 1_000_000, 1, 2, false)
  const [summary] = registry.snapshotOf('route')
  equal(summary?.requests, 100)
  equal(summary?.errors, 2)
  equal(summary?.gatewayAnswers, 1)
  ok(Math.abs((summary?.p50Ms ?? 0) - 10) <= 10 / 16)
  ok(Math.abs((summary?.p99Ms ?? 0) - 1_000) <= 1_000 / 16)
  const window = registry.openWindow('route')
  const other = registry.openWindow('route')
  equal(window.next().series[0]?.requests, 0)
  equal(window.next().series[0]?.p50Ms, undefined)
  series.enter()
  series.observe(200, 1_000_000, 1, 2, false)
  clock.advance(1_000)
  registry.retire(0)
  const { elapsedMs, series: changed } = window.next()
  equal(elapsedMs, 1_000)
  equal(changed[0]?.name, 'books')
  equal(changed[0]?.requests, 1)
  equal(changed[0]?.errors, 0)
  equal(changed[0]?.responseBytes, 2)
  ok((changed[0]?.p50Ms ?? 0) > 900)
  equal(window.next().series[0]?.requests, 0)
  equal(other.next().series[0]?.requests, 1)
})

test('the lag of the event loop is measured while it is watched', () => {
  const { registry, clock } = registryOf()
  const metrics = new WorkerMetrics(registry.pagesFor(0))
  const timer = metrics.watchEventLoop(clock)
  clock.advance(1_000)
  equal(shownValue(registry, 'headgate_event_loop_lag_seconds_count'), 10)
  equal(shownValue(registry, 'headgate_event_loop_lag_seconds_sum'), 0)
  timer.cancel()
  clock.advance(1_000)
  equal(shownValue(registry, 'headgate_event_loop_lag_seconds_count'), 10)
})

test('what another thread counts is read here, also after the thread was terminated', async () => {
  const { registry } = registryOf()
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
     import(workerData.module).then(({ WorkerMetrics }) => {
       const series = new WorkerMetrics(workerData.pages).series('route', 1)
       for (let count = 0; count < 100000; count += 1) series.observe(200, count, 1, 1, false)
       parentPort.postMessage('done')
     })
     setInterval(() => {}, 1000)`,
    {
      eval: true,
      workerData: {
        pages: registry.pagesFor(0),
        module: new URL('./worker-metrics.ts', import.meta.url).href,
      },
    },
  )
  await once(worker, 'message')
  await worker.terminate()
  equal(registry.snapshotOf('route')[0]?.requests, 100_000)
  registry.retire(0)
  equal(registry.snapshotOf('route')[0]?.requests, 100_000)
})

test('open tunnels are told apart by revision, and those of a dead worker are gone', () => {
  const { registry } = registryOf()
  const workers = [0, 1].map((index) => new WorkerMetrics(registry.pagesFor(index)))
  for (const metrics of workers) metrics.addTunnels(3, 1)
  workers[0]?.addTunnels(5, 1)
  workers[0]?.addTunnels(5, 1)
  workers[0]?.addTunnels(5, -1)
  deepEqual(registry.tunnelsOf(0), [
    { revision: 3, count: 1 },
    { revision: 5, count: 1 },
  ])
  equal(shownValue(registry, 'headgate_tunnels_open'), 3)
  equal(shownValue(registry, 'headgate_tunnels_open_by_revision{revision="3"}'), 2)
  registry.retire(0)
  equal(shownValue(registry, 'headgate_tunnels_open'), 1)
  equal(shownValue(registry, 'headgate_tunnels_open_by_revision{revision="5"}'), undefined)
})

test('tunnels of more revisions than have a place are in the total, and leave no place behind', () => {
  const { registry } = registryOf()
  const metrics = new WorkerMetrics(registry.pagesFor(0))
  const revisions = Array.from({ length: 40 }, (_, index) => index + 1)
  for (const revision of revisions) metrics.addTunnels(revision, 1)
  equal(shownValue(registry, 'headgate_tunnels_open'), 40)
  equal(registry.tunnelsOf(0).length, 16)
  for (const revision of revisions) metrics.addTunnels(revision, -1)
  equal(shownValue(registry, 'headgate_tunnels_open'), 0)
  deepEqual(registry.tunnelsOf(0), [])
  metrics.addTunnels(41, 1)
  deepEqual(registry.tunnelsOf(0), [{ revision: 41, count: 1 }])
})
