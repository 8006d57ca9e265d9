/** Telemetry of one process: memory for the workers, metrics, and the thread that writes the access log. */
import type { Clock } from '../base/clock.ts'
import { ringMemory } from '../base/rings.ts'
import type { TrafficSummary } from '../control/gateway-options.ts'
import type { SharedLedger } from '../ledger/shared-ledger.ts'
import type { Snapshot } from '../proxy/snapshot.ts'
import { callMetrics } from '../telemetry/calls/call-metrics.ts'
import { startCallReader } from '../telemetry/calls/reader.ts'
import { MetricRegistry, type WorkerState } from '../telemetry/metrics/registry.ts'
import { type SlotName, versionParts } from '../telemetry/slot-names.ts'
import type { WorkerTelemetry } from './supervisor.ts'

export type TelemetryOptions = {
  readonly clock: Clock
  readonly version: string
  readonly ledger: SharedLedger
  workers(): readonly WorkerState[]
  log(line: string): void
}

export type Telemetry = WorkerTelemetry & {
  /** What a snapshot names and where its access log goes; before the snapshot is published. */
  describe(snapshot: Snapshot): void
  setRevision(revision: number): void
  /** OpenMetrics text. */
  metricsText(): string
  traffic(): TrafficSummary
  /** Opens the access log anew, after it was renamed. */
  reopenLogs(): void
  close(): Promise<void>
}

/** Call records that may wait for the telemetry thread, per worker. */
const ringBytes = 4 * 1_048_576

export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { clock, version, ledger, workers, log } = options
  const registry = new MetricRegistry({ clock, build: { version, node: process.version }, workers })
  const calls = startCallReader({ clock, log })
  const traffic = registry.openWindow('version')
  addLedgerMetrics(registry, ledger)
  for (const source of callMetrics(calls)) registry.addSource(source)
  return {
    openRing(workerIndex) {
      const memory = ringMemory(ringBytes)
      calls.addRing(workerIndex, memory)
      return memory
    },
    pagesFor: (workerIndex) => registry.pagesFor(workerIndex),
    tunnelsOf: (workerIndex) => registry.tunnelsOf(workerIndex),
    retire(workerIndex) {
      registry.retire(workerIndex)
      calls.removeRing(workerIndex)
    },
    describe(snapshot) {
      const names = slotNamesOf(snapshot)
      registry.setNames(names)
      calls.setNames(names)
      calls.setOutput(snapshot.gateway.accessLog)
    },
    setRevision: (revision) => registry.setRevision(revision),
    metricsText: () => registry.render(),
    traffic: () =>
      traffic.next().series.map(({ name, requests, errors, p95Ms }) => ({
        ...versionParts(name),
        requests,
        errors,
        p95Ms: p95Ms ?? 0,
      })),
    reopenLogs: () => calls.reopen(),
    close: () => calls.close(),
  }
}

function slotNamesOf(snapshot: Snapshot): SlotName[] {
  const names: SlotName[] = []
  for (const { slot, name } of snapshot.routes) names.push({ family: 'route', slot, name })
  for (const { slot, name } of snapshot.apps) names.push({ family: 'app', slot, name })
  for (const upstream of snapshot.upstreams) {
    for (const version of upstream.versions) {
      const name = `${upstream.name}/${version.name}`
      names.push({ family: 'version', slot: version.slot, name })
      for (const { slot, url } of version.endpoints)
        names.push({ family: 'endpoint', slot, name: `${name}/${url}` })
    }
  }
  return names
}

function addLedgerMetrics(registry: MetricRegistry, ledger: SharedLedger): void {
  const gauge = (name: string, help: string, read: () => number) =>
    registry.addSource({ name, type: 'gauge', help, read: () => [{ labels: {}, value: read() }] })
  const counter = (name: string, help: string, read: () => number) =>
    registry.addSource({ name, type: 'counter', help, read: () => [{ labels: {}, value: read() }] })
  gauge(
    'ledger_rows_in_use',
    'Keys with a state in the shared ledger.',
    () => ledger.counters().rowsInUse,
  )
  gauge(
    'ledger_rows',
    'Keys that the shared ledger has room for.',
    () => ledger.counters().rowCount,
  )
  counter(
    'ledger_table_full',
    'Requests allowed uncounted because the ledger was full.',
    () => ledger.counters().tableFull,
  )
  counter(
    'ledger_lock_given_up',
    'Requests allowed uncounted because their row stayed locked.',
    () => ledger.counters().lockGivenUp,
  )
}
