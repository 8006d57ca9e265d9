/**
 * The worker's side of the metrics: plain additions in memory that control reads. Nothing is sent and
 * nothing is allocated per request.
 */
import type { Clock, Timer } from '../../base/clock.ts'
import { assert } from '../../base/errors.ts'
import { bucketOf } from '../../base/histogram.ts'
import type { HandshakeRefusal } from '../../wire/tls/handshake-refusals.ts'
import type { MetricPage, SeriesFamily } from './pages.ts'
import { Series, seriesCells, seriesPerPage } from './series.ts'
import {
  counterCellOf,
  handshakeCellOf,
  refusalCellOf,
  tunnelGenerationsMax,
  type WorkerCounter,
  workerCell,
  workerPageCells,
} from './worker-counters.ts'

export { Series } from './series.ts'
export type { WorkerCounter } from './worker-counters.ts'

const lagPeriodMs = 100

export class WorkerMetrics {
  readonly #pages = new Map<string, Float64Array>()
  /** Memory of our own until the page of the worker arrives; what it has by then is carried over. */
  #own: Float64Array = new Float64Array(workerPageCells)

  constructor(pages: readonly MetricPage[] = []) {
    this.addPages(pages)
  }

  /** Takes memory that came with a snapshot; pages that are known already are ignored. */
  addPages(pages: readonly MetricPage[]): void {
    for (const { family, pageIndex, memory } of pages) {
      const key = `${family}/${pageIndex}`
      if (this.#pages.has(key)) continue
      const cells = new Float64Array(memory)
      this.#pages.set(key, cells)
      if (family === 'worker') this.#moveInto(cells)
    }
  }

  /** The series of a slot; its page must have come with this snapshot or an earlier one. */
  series(family: SeriesFamily, slot: number): Series {
    const cells = this.#pages.get(`${family}/${Math.floor(slot / seriesPerPage)}`)
    assert(cells !== undefined, `no metric page for slot ${slot} of family ${family}`)
    return new Series(cells, (slot % seriesPerPage) * seriesCells)
  }

  count(counter: WorkerCounter): void {
    this.#add(counterCellOf(counter), 1)
  }

  /** A message that was refused on the wire, by the code of the error. */
  countRefused(code: string): void {
    this.#add(refusalCellOf(code), 1)
  }

  countHandshakeRefused(reason: HandshakeRefusal): void {
    this.#add(handshakeCellOf(reason), 1)
  }

  setOpenConnections(count: number): void {
    this.#own[workerCell.openConnections] = count
  }

  /** Upgraded connections opened (1) or closed (-1) on the snapshot of that revision. */
  addTunnels(revision: number, change: 1 | -1): void {
    this.#add(workerCell.tunnels, change)
    const start = workerCell.tunnelGenerations
    let free = -1
    for (let cell = start; cell < start + 2 * tunnelGenerationsMax; cell += 2) {
      const count = this.#own[cell + 1] ?? 0
      if (count === 0) free = cell
      else if (this.#own[cell] === revision) {
        this.#own[cell + 1] = count + change
        return
      }
    }
    // A tunnel that found no place when it was opened has none to leave.
    if (free === -1 || change === -1) return
    this.#own[free] = revision
    this.#own[free + 1] = 1
  }

  /** Notes how late the event loop runs its timers, from now until the timer is cancelled. */
  watchEventLoop(clock: Clock): Timer {
    let dueMs = clock.now() + lagPeriodMs
    return clock.every(lagPeriodMs, () => {
      const nowMs = clock.now()
      const lagUs = Math.max(0, Math.round((nowMs - dueMs) * 1_000))
      dueMs = nowMs + lagPeriodMs
      this.#add(workerCell.lagSumUs, lagUs)
      this.#add(workerCell.lagBuckets + bucketOf(lagUs), 1)
    })
  }

  #moveInto(cells: Float64Array): void {
    for (let index = 0; index < workerPageCells; index += 1) {
      cells[index] = (cells[index] ?? 0) + (this.#own[index] ?? 0)
    }
    this.#own = cells
  }

  #add(cell: number, amount: number): void {
    this.#own[cell] = (this.#own[cell] ?? 0) + amount
  }
}
