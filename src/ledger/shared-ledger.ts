/**
 * The ledger of one process: counts in memory that all workers share, so that limits are exact over
 * all cores and reloads. It lives as long as the process; nothing is written to disk.
 *
 * When no row can be had, because the group of the key is full of rows in use or its lock could not
 * be won, the request is allowed and counted (`tableFull`, `lockGivenUp`): a table that is too
 * small must not turn into an outage, and the counters say that it is too small.
 */
import type { Clock } from '../base/clock.ts'
import { assert } from '../base/errors.ts'
import { KeyHash } from './key-hash.ts'
import type { Ledger, Limiter, LimiterAnswer, LimiterSettings } from './ledger.ts'
import { headerCell } from './memory.ts'
import { takeFromWindow } from './sliding-window.ts'
import { LedgerTable } from './table.ts'
import { takeFromBucket } from './token-bucket.ts'

export type LedgerCounters = {
  /** Keys that have a state worth keeping. */
  readonly rowsInUse: number
  readonly rowCount: number
  /** Requests allowed uncounted because there was no row for their key. */
  readonly tableFull: number
  /** Requests allowed uncounted because their row stayed locked. */
  readonly lockGivenUp: number
  /** Locks taken over from threads that died. */
  readonly lockTakenOver: number
}

export type SharedLedger = Ledger & {
  /** For metrics; walks the whole table. */
  counters(): LedgerCounters
}

/** Opens memory made by `ledgerMemory`; once per thread. */
export function openSharedLedger(
  memory: SharedArrayBuffer,
  { clock }: { readonly clock: Clock },
): SharedLedger {
  const table = new LedgerTable(memory)
  return {
    limiter: (scope, settings) => new SharedLimiter(table, clock, scope, settings),
    counters: () => ({
      rowsInUse: table.rowsInUse(clock.sharedNowMs()),
      rowCount: table.rowCount,
      tableFull: table.counter(headerCell.tableFull),
      lockGivenUp: table.counter(headerCell.lockGivenUp),
      lockTakenOver: table.counter(headerCell.lockTakenOver),
    }),
  }
}

const algorithms = { TokenBucket: takeFromBucket, SlidingWindow: takeFromWindow } as const

class SharedLimiter implements Limiter {
  readonly #table: LedgerTable
  readonly #clock: Clock
  readonly #settings: LimiterSettings
  readonly #hash: KeyHash
  readonly #takeFrom: (typeof algorithms)[LimiterSettings['algorithm']]
  readonly #answer: LimiterAnswer = { isAllowed: true, remaining: 0, resetMs: 0, retryAfterMs: 0 }

  constructor(table: LedgerTable, clock: Clock, scope: string, settings: LimiterSettings) {
    const { algorithm, count, periodMs, burst } = settings
    assert(count >= 1 && burst >= 1 && periodMs > 0, 'a limit allows something in some time')
    this.#table = table
    this.#clock = clock
    this.#settings = settings
    this.#takeFrom = algorithms[algorithm]
    // Keys of each scope are hashed under a key derived from it, so per request only the key is
    // hashed. The settings belong to it: a changed limit begins anew, it cannot read old counts.
    const outer = new KeyHash(...table.hashKey)
    outer.update(`${algorithm} ${count} ${periodMs} ${burst} ${scope}`)
    this.#hash = new KeyHash(outer.low, outer.high)
  }

  take(key: string): LimiterAnswer {
    const answer = this.#answer
    const nowMs = this.#clock.sharedNowMs()
    this.#hash.update(key)
    const row = this.#table.acquire(this.#hash.low, this.#hash.high, nowMs)
    if (row < 0) return this.#allowUncounted()
    this.#takeFrom(this.#table, row, this.#settings, nowMs, answer)
    this.#table.release()
    return answer
  }

  #allowUncounted(): LimiterAnswer {
    const answer = this.#answer
    answer.isAllowed = true
    answer.remaining = 0
    answer.resetMs = 0
    answer.retryAfterMs = 0
    return answer
  }
}
