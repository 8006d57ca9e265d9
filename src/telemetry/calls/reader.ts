/** Control's side of the telemetry thread: starts it, tells it what changes, replaces it if it dies. */
import { Worker } from 'node:worker_threads'
import { type Clock, systemClock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { RingReader } from '../../base/rings.ts'
import type { SlotName } from '../slot-names.ts'
import { CallCounters, callCountersMemory } from './counters.ts'
import type { CallOutput, CallThreadStart, FromCallThread, ToCallThread } from './messages.ts'

const restartMs = 1_000
const closeBudgetMs = 2_000
/** Beyond its budget a thread that does not answer is ended from outside. */
const closeGraceMs = 500

export type CallReaderOptions = {
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: no access log. */
  readonly output?: CallOutput
  /** Where the thread says that the access log cannot be written, and that it can again. */
  log(line: string): void
}

export type CallTotals = {
  readonly recordsRead: number
  readonly linesWritten: number
  readonly bytesWritten: number
  /** Lost because the output was stalled. */
  readonly linesDropped: number
  /** Lost because a ring was full. */
  readonly recordsDropped: number
}

export type CallReader = {
  setNames(names: readonly SlotName[]): void
  /** From the next records on; nothing happens when it is the output in force. */
  setOutput(output: CallOutput): void
  /** Opens the file anew, after it was renamed. */
  reopen(): void
  addRing(id: number, memory: SharedArrayBuffer): void
  /** The worker has ended; what it left in the ring is still written. */
  removeRing(id: number): void
  totals(): CallTotals
  /** Writes what there is, for a bounded time. */
  close(): Promise<void>
}

/** Starts the thread that turns call records into the access log. */
export function startCallReader(options: CallReaderOptions): CallReader {
  return new ThreadedCallReader(options)
}

class ThreadedCallReader implements CallReader {
  readonly #clock: Clock
  readonly #log: (line: string) => void
  readonly #memory = callCountersMemory()
  readonly #counters = new CallCounters(this.#memory)
  readonly #rings = new Map<number, SharedArrayBuffer>()
  #names: readonly SlotName[] = []
  #output: CallOutput
  #recordsDropped = 0
  #worker: Worker
  #closing: Promise<void> | undefined
  #onClosed: () => void = () => undefined

  constructor(options: CallReaderOptions) {
    this.#clock = options.clock ?? systemClock()
    this.#log = (line) => options.log(line)
    this.#output = options.output ?? { output: 'Off', path: undefined }
    this.#worker = this.#start()
  }

  setNames(names: readonly SlotName[]): void {
    this.#names = names
    this.#send({ type: 'names', names })
  }

  setOutput(output: CallOutput): void {
    this.#output = output
    this.#send({ type: 'output', output })
  }

  reopen(): void {
    this.#send({ type: 'reopen' })
  }

  addRing(id: number, memory: SharedArrayBuffer): void {
    this.#rings.set(id, memory)
    this.#send({ type: 'addRing', ring: { id, memory } })
  }

  removeRing(id: number): void {
    const memory = this.#rings.get(id)
    if (memory === undefined) return
    this.#recordsDropped += droppedIn(memory)
    this.#rings.delete(id)
    this.#send({ type: 'removeRing', id })
  }

  totals(): CallTotals {
    let recordsDropped = this.#recordsDropped
    for (const memory of this.#rings.values()) recordsDropped += droppedIn(memory)
    return {
      recordsRead: this.#counters.read('recordsRead'),
      linesWritten: this.#counters.read('linesWritten'),
      bytesWritten: this.#counters.read('bytesWritten'),
      linesDropped: this.#counters.read('linesDropped'),
      recordsDropped,
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #start(): Worker {
    const workerData: CallThreadStart = {
      rings: [...this.#rings].map(([id, memory]) => ({ id, memory })),
      names: this.#names,
      output: this.#output,
      counters: this.#memory,
    }
    const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData })
    worker.on('message', (message: FromCallThread) => {
      if (message.type === 'closed') this.#onClosed()
      else this.#log(message.line)
    })
    worker.on('error', (error) => this.#log(`the telemetry thread crashed: ${messageOf(error)}`))
    worker.on('exit', () => this.#onExit())
    // Workers and servers keep the process alive, not the reading of their records.
    worker.unref()
    return worker
  }

  /** Rings and counters are shared memory and survive; only lines that were buffered are lost. */
  #onExit(): void {
    this.#onClosed()
    if (this.#closing !== undefined) return
    this.#clock.after(restartMs, () => {
      if (this.#closing === undefined) this.#worker = this.#start()
    })
  }

  async #close(): Promise<void> {
    // Until it has written the rest, it is what keeps the process alive.
    this.#worker.ref()
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve
    })
    const timer = this.#clock.after(closeBudgetMs + closeGraceMs, () => this.#onClosed())
    this.#send({ type: 'close', budgetMs: closeBudgetMs })
    await closed
    timer.cancel()
    await this.#worker.terminate()
  }

  #send(message: ToCallThread): void {
    this.#worker.postMessage(message)
  }
}

function droppedIn(memory: SharedArrayBuffer): number {
  return new RingReader(memory).dropped
}
