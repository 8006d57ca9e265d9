/** Control's side of the metrics: owns the workers' pages, adds them up, shows them. */
import type { Clock } from '../../base/clock.ts'
import { type SlotName, slotText, versionParts } from '../slot-names.ts'
import { type Labels, MetricText } from './openmetrics.ts'
import { type MetricPage, type SeriesFamily, seriesFamilies } from './pages.ts'
import { type FamilyText, renderSeries, renderWorkers } from './render.ts'
import { seriesCells } from './series.ts'
import { difference, type SeriesSummary, summarize } from './summaries.ts'
import { WorkerPages } from './worker-pages.ts'

export type MetricRegistryOptions = {
  readonly clock: Clock
  /** Labels of `headgate_build_info`, such as `version`. */
  readonly build: Labels
  /** The workers as they are now. */
  workers(): readonly WorkerState[]
}

export type WorkerState = {
  readonly index: number
  readonly state: string
  readonly revision: number
  readonly restarts: number
}

/** Metrics of other rooms, read whenever the metrics are shown. */
export type MetricSource = {
  /** Without `headgate_` and without `_total`. */
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  read(): readonly { readonly labels: Labels; readonly value: number }[]
}

/** What was counted since the call before. */
export type MetricWindow = {
  next(): { readonly elapsedMs: number; readonly series: readonly SeriesSummary[] }
}

export class MetricRegistry {
  readonly #options: MetricRegistryOptions
  readonly #pages = new WorkerPages()
  readonly #names: Readonly<Record<SeriesFamily, Map<number, string>>> = {
    route: new Map(),
    version: new Map(),
  }
  readonly #sources: MetricSource[] = []
  readonly #startedMs: number
  #revision = 0

  constructor(options: MetricRegistryOptions) {
    this.#options = options
    this.#startedMs = options.clock.wallMs()
  }

  /** Call before the snapshot that uses the slots goes out: pages grow to hold them. */
  setNames(names: readonly SlotName[]): void {
    for (const { family, slot, name } of names) {
      if (family !== 'route' && family !== 'version') continue
      this.#names[family].set(slot, name)
      this.#pages.growTo(family, slot + 1)
    }
  }

  setRevision(revision: number): void {
    this.#revision = revision
  }

  /** All pages of a worker; give them along with every snapshot, the worker ignores what it has. */
  pagesFor(workerIndex: number): readonly MetricPage[] {
    return this.#pages.pagesFor(workerIndex)
  }

  /** To be called once the worker's thread has ended: its counts stay, its memory goes. */
  retire(workerIndex: number): void {
    this.#pages.retire(workerIndex)
  }

  /** Open tunnels of a worker, oldest snapshot first. */
  tunnelsOf(workerIndex: number): { readonly revision: number; readonly count: number }[] {
    return [...this.#pages.tunnelsByRevision(workerIndex)]
      .map(([revision, count]) => ({ revision, count }))
      .sort((left, right) => left.revision - right.revision)
  }

  addSource(source: MetricSource): void {
    this.#sources.push(source)
  }

  /** Summaries of every slot that has seen a request, since the start of the process. */
  snapshotOf(family: SeriesFamily): readonly SeriesSummary[] {
    return [...this.#read(family)].map(([slot, cells]) =>
      summarize(this.#nameOf(family, slot), cells),
    )
  }

  /** A view of its own of what happens from now on; any number of them may be open. */
  openWindow(family: SeriesFamily): MetricWindow {
    let before = this.#read(family)
    let beforeMs = this.#options.clock.now()
    return {
      next: () => {
        const now = this.#read(family)
        const nowMs = this.#options.clock.now()
        const elapsedMs = nowMs - beforeMs
        const series = [...now].map(([slot, cells]) => {
          const change = difference(before.get(slot) ?? new Float64Array(seriesCells), cells)
          return summarize(this.#nameOf(family, slot), change)
        })
        before = now
        beforeMs = nowMs
        return { elapsedMs, series }
      },
    }
  }

  /** OpenMetrics text. Series that have never seen a request are left out. */
  render(): string {
    const text = new MetricText()
    const { build, workers } = this.#options
    text.begin('headgate_build', 'info', 'What is running.')
    text.sample('_info', build, 1)
    text.begin('headgate_start_time_seconds', 'gauge', 'When the process started, Unix time.')
    text.sample('', {}, this.#startedMs / 1_000)
    text.begin('headgate_config_revision', 'gauge', 'Revision of the configuration in force.')
    text.sample('', {}, this.#revision)
    renderWorkerStates(text, workers())
    renderWorkers(text, this.#pages)
    for (const family of seriesFamilies) {
      const slots = this.#usedSlots(family).map((slot) => ({
        slot,
        labels: familyTexts[family].labelsOf(this.#nameOf(family, slot)),
      }))
      if (slots.length > 0)
        renderSeries(text, this.#pages, { family, slots, ...familyTexts[family] })
    }
    for (const { name, type, help, read } of this.#sources) {
      text.begin(`headgate_${name}`, type, help)
      for (const { labels, value } of read()) {
        text.sample(type === 'counter' ? '_total' : '', labels, value)
      }
    }
    return text.end()
  }

  #read(family: SeriesFamily): Map<number, Float64Array> {
    const series = new Map<number, Float64Array>()
    for (const slot of this.#usedSlots(family)) {
      const cells = new Float64Array(seriesCells)
      this.#pages.readSeries(family, slot, cells)
      series.set(slot, cells)
    }
    return series
  }

  #usedSlots(family: SeriesFamily): number[] {
    const slots: number[] = []
    for (let slot = 0; slot < this.#pages.slotCount(family); slot += 1) {
      if (this.#pages.isUsed(family, slot)) slots.push(slot)
    }
    return slots
  }

  #nameOf(family: SeriesFamily, slot: number): string {
    return slotText(slot, this.#names[family].get(slot))
  }
}

/**
 * Families have metrics of their own instead of one with the labels of all: a request is counted once
 * for its route and once for its version, and a sum over a common metric would count it twice.
 */
const familyTexts: Readonly<Record<SeriesFamily, FamilyText>> = {
  route: { prefix: 'headgate', what: 'of a route', labelsOf: (name) => ({ route: name }) },
  version: { prefix: 'headgate_upstream', what: 'of an upstream version', labelsOf: versionParts },
}

function renderWorkerStates(text: MetricText, workers: readonly WorkerState[]): void {
  text.begin('headgate_worker_up', 'gauge', 'Whether the worker serves.')
  for (const { index, state } of workers) {
    text.sample('', { worker: String(index) }, state === 'serving' ? 1 : 0)
  }
  text.begin('headgate_worker_revision', 'gauge', 'Revision that the worker serves.')
  for (const { index, revision } of workers) {
    text.sample('', { worker: String(index) }, revision)
  }
  text.begin('headgate_worker_restarts', 'counter', 'Times the worker was replaced after a crash.')
  for (const { index, restarts } of workers) {
    text.sample('_total', { worker: String(index) }, restarts)
  }
}
