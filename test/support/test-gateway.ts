/**
 * A data plane in the thread of the test, made from the text of a configuration by the same steps as
 * in a worker. Its clock is simulated, so that every time limit is a matter of `advance`.
 */
import type { TestContext } from 'node:test'
import { LeaseTable } from '../../src/accounts/lease-table.ts'
import { type SimulatedClock, simulatedClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { compile } from '../../src/control/compile/compile.ts'
import { emptySlotTable, type SlotTable } from '../../src/control/compile/slots.ts'
import { ledgerMemory } from '../../src/ledger/memory.ts'
import { openSharedLedger } from '../../src/ledger/shared-ledger.ts'
import { DataPlane } from '../../src/proxy/data-plane.ts'
import type { Exchange } from '../../src/proxy/exchange.ts'
import { policyCatalog } from '../../src/proxy/policies/catalog.ts'
import type { PolicyDefinition } from '../../src/proxy/policies/define-policy.ts'
import { WorkerMetrics } from '../../src/telemetry/metrics/worker-metrics.ts'
import { WorkerPages } from '../../src/telemetry/metrics/worker-pages.ts'
import { seriesCell } from '../../src/telemetry/metrics/series.ts'
import {
  counterCellOf,
  refusalCellOf,
  type WorkerCounter,
  workerCell,
} from '../../src/telemetry/metrics/worker-counters.ts'
import { eventually } from './eventually.ts'
import { connectRaw, type RawSocket } from './raw-socket.ts'
import { resourcesOfYaml } from './resources.ts'

export type GatewayOptions = {
  /** Policies beside the built-in ones. */
  readonly policies?: readonly PolicyDefinition[]
  /** Field lines of accounts; one that is missing has no usable credential. */
  readonly leases?: Readonly<Record<string, readonly (readonly [string, string])[]>>
}

/** What is kept of an exchange that has ended. */
export type Settled = {
  readonly requestId: string
  readonly path: string
  readonly status: number
  readonly reason: string
  readonly route: string
  readonly version: string
  readonly endpoint: string
  readonly attempts: number
  readonly requestBytes: number
  readonly responseBytes: number
  readonly isAnsweredByGateway: boolean
}

export type TestGateway = {
  readonly plane: DataPlane
  readonly port: number
  readonly clock: SimulatedClock
  readonly settled: readonly Settled[]
  readonly lines: readonly string[]
  /** A connection of a client; closed at the end of the test. */
  connect(): Promise<RawSocket>
  apply(yaml: string, options?: GatewayOptions): void
  counted(counter: WorkerCounter): number
  refused(code: string): number
  openConnections(): number
  /** Open tunnels by the revision of their snapshot. */
  tunnels(): ReadonlyMap<number, number>
  /** Exchanges that run on the route. */
  inFlight(route?: string): number
}

const startMs = 1_000

export async function testGateway(
  t: TestContext,
  yaml: string,
  options: GatewayOptions = {},
): Promise<TestGateway> {
  const clock = simulatedClock()
  clock.advance(startMs)
  const random = seededRandom(1)
  const pages = new WorkerPages()
  const metrics = new WorkerMetrics(pages.pagesFor(0))
  const settled: Settled[] = []
  const lines: string[] = []
  const plane = new DataPlane({
    clock,
    random,
    metrics,
    ledger: openSharedLedger(ledgerMemory(1_024, random), { clock }),
    record: (exchange) => void settled.push(settledOf(exchange)),
    log: (line) => void lines.push(line),
  })
  let slots: SlotTable = emptySlotTable
  let revision = 0
  const apply = (text: string, more: GatewayOptions) => {
    const catalog = policyCatalog(more.policies)
    const output = compile({
      revision: ++revision,
      resources: resourcesOfYaml(text, catalog),
      splits: new Map(),
      catalog,
      slots,
      policyModules: [],
      caPems: new Map(),
      appKeyHashes: new Map(),
    })
    slots = output.slots
    pages.growTo('route', slots.route.length)
    pages.growTo('version', slots.version.length)
    metrics.addPages(pages.pagesFor(0))
    const leases = Object.entries(more.leases ?? {}).map(
      ([account, fields]) => [account, { account, fields }] as const,
    )
    plane.apply(output.snapshot, catalog, new LeaseTable(new Map(leases)))
  }
  apply(yaml, options)
  const port = await plane.listen({ host: '127.0.0.1', port: 0, isPortShared: false })
  const inFlight = (route = 'books') =>
    pages.seriesSum('route', slots.route.indexOf(route), seriesCell.inFlight)
  const clients: RawSocket[] = []
  t.after(async () => {
    plane.close()
    for (const client of clients) client.destroy()
    await eventually(() => plane.connectionCount === 0, 'all connections to be closed')
    for (const route of slots.route) {
      await eventually(() => inFlight(route) === 0, 'every exchange to be settled')
    }
  })
  return {
    plane,
    port,
    clock,
    settled,
    lines,
    async connect() {
      const client = await connectRaw(port)
      clients.push(client)
      return client
    },
    apply: (text, more = options) => apply(text, more),
    counted: (counter) => pages.workerSum(counterCellOf(counter)),
    refused: (code) => pages.workerSum(refusalCellOf(code)),
    openConnections: () => pages.workerSum(workerCell.openConnections),
    tunnels: () => pages.tunnelsByRevision(),
    inFlight,
  }
}

function settledOf(exchange: Exchange): Settled {
  const { requestId, request, status, reason, attemptCount: attempts } = exchange
  return {
    requestId,
    path: request.path,
    status,
    reason,
    route: exchange.route.name,
    version: exchange.version?.entry.name ?? '',
    endpoint: exchange.endpoint?.entry.url ?? '',
    attempts,
    requestBytes: exchange.requestBytes,
    responseBytes: exchange.responseBytes,
    isAnsweredByGateway: exchange.isAnsweredByGateway,
  }
}

/** A configuration with one upstream `books` behind every path. */
export function bookshop(url: string, more: { version?: string; gateway?: string } = {}): string {
  const gateway = more.gateway === undefined ? '' : `gateway: ${more.gateway}\n`
  return `version: 1
${gateway}upstreams:
  - name: books
    versions: { v1: { endpoints: [{ url: "${url}" }]${more.version === undefined ? '' : `, ${more.version}`} } }
    live: v1
routes:
  - { name: books, match: { path: "/**" }, to: books }
`
}
