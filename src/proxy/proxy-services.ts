import type { Clock } from '../base/clock.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { Exchange } from './exchange.ts'
import type { IdSource } from './forwarding.ts'

/** What exchanges of a worker share. */
export type ProxyServices = {
  readonly clock: Clock
  readonly ids: IdSource
  /** Milliseconds of `clock.now()`, renewed by the sweep. */
  coarseNow(): number
  /** In [0, 1). */
  fraction(): number
  /** `Date` of our own answers (RFC 9110 §6.6.1), renewed once a second. */
  httpDate(): string
  /** Metrics and call record of an exchange that has ended. */
  record(exchange: Exchange, durationUs: number): void
  onRetry(): void
  /** By the revision of the snapshot that an upgraded connection lives on. */
  onTunnelOpened(revision: number): void
  onTunnelClosed(revision: number): void
  onRefusedMessage(code: ErrorCode): void
  /** A line for the operator; never holds a secret. */
  log(line: string): void
}
