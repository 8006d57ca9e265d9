/** Moves call records from the rings of all workers into the access log; runs in the telemetry thread. */
import { type Clock, wait } from '../../base/clock.ts'
import { RingReader } from '../../base/rings.ts'
import type { SlotName } from '../slot-names.ts'
import type { CallCounters } from './counters.ts'
import { LineFormatter } from './log-line.ts'
import { LogSink } from './log-sink.ts'
import type { CallOutput, RingEntry } from './messages.ts'

/** Pause between two looks into the rings, and after a look that found much. */
const pollMs = 50
const busyPollMs = 2
/** Records of one look that make the next one come sooner. */
const busyCount = 500
/** Records read before other work of the thread (messages, finished writes) gets its turn. */
const passMax = 4_096
/** Records read between two looks at the room in the output. */
const batchMax = 32

type DrainedRing = {
  readonly id: number
  readonly reader: RingReader
  /** Made once per ring: it runs for every record. */
  readonly append: (offset: number) => void
  isRemoved: boolean
}

export type CallDrainOptions = {
  readonly clock: Clock
  readonly counters: CallCounters
  log(line: string): void
}

export class CallDrain {
  readonly #clock: Clock
  readonly #counters: CallCounters
  readonly #sink: LogSink
  readonly #formatter = new LineFormatter()
  #rings: DrainedRing[] = []
  #isClosed = false
  #cancelNext: () => void = () => undefined

  constructor({ clock, counters, log }: CallDrainOptions) {
    this.#clock = clock
    this.#counters = counters
    this.#sink = new LogSink({ clock, counters, log, onRoom: () => this.#runIn(0) })
  }

  setNames(names: readonly SlotName[]): void {
    // What was recorded before is written with the names from before.
    this.#pass()
    this.#formatter.setNames(names)
  }

  setOutput(output: CallOutput): void {
    this.#pass()
    this.#sink.setOutput(output)
    for (const { reader } of this.#rings) reader.setWanted(!this.#sink.isOff)
  }

  reopen(): void {
    this.#sink.reopen()
  }

  addRing({ id, memory }: RingEntry): void {
    const reader = new RingReader(memory)
    reader.setWanted(!this.#sink.isOff)
    const append = (offset: number) => this.#sink.append(this.#formatter, reader, offset)
    this.#rings.push({ id, reader, append, isRemoved: false })
    this.#runIn(0)
  }

  /** The ring is let go once it is empty; its writer must have ended. */
  removeRing(id: number): void {
    for (const ring of this.#rings) if (ring.id === id) ring.isRemoved = true
    this.#runIn(0)
  }

  /** Reads and writes what there is, for `budgetMs` at most; what is left then counts as dropped. */
  async close(budgetMs: number): Promise<void> {
    const untilMs = this.#clock.now() + budgetMs
    this.#isClosed = true
    this.#cancelNext()
    while (this.#clock.now() < untilMs) {
      if (this.#pass() > 0) continue
      if (this.#rings.every(({ reader }) => reader.pendingBytes === 0)) break
      await wait(this.#clock, busyPollMs)
    }
    for (const { reader } of this.#rings) while (this.#dropSome(reader) > 0);
    await this.#sink.close(Math.max(0, untilMs - this.#clock.now()))
  }

  #runIn(delayMs: number): void {
    if (this.#isClosed) return
    this.#cancelNext()
    const timer = this.#clock.after(delayMs, () => {
      const count = this.#pass()
      this.#runIn(count >= busyCount ? busyPollMs : pollMs)
    })
    this.#cancelNext = () => timer.cancel()
  }

  /** Reads from all rings, at most `passMax` records; returns how many. */
  #pass(): number {
    let count = 0
    for (const ring of this.#rings) {
      let read = batchMax
      while (read > 0 && count < passMax) {
        read = this.#readSome(ring)
        count += read
      }
    }
    this.#rings = this.#rings.filter(
      ({ isRemoved, reader }) => !isRemoved || reader.pendingBytes > 0,
    )
    this.#sink.flush()
    return count
  }

  #readSome({ reader, append }: DrainedRing): number {
    const sink = this.#sink
    if (sink.isOff) return this.#skipSome(reader)
    if (sink.roomLines === 0) sink.flush()
    if (sink.roomLines === 0) return sink.isStalled ? this.#dropSome(reader) : 0
    const count = reader.read(append, Math.min(sink.roomLines, batchMax))
    this.#counters.add('recordsRead', count)
    return count
  }

  /** Nobody asked for these lines, so they are not missed. */
  #skipSome(reader: RingReader): number {
    const count = reader.read(() => undefined, batchMax)
    this.#counters.add('recordsRead', count)
    return count
  }

  #dropSome(reader: RingReader): number {
    const count = this.#skipSome(reader)
    this.#counters.add('linesDropped', count)
    return count
  }
}
