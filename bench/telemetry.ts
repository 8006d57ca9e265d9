/** Prints nanoseconds of what telemetry adds to a request: `node bench/telemetry.ts`. */
import { systemClock } from '../src/base/clock.ts'
import { RingReader, RingWriter, ringMemory } from '../src/base/rings.ts'
import { CallWriter } from '../src/telemetry/calls/call-writer.ts'
import { LineFormatter, lineBytesMax } from '../src/telemetry/calls/log-line.ts'
import { MetricRegistry } from '../src/telemetry/metrics/registry.ts'
import { WorkerMetrics } from '../src/telemetry/metrics/worker-metrics.ts'

const clock = systemClock()
const rounds = 1_000_000

function print(name: string, run: (round: number) => void): void {
  for (let round = 0; round < rounds / 5; round += 1) run(round)
  const startMs = clock.now()
  for (let round = 0; round < rounds; round += 1) run(round)
  const ns = ((clock.now() - startMs) * 1e6) / rounds
  process.stdout.write(`${name.padEnd(46)} ${ns.toFixed(0).padStart(5)} ns\n`)
}

const registry = new MetricRegistry({ clock, build: {}, workers: () => [] })
registry.setNames([
  { family: 'route', slot: 1, name: 'books' },
  { family: 'version', slot: 1, name: 'books/v1' },
])
const series = new WorkerMetrics(registry.pagesFor(0)).series('route', 1)
print('series: enter, observe, observeUpstream, leave', (round) => {
  series.enter()
  series.observe(200, 500 + (round & 4_095), 300, 700, false)
  series.observeUpstream(400 + (round & 4_095))
  series.leave()
})

const memory = ringMemory(1_048_576)
const writer = new CallWriter(new RingWriter(memory))
const reader = new RingReader(memory)
const record = {
  atMs: clock.wallMs(),
  requestId: '0192f0c1-7c1e-7000-8000-000000000001',
  clientAddress: '192.168.100.200',
  method: 'GET',
  host: 'books.example.com',
  path: '/books/42/reviews',
  status: 200,
  reason: '',
  routeSlot: 1,
  versionSlot: 1,
  endpointSlot: -1,
  appSlot: -1,
  attempts: 1,
  durationUs: 1_234,
  upstreamUs: 987,
  requestBytes: 300,
  responseBytes: 700,
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
}
const ignore = () => undefined
print('call record into the ring (and skipped there)', (round) => {
  writer.write(record)
  if ((round & 255) === 0) reader.read(ignore, 1_000)
})

reader.read(ignore, 10_000)
const formatter = new LineFormatter()
formatter.setNames([
  { family: 'route', slot: 1, name: 'books' },
  { family: 'version', slot: 1, name: 'books/v1' },
])
const line = new Uint8Array(lineBytesMax)
const format = (offset: number) => void formatter.format(reader, offset, line, 0)
print('call record into the ring and out as a log line', () => {
  writer.write(record)
  reader.read(format, 1)
})
