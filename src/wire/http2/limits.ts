/**
 * What one HTTP/2 connection of a client may do. Each limit answers a known way to make a server work
 * for nothing; reaching one ends the connection with ENHANCE_YOUR_CALM and is counted by its code.
 */
import type { ErrorCode } from '../../base/errors.ts'

export const http2Limits = {
  /** Streams open at a time (RFC 9113 §5.1.2). */
  concurrentStreamsMax: 128,
  /** Streams that the client may take back per period (rapid reset, CVE-2023-44487). */
  resetsPerPeriodMax: 200,
  /** SETTINGS and PING frames per period: each makes us answer (CVE-2019-9515, CVE-2019-9512). */
  settingsPerPeriodMax: 50,
  pingsPerPeriodMax: 100,
  /** DATA frames without data or end (CVE-2019-9518), and frames that are not valid, per connection. */
  invalidFramesMax: 100,
  /** Streams beyond `concurrentStreamsMax` that are opened nevertheless, per connection. */
  rejectedStreamsMax: 200,
  /** Entries of one SETTINGS frame. */
  settingsEntriesMax: 32,
  /** Memory of one connection, in the MB of `maxSessionMemory`. */
  sessionMemoryMegabytesMax: 10,
  /** CONTINUATION frames are bounded by nghttp2 (8 per head), the size of the head by these. */
  headerBytesFactor: 2,
} as const

export const floodPeriodMs = 10_000

export type Flood = Extract<
  ErrorCode,
  'wire.http2_reset_flood' | 'wire.http2_settings_flood' | 'wire.http2_ping_flood'
>

const maxByFlood: Readonly<Record<Flood, number>> = {
  'wire.http2_reset_flood': http2Limits.resetsPerPeriodMax,
  'wire.http2_settings_flood': http2Limits.settingsPerPeriodMax,
  'wire.http2_ping_flood': http2Limits.pingsPerPeriodMax,
}

/** Counts what a client makes us do, in periods that begin anew. */
export class FloodGuard {
  readonly #counts: Record<Flood, number> = {
    'wire.http2_reset_flood': 0,
    'wire.http2_settings_flood': 0,
    'wire.http2_ping_flood': 0,
  }
  #periodStartMs: number

  constructor(nowMs: number) {
    this.#periodStartMs = nowMs
  }

  /** Counts one more; true when that is too many. */
  isTooMany(flood: Flood, nowMs: number): boolean {
    if (nowMs - this.#periodStartMs >= floodPeriodMs) {
      this.#periodStartMs = nowMs
      for (const name of floods) this.#counts[name] = 0
    }
    return ++this.#counts[flood] > maxByFlood[flood]
  }
}

const floods = [
  'wire.http2_reset_flood',
  'wire.http2_settings_flood',
  'wire.http2_ping_flood',
] as const satisfies readonly Flood[]
