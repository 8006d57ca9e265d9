/**
 * Time and timers, passed in everywhere else. `systemClock` is the only place of the server that
 * reads the system's clock; tests use `simulatedClock`.
 */

export type Timer = { cancel(): void }

export type Clock = {
  /** Monotonic milliseconds with a fraction, for durations and deadlines. */
  now(): number
  /**
   * Monotonic milliseconds on one scale for all threads of the process: what one thread writes into
   * shared memory, another can compare. `now()` cannot do that, it counts from the start of its thread.
   */
  sharedNowMs(): number
  /** Milliseconds since 1970-01-01 UTC, for what people read. */
  wallMs(): number
  /** Calls `run` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer
  /** Calls `run` every `periodMs`. The timer does not keep the process alive. */
  every(periodMs: number, run: () => void): Timer
}

export function systemClock(): Clock {
  const offsetMs = sharedOffsetMs()
  return {
    now: () => performance.now(),
    sharedNowMs: () => performance.now() + offsetMs,
    wallMs: () => Date.now(),
    after(delayMs, run) {
      if (delayMs > timerMsMax) return afterLong(delayMs, run)
      const timer = setTimeout(run, delayMs)
      unref(timer)
      return { cancel: () => clearTimeout(timer) }
    },
    every(periodMs, run) {
      if (periodMs > timerMsMax) return everyLong(periodMs, run)
      const timer = setInterval(run, periodMs)
      unref(timer)
      return { cancel: () => clearInterval(timer) }
    },
  }
}

/** The longest wait of a platform timer, 24.8 days; a longer one would fire at once. */
const timerMsMax = 2 ** 31 - 1

/** A long wait in legs, each counted from the deadline, so that delays do not add up. */
function afterLong(delayMs: number, run: () => void): Timer {
  const dueMs = performance.now() + delayMs
  let timer: ReturnType<typeof setTimeout> | undefined
  const arm = () => {
    const restMs = dueMs - performance.now()
    timer = setTimeout(restMs > timerMsMax ? arm : run, Math.min(restMs, timerMsMax))
    unref(timer)
  }
  arm()
  return { cancel: () => clearTimeout(timer) }
}

function everyLong(periodMs: number, run: () => void): Timer {
  let timer = afterLong(periodMs, tick)
  function tick() {
    timer = afterLong(periodMs, tick)
    run()
  }
  return { cancel: () => timer.cancel() }
}

const calibrationRounds = 8

/**
 * What to add to `performance.now()` of this thread to get the scale all threads share. In Node both
 * `performance.now` and `process.hrtime` read the system's monotonic clock, so the distance between
 * them never changes and is measured once; `performance.timeOrigin` would not do, because it is wall
 * time and a step of the wall clock between the starts of two threads would stay in it for ever. The
 * round with the shortest distance between its two readings was interrupted least and is kept. A
 * browser has no threads of ours that share memory, so the wall-clock origin is good enough there.
 */
function sharedOffsetMs(): number {
  if (typeof process === 'undefined' || typeof process.hrtime !== 'function') {
    return performance.timeOrigin
  }
  let bestGapMs = Number.POSITIVE_INFINITY
  let offsetMs = 0
  for (let round = 0; round < calibrationRounds; round += 1) {
    const beforeMs = performance.now()
    const [seconds, nanoseconds] = process.hrtime()
    const gapMs = performance.now() - beforeMs
    if (gapMs >= bestGapMs) continue
    bestGapMs = gapMs
    offsetMs = seconds * 1_000 + nanoseconds / 1_000_000 - (beforeMs + gapMs / 2)
  }
  return offsetMs
}

/** In Node a timer is an object that can be unreferenced; in the browser it is a number. */
function unref(timer: unknown): void {
  if (
    typeof timer === 'object' &&
    timer !== null &&
    'unref' in timer &&
    typeof timer.unref === 'function'
  ) {
    timer.unref()
  }
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
export function wait(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason)
      return
    }
    const onAbort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

export type SimulatedClock = Clock & {
  /** Moves time on, running due timers in the order of their time. */
  advance(ms: number): void
}

/** A clock that stands still until told to move. `wallMs` starts at `startMs`. */
export function simulatedClock(startMs = 1_700_000_000_000): SimulatedClock {
  type Due = { atMs: number; run: () => void; periodMs: number | undefined }
  const due = new Set<Due>()
  let nowMs = 0
  const add = (entry: Due): Timer => {
    due.add(entry)
    return { cancel: () => void due.delete(entry) }
  }
  const nextDue = (untilMs: number): Due | undefined => {
    let next: Due | undefined
    for (const entry of due) {
      if (entry.atMs <= untilMs && (next === undefined || entry.atMs < next.atMs)) next = entry
    }
    return next
  }
  return {
    now: () => nowMs,
    sharedNowMs: () => nowMs,
    wallMs: () => startMs + nowMs,
    after: (delayMs, run) => add({ atMs: nowMs + Math.max(delayMs, 0), run, periodMs: undefined }),
    every(periodMs, run) {
      // As the platform does: a period of nothing would keep `advance` busy for ever.
      const boundedMs = Math.max(periodMs, 1)
      return add({ atMs: nowMs + boundedMs, run, periodMs: boundedMs })
    },
    advance(ms) {
      const untilMs = nowMs + ms
      for (let entry = nextDue(untilMs); entry !== undefined; entry = nextDue(untilMs)) {
        nowMs = entry.atMs
        if (entry.periodMs === undefined) due.delete(entry)
        else entry.atMs += entry.periodMs
        entry.run()
      }
      nowMs = untilMs
    },
  }
}
