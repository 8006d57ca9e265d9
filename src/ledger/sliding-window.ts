/**
 * Sliding window. Defined as: time is cut into slices of a tenth of the period; a request passes if
 * fewer than `count` have passed in the current slice and the ten before it. It follows that in no
 * stretch of time as long as the period more than `count` requests pass, wherever it begins, and that
 * a permit comes back at least one and at most 1.1 periods after its use.
 *
 * Refused: the usual counter of two windows, the older one weighted. It is smaller by 36 bytes a row,
 * but it only estimates: it lets more than `count` pass in a period after uneven traffic, and with a
 * small `count` it refuses for up to two periods. A log of all times is exact and has no bound.
 */
import type { LimiterAnswer, LimiterSettings } from './ledger.ts'
import { rowCell } from './memory.ts'
import type { LedgerTable } from './table.ts'

export const slicesPerPeriod = 10
/** The slices that count: ten whole ones and the current one. */
const sliceCount = slicesPerPeriod + 1

/** Takes a permit from the acquired row and writes into `answer` what came of it. */
export function takeFromWindow(
  table: LedgerTable,
  row: number,
  settings: LimiterSettings,
  nowMs: number,
  answer: LimiterAnswer,
): void {
  const { floats, words } = table
  const sliceMs = settings.periodMs / slicesPerPeriod
  // Two 32-bit cells per float; cell `slice % 11` counts what passed in that slice.
  const cells = (row + rowCell.own) * 2
  const slice = forgetOldSlices(table, row, Math.floor(nowMs / sliceMs))
  let used = 0
  for (let index = 0; index < sliceCount; index += 1) used += words[cells + index] ?? 0
  const isAllowed = used < settings.count
  if (isAllowed) {
    const cell = cells + cellOf(slice)
    words[cell] = (words[cell] ?? 0) + 1
    used += 1
    floats[row + rowCell.expiresMs] = (slice + sliceCount) * sliceMs
  }
  answer.isAllowed = isAllowed
  answer.remaining = Math.max(0, settings.count - used)
  answer.resetMs = Math.max(0, (floats[row + rowCell.expiresMs] ?? 0) - nowMs)
  answer.retryAfterMs = isAllowed
    ? 0
    : freeAgainMs(words, cells, slice, used - settings.count + 1) * sliceMs - nowMs
}

/** Also for the slices before time 0, where `%` gives what is no index. */
function cellOf(slice: number): number {
  const remainder = slice % sliceCount
  return remainder < 0 ? remainder + sliceCount : remainder
}

/** Clears the cells of slices that no longer count; returns the current slice of the row. */
function forgetOldSlices(table: LedgerTable, row: number, slice: number): number {
  const { floats, words } = table
  const cells = (row + rowCell.own) * 2
  const last = table.isFresh ? Number.NEGATIVE_INFINITY : (floats[row + rowCell.changedMs] ?? 0)
  // Clocks of two threads differ by microseconds: time never runs backwards in a row.
  if (slice <= last) return last
  const first = Math.max(last + 1, slice - slicesPerPeriod)
  for (let passed = first; passed <= slice; passed += 1) words[cells + cellOf(passed)] = 0
  floats[row + rowCell.changedMs] = slice
  return slice
}

/** The slice with whose beginning `needed` permits are free again. */
function freeAgainMs(words: Uint32Array, cells: number, slice: number, needed: number): number {
  let freed = 0
  let oldest = slice - slicesPerPeriod
  for (; oldest < slice; oldest += 1) {
    freed += words[cells + cellOf(oldest)] ?? 0
    if (freed >= needed) break
  }
  return oldest + sliceCount
}
