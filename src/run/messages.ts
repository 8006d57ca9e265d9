/** What supervisor, workers and the telemetry thread say to each other. Nothing is sent per request. */
import type { LeaseSet } from '../accounts/leases.ts'
import type { Snapshot } from '../proxy/snapshot.ts'
import type { MetricPage } from '../telemetry/metrics/pages.ts'

export type WorkerStart = {
  readonly workerIndex: number
  readonly listen: { readonly host: string; readonly port: number }
  readonly ledgerMemory: SharedArrayBuffer
  readonly ringMemory: SharedArrayBuffer
}

export type ToWorker =
  | {
      readonly type: 'snapshot'
      readonly snapshot: Snapshot
      readonly leases: LeaseSet
      readonly metricPages: readonly MetricPage[]
    }
  /** Stop accepting, finish what runs, close after `budgetMs` at the latest. */
  | { readonly type: 'drain'; readonly budgetMs: number }

export type FromWorker =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'applied'; readonly revision: number; readonly tookMs: number }
  | {
      readonly type: 'refused'
      readonly revision: number
      readonly code: string
      readonly message: string
    }
  | { readonly type: 'drained'; readonly abortedExchanges: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
