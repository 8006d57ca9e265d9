/** Counters that all workers share: exact across cores, kept over reloads. */

export type Ledger = {
  /** Opens a limiter; the same `scope` and settings share state with every worker and every reload. */
  limiter(scope: string, settings: LimiterSettings): Limiter
}

export type LimiterSettings = {
  readonly algorithm: 'TokenBucket' | 'SlidingWindow'
  /** Requests per period. */
  readonly count: number
  readonly periodMs: number
  /** Largest number at once, for `TokenBucket`. */
  readonly burst: number
}

export type Limiter = {
  /** Takes one permit for `key` if there is one. Reused object: read it before the next call. */
  take(key: string): LimiterAnswer
}

export type LimiterAnswer = {
  isAllowed: boolean
  /** Permits left now. */
  remaining: number
  /** Milliseconds until all permits are back (bucket) or the window has moved on. */
  resetMs: number
  /** Milliseconds until the next permit; 0 when allowed. */
  retryAfterMs: number
}
