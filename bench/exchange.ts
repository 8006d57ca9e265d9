/**
 * JavaScript of one exchange without sockets: bytes go in and out of memory, so that what the kernel
 * costs does not hide what we cost. Prints µs per exchange for a plain and a typical route.
 */
import { systemClock } from '../src/base/clock.ts'
import { systemRandom } from '../src/base/random.ts'
import { ringMemory, RingReader, RingWriter } from '../src/base/rings.ts'
import { compile } from '../src/control/compile/compile.ts'
import { emptySlotTable } from '../src/control/compile/slots.ts'
import { admit } from '../src/control/admission/admit.ts'
import { parseConfig } from '../src/control/files/parse.ts'
import { LeaseTable } from '../src/accounts/lease-table.ts'
import { ledgerMemory } from '../src/ledger/memory.ts'
import { openSharedLedger } from '../src/ledger/shared-ledger.ts'
import { DataPlane } from '../src/proxy/data-plane.ts'
import { policyCatalog } from '../src/proxy/policies/catalog.ts'
import { callRecorder } from '../src/run/call-recorder.ts'
import { CallWriter } from '../src/telemetry/calls/call-writer.ts'
import { MetricRegistry } from '../src/telemetry/metrics/registry.ts'
import { WorkerMetrics } from '../src/telemetry/metrics/worker-metrics.ts'
import type { ByteStream, ByteStreamHandler } from '../src/wire/tcp/byte-stream.ts'
import { keyOf, plainHeadgate, typicalHeadgate } from './lib/configs.ts'

const warmUpCount = 100

const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 700\r\nConnection: keep-alive\r\n\r\n${'x'.repeat(700)}`,
)

class MemoryStream implements ByteStream {
  readonly peerAddress = '127.0.0.1'
  readonly peerPort = 50_000
  readonly isEncrypted = false
  handler: ByteStreamHandler | undefined
  readonly #onWrite: (bytes: Buffer) => void
  constructor(onWrite: (bytes: Buffer) => void) {
    this.#onWrite = onWrite
  }
  setHandler(handler: ByteStreamHandler): void {
    this.handler = handler
  }
  write(bytes: Buffer): boolean {
    this.#onWrite(bytes)
    return true
  }
  end(): void {}
  destroy(): void {}
  reset(): void {}
  readonly isFlushed = true
  pause(): void {}
  resume(): void {}
}

function planeOf(yaml: string): { plane: DataPlane; upstreams: MemoryStream[] } {
  const clock = systemClock()
  const random = systemRandom()
  const catalog = policyCatalog()
  const parsed = parseConfig([{ name: 'bench.yaml', text: yaml }], {})
  const admitted = admit(parsed.documents, catalog)
  if (!admitted.ok) throw new Error(JSON.stringify(admitted.problems))
  const { snapshot } = compile({
    revision: 1,
    resources: admitted.resources,
    splits: new Map(),
    catalog,
    slots: emptySlotTable,
    policyModules: [],
    caPems: new Map(),
    appKeyHashes: new Map(),
  })
  const registry = new MetricRegistry({ clock, build: {}, workers: () => [] })
  registry.setNames([
    ...snapshot.routes.map(({ slot, name }) => ({ family: 'route' as const, slot, name })),
    ...snapshot.upstreams.flatMap(({ versions }) =>
      versions.map(({ slot, name }) => ({ family: 'version' as const, slot, name })),
    ),
  ])
  const metrics = new WorkerMetrics(registry.pagesFor(0))
  const memory = ringMemory(4 * 1_048_576)
  const reader = new RingReader(memory)
  const isTypical = yaml.includes('accessLog')
  reader.setWanted(isTypical)
  const upstreams: MemoryStream[] = []
  const recorder = callRecorder(new CallWriter(new RingWriter(memory)), clock)
  let count = 0
  const plane = new DataPlane({
    clock,
    random,
    metrics,
    ledger: openSharedLedger(ledgerMemory(65_536, random), { clock }),
    log(line) {
      throw new Error(line)
    },
    record(exchange, durationUs) {
      recorder(exchange, durationUs)
      // Emptied now and then, in place of the telemetry thread.
      if (++count % 1_000 === 0) reader.read(() => undefined, 10_000)
    },
    connect(_target, outcome) {
      const stream: MemoryStream = new MemoryStream(() => stream.handler?.onBytes(answer))
      upstreams.push(stream)
      queueMicrotask(() => outcome.onConnected(stream))
      return { cancel: () => undefined }
    },
  })
  plane.apply(snapshot, catalog, new LeaseTable(new Map()))
  return { plane, upstreams }
}

async function run(title: string, yaml: string, head: string): Promise<void> {
  const { plane } = planeOf(yaml)
  let answers = 0
  const client = new MemoryStream((bytes) => {
    if (bytes.toString('latin1', 9, 12) !== '200') throw new Error(bytes.toString())
    answers++
  })
  plane.accept(client)
  const template = Buffer.from(head)
  // The first ones have to wait for their connections; from then on everything happens at once.
  for (let index = 0; index < warmUpCount; index++) {
    client.handler?.onBytes(Buffer.from(template))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const batch = 50_000
  const times: number[] = []
  for (let round = 0; round < 12; round++) {
    const start = process.cpuUsage()
    for (let index = 0; index < batch; index++) client.handler?.onBytes(Buffer.from(template))
    const used = process.cpuUsage(start)
    times.push((used.user + used.system) / batch)
  }
  plane.close()
  if (answers !== 12 * batch + warmUpCount) throw new Error(`${answers} answers of ${12 * batch}`)
  const sorted = times.slice(4).sort((a, b) => a - b)
  console.log(
    `${title}: ${sorted[0]?.toFixed(2)} µs best, ${sorted[Math.floor(sorted.length / 2)]?.toFixed(2)} median`,
  )
}

await run('pass-through', plainHeadgate(), 'GET /books/1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n')
await run(
  'typical',
  typicalHeadgate('/nowhere'),
  `GET /api-500/books/1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Api-Key: ${keyOf(7)}\r\n\r\n`,
)
process.exit(0)
