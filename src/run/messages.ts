/** What supervisor and workers say to each other. Nothing is sent per request. */
import type { LeaseSet } from '../accounts/leases.ts'
import type { KeySet } from '../accounts/private-keys.ts'
import type { Snapshot } from '../proxy/snapshot.ts'
import type { MetricPage } from '../telemetry/metrics/pages.ts'
import type { Transport } from '../wire/tcp/open-stream.ts'

export type WorkerStart = {
  readonly workerIndex: number
  readonly listen: { readonly host: string; readonly port: number; readonly isPortShared: boolean }
  /** The wanted one; `socket` is also what an unsound `handle` falls back to. */
  readonly transport: Transport
  readonly ledgerMemory: SharedArrayBuffer
  readonly ringMemory: SharedArrayBuffer
}

/** A snapshot with what belongs to it and must not be in it. */
export type Publication = {
  readonly snapshot: Snapshot
  /** Secrets: they live in messages to workers and in the memory of `accounts/`, nowhere else. */
  readonly leases: LeaseSet
  /** Private keys of the certificates; the same holds for them. */
  readonly keys: KeySet
}

/** What the supervisor adds for its workers. */
export type TlsStart = {
  /** Where TLS clients connect; undefined for nowhere. */
  readonly tlsListen: WorkerStart['listen'] | undefined
  /** They encrypt session tickets, so that every worker resumes the sessions of all. */
  readonly ticketKeys: Uint8Array
}

export type ToWorker =
  | ({ readonly type: 'snapshot'; readonly metricPages: readonly MetricPage[] } & Publication &
      TlsStart)
  | { readonly type: 'ticketKeys'; readonly ticketKeys: Uint8Array }
  /** Close the ports; connections that stand go on. All workers do so before one of them drains. */
  | { readonly type: 'stopAccepting' }
  /** Stop accepting, finish what runs, close after `budgetMs` at the latest. */
  | { readonly type: 'drain'; readonly budgetMs: number }

export type FromWorker =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'applied'; readonly revision: number }
  | { readonly type: 'refused'; readonly revision: number; readonly message: string }
  | { readonly type: 'stoppedAccepting' }
  /** Connections that were cut off when the budget was over. */
  | { readonly type: 'drained'; readonly cutOff: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'log'; readonly line: string }
