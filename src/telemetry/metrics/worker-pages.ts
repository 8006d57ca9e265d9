/**
 * The memory of all workers as control sees it: pages of the living, totals of the dead. When a worker
 * is gone its counts are folded into the totals, so that no counter ever goes back.
 */
import { assert } from '../../base/errors.ts'
import { type MetricPage, type SeriesFamily, seriesFamilies } from './pages.ts'
import {
  seriesCell,
  seriesCells,
  seriesPageBytes,
  seriesPerPage,
  statusClassCount,
} from './series.ts'
import {
  tunnelGenerationsMax,
  workerCell,
  workerPageBytes,
  workerPageCells,
} from './worker-counters.ts'

type WorkerMemory = {
  readonly own: MetricPage
  readonly series: Readonly<Record<SeriesFamily, MetricPage[]>>
}

export class WorkerPages {
  readonly #workers = new Map<number, WorkerMemory>()
  readonly #slotCounts: Record<SeriesFamily, number> = { route: 0, version: 0 }
  /** Totals of workers that are gone, page by page. */
  readonly #folded: Readonly<Record<SeriesFamily, Float64Array[]>> = { route: [], version: [] }
  readonly #foldedOwn = new Float64Array(workerPageCells)
  /** All arrays to add up, per family and page; made anew when pages come or go. */
  #sources: Readonly<Record<SeriesFamily, Float64Array[][]>> | undefined

  /** Makes room for slots below `count`; pages are handed out by the next `pagesFor`. */
  growTo(family: SeriesFamily, count: number): void {
    this.#slotCounts[family] = Math.max(this.#slotCounts[family], count)
  }

  slotCount(family: SeriesFamily): number {
    return this.#slotCounts[family]
  }

  /** All pages of a worker, allocated as far as they are missing. */
  pagesFor(workerIndex: number): readonly MetricPage[] {
    const memory = this.#workers.get(workerIndex) ?? newWorkerMemory()
    this.#workers.set(workerIndex, memory)
    for (const family of seriesFamilies) {
      const pages = memory.series[family]
      while (pages.length * seriesPerPage < this.#slotCounts[family]) {
        const sharedMemory = new SharedArrayBuffer(seriesPageBytes)
        pages.push({ family, pageIndex: pages.length, memory: sharedMemory })
        this.#sources = undefined
      }
    }
    return [memory.own, ...seriesFamilies.flatMap((family) => memory.series[family])]
  }

  /** Keeps the counts of a worker that has ended and forgets its memory. */
  retire(workerIndex: number): void {
    const memory = this.#workers.get(workerIndex)
    if (memory === undefined) return
    this.#workers.delete(workerIndex)
    this.#sources = undefined
    for (const family of seriesFamilies) {
      for (const { pageIndex, memory: page } of memory.series[family]) {
        foldPage(this.#foldedPage(family, pageIndex), new Float64Array(page))
      }
    }
    const own = new Float64Array(memory.own.memory)
    // What is open or in flight ended with the worker; everything else was counted for good.
    own[workerCell.openConnections] = 0
    const { tunnels, tunnelGenerations } = workerCell
    own.fill(0, tunnels, tunnelGenerations + 2 * tunnelGenerationsMax)
    addCells(this.#foldedOwn, own, { start: 0, end: workerPageCells })
  }

  /** One cell of a series, added up over all workers. */
  seriesSum(family: SeriesFamily, slot: number, cell: number): number {
    const index = (slot % seriesPerPage) * seriesCells + cell
    let sum = 0
    for (const cells of this.#sourcesOf(family, slot)) sum += cells[index] ?? 0
    return sum
  }

  /** A whole series, added up over all workers, into `into`. */
  readSeries(family: SeriesFamily, slot: number, into: Float64Array): void {
    const start = (slot % seriesPerPage) * seriesCells
    into.fill(0)
    for (const cells of this.#sourcesOf(family, slot)) {
      for (let cell = 0; cell < seriesCells; cell += 1) {
        into[cell] = (into[cell] ?? 0) + (cells[start + cell] ?? 0)
      }
    }
  }

  /** Whether anything has ever been counted there. */
  isUsed(family: SeriesFamily, slot: number): boolean {
    const start = (slot % seriesPerPage) * seriesCells
    return this.#sourcesOf(family, slot).some((cells) => isSeriesUsed(cells, start))
  }

  /** One cell of the workers' own pages, added up. */
  workerSum(cell: number): number {
    let sum = this.#foldedOwn[cell] ?? 0
    for (const { own } of this.#workers.values()) sum += new Float64Array(own.memory)[cell] ?? 0
    return sum
  }

  /** Open tunnels by the revision of the snapshot that they live on; of one worker, or of all. */
  tunnelsByRevision(workerIndex?: number): ReadonlyMap<number, number> {
    const counts = new Map<number, number>()
    const start = workerCell.tunnelGenerations
    for (const [index, { own }] of this.#workers) {
      if (workerIndex !== undefined && index !== workerIndex) continue
      const cells = new Float64Array(own.memory)
      for (let cell = start; cell < start + 2 * tunnelGenerationsMax; cell += 2) {
        const count = cells[cell + 1] ?? 0
        const revision = cells[cell] ?? 0
        if (count > 0) counts.set(revision, (counts.get(revision) ?? 0) + count)
      }
    }
    return counts
  }

  #foldedPage(family: SeriesFamily, pageIndex: number): Float64Array {
    const pages = this.#folded[family]
    while (pages.length <= pageIndex) pages.push(new Float64Array(seriesPerPage * seriesCells))
    const page = pages[pageIndex]
    assert(page !== undefined, 'totals grow with the pages')
    return page
  }

  #sourcesOf(family: SeriesFamily, slot: number): readonly Float64Array[] {
    this.#sources ??= this.#collectSources()
    return this.#sources[family][Math.floor(slot / seriesPerPage)] ?? []
  }

  #collectSources(): Readonly<Record<SeriesFamily, Float64Array[][]>> {
    const collect = (family: SeriesFamily): Float64Array[][] => {
      const sources = this.#folded[family].map((page) => [page])
      for (const { series } of this.#workers.values()) {
        for (const { pageIndex, memory } of series[family]) {
          const page = (sources[pageIndex] ??= [])
          page.push(new Float64Array(memory))
        }
      }
      return sources
    }
    return { route: collect('route'), version: collect('version') }
  }
}

function newWorkerMemory(): WorkerMemory {
  const memory = new SharedArrayBuffer(workerPageBytes)
  return { own: { family: 'worker', pageIndex: 0, memory }, series: { route: [], version: [] } }
}

function foldPage(total: Float64Array, page: Float64Array): void {
  for (let series = 0; series < seriesPerPage; series += 1) {
    const start = series * seriesCells
    if (!isSeriesUsed(page, start)) continue
    page[start + seriesCell.inFlight] = 0
    addCells(total, page, { start, end: start + seriesCells })
  }
}

function addCells(
  total: Float64Array,
  cells: Float64Array,
  { start, end }: { start: number; end: number },
): void {
  for (let index = start; index < end; index += 1) {
    total[index] = (total[index] ?? 0) + (cells[index] ?? 0)
  }
}

/** Looks only at the counts of answers and at what is in flight: everything else comes with them. */
function isSeriesUsed(cells: Float64Array, start: number): boolean {
  if ((cells[start + seriesCell.inFlight] ?? 0) !== 0) return true
  for (let cell = 0; cell < 2 * statusClassCount; cell += 1) {
    if ((cells[start + cell] ?? 0) !== 0) return true
  }
  return false
}
