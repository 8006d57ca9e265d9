/**
 * Token bucket. Defined as: a key starts with `burst` permits; permits come back continuously at
 * `count` per period, never beyond `burst`; a request takes one whole permit or is refused. In any time
 * `t` at most `burst + t × count / period` requests pass. A full bucket is the same as no row at all.
 */
import type { LimiterAnswer, LimiterSettings } from './ledger.ts'
import { rowCell } from './memory.ts'
import type { LedgerTable } from './table.ts'

const permitsAt = rowCell.own

/** Adding fractions may end a hair below the whole number that they amount to. */
const tolerance = 1e-9

/** Takes a permit from the acquired row and writes into `answer` what came of it. */
export function takeFromBucket(
  table: LedgerTable,
  row: number,
  settings: LimiterSettings,
  nowMs: number,
  answer: LimiterAnswer,
): void {
  const { floats } = table
  const permitsPerMs = settings.count / settings.periodMs
  let changedMs = nowMs
  let permits = settings.burst
  if (!table.isFresh) {
    // Clocks of two threads differ by microseconds: time never runs backwards in a row.
    changedMs = Math.max(nowMs, floats[row + rowCell.changedMs] ?? 0)
    const elapsedMs = changedMs - (floats[row + rowCell.changedMs] ?? 0)
    const refilled = (floats[row + permitsAt] ?? 0) + elapsedMs * permitsPerMs
    permits = Math.min(settings.burst, refilled)
  }
  const isAllowed = permits >= 1 - tolerance
  if (isAllowed) permits = Math.max(0, permits - 1)
  const resetMs = (settings.burst - permits) / permitsPerMs
  // The time first: a thread that dies between the two writes loses permits rather than invents some.
  floats[row + rowCell.changedMs] = changedMs
  floats[row + permitsAt] = permits
  floats[row + rowCell.expiresMs] = changedMs + resetMs
  answer.isAllowed = isAllowed
  answer.remaining = Math.floor(permits + tolerance)
  answer.resetMs = resetMs
  answer.retryAfterMs = isAllowed ? 0 : (1 - permits) / permitsPerMs
}
