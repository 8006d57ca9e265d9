/**
 * Lines on their way to the access log. Two buffers change places: one fills while the other is being
 * written, so that memory is bounded and lines go out in large pieces.
 *
 * When the output is slow both buffers fill up and records wait in their rings. When it is stalled
 * (it fails, or has not taken a byte for a while) waiting would only move the loss to the rings, so
 * lines are dropped and counted until it moves again. Failing is reported when it begins and when
 * it ends, not for every line.
 */
import { type Clock, wait } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { CallCounters } from './counters.ts'
import type { RingMemoryView } from './decode.ts'
import { type LineFormatter, lineBytesMax } from './log-line.ts'
import { type LogTarget, openTarget } from './log-target.ts'
import type { CallOutput } from './messages.ts'

export const sinkBytes = 1_048_576
const stalledAfterMs = 1_000
const retryMs = 1_000
/** A pipe that is full is tried again after this long, doubled up to the most. */
const fullPipeMs = 1
const fullPipeMsMax = 64

const lineFeed = 0x0a

class LineBuffer {
  readonly bytes = new Uint8Array(sinkBytes)
  start = 0
  end = 0
  lines = 0

  clear(): void {
    this.start = 0
    this.end = 0
    this.lines = 0
  }
}

export type LogSinkOptions = {
  readonly clock: Clock
  readonly counters: CallCounters
  log(line: string): void
  /** Called when there is room again after there was none. */
  onRoom(): void
}

export class LogSink {
  readonly #options: LogSinkOptions
  #filling = new LineBuffer()
  #writing = new LineBuffer()
  #output: CallOutput = { output: 'Off', path: undefined }
  #target: LogTarget | undefined
  /** The output changed or is to be opened again: to be done before the next write. */
  #isStale = false
  #isFailing = false
  #isClosed = false
  #lastProgressMs = 0
  #pumping: Promise<void> | undefined
  #retrySoon: (() => void) | undefined

  constructor(options: LogSinkOptions) {
    this.#options = options
  }

  get isOff(): boolean {
    return this.#output.output === 'Off'
  }

  /** Lines that fit for certain. If none, the caller waits for `onRoom`, or drops if `isStalled`. */
  get roomLines(): number {
    return Math.floor((sinkBytes - this.#filling.end) / lineBytesMax)
  }

  get isStalled(): boolean {
    if (this.#isFailing) return true
    const { clock } = this.#options
    return this.#pumping !== undefined && clock.now() - this.#lastProgressMs > stalledAfterMs
  }

  /** Appends one line. */
  append(formatter: LineFormatter, ring: RingMemoryView, offset: number): void {
    const buffer = this.#filling
    buffer.end = formatter.format(ring, offset, buffer.bytes, buffer.end)
    buffer.lines += 1
  }

  /** Begins to write what there is, unless that is going on. */
  flush(): void {
    if (this.#pumping !== undefined || !this.#hasWork()) return
    this.#lastProgressMs = this.#options.clock.now()
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined
    })
  }

  setOutput(output: CallOutput): void {
    if (output.output === this.#output.output && output.path === this.#output.path) return
    this.#output = output
    this.reopen()
  }

  /** Opens the output anew before the next write, for log rotation; a failing one is tried at once. */
  reopen(): void {
    this.#isStale = true
    this.#retrySoon?.()
    this.flush()
  }

  /** Writes what there is, but waits no longer than `budgetMs`; what is left is counted as dropped. */
  async close(budgetMs: number): Promise<void> {
    const { clock, counters } = this.#options
    this.#retrySoon?.()
    this.flush()
    const timeUp = new AbortController()
    const deadline = wait(clock, budgetMs, timeUp.signal).catch(() => undefined)
    await Promise.race([this.#pumping, deadline])
    this.#isClosed = true
    timeUp.abort()
    counters.add('linesDropped', this.#writing.lines + this.#filling.lines)
  }

  #hasWork(): boolean {
    return this.#isStale || this.#filling.lines > 0 || this.#writing.lines > 0
  }

  async #pump(): Promise<void> {
    while (this.#hasWork() && !this.#isClosed) {
      try {
        if (this.#isStale) await this.#openAgain()
        if (this.#target === undefined) this.#discard()
        else await this.#writeSome(this.#target)
        this.#noteSuccess()
      } catch (thrown) {
        this.#noteFailure(thrown)
        await this.#pause()
      }
    }
  }

  async #openAgain(): Promise<void> {
    if (this.#target !== undefined && !this.#isFailing) await this.#writeRest(this.#target)
    // Before the wait: a change that comes while this one is being made must not be forgotten.
    this.#isStale = false
    try {
      const opened = await openTarget(this.#output)
      await this.#target?.close()
      this.#target = opened
    } catch (thrown) {
      this.#isStale = true
      throw thrown
    }
    this.#skipBrokenLine()
  }

  /** Lines from before the change belong to the old target, if it takes them. */
  async #writeRest(target: LogTarget): Promise<void> {
    try {
      while (this.#writing.start < this.#writing.end) await this.#writeSome(target)
      this.#swap()
      while (this.#writing.start < this.#writing.end) await this.#writeSome(target)
    } catch (thrown) {
      // Not worth holding up the new target: what is left goes there.
      if (!isFullPipe(thrown)) this.#noteFailure(thrown)
    }
  }

  /** The first half of a line stands in the old file: the other half must not begin the new one. */
  #skipBrokenLine(): void {
    const { bytes, start, end } = this.#writing
    if (start === 0 || start === end || bytes[start - 1] === lineFeed) return
    this.#writing.start = bytes.indexOf(lineFeed, start) + 1
    this.#writing.lines -= 1
    this.#options.counters.add('linesDropped', 1)
    this.#finishBuffer()
  }

  /** With `Off` there is nowhere to write what was buffered before. */
  #discard(): void {
    this.#options.counters.add('linesDropped', this.#writing.lines + this.#filling.lines)
    this.#writing.clear()
    this.#filling.clear()
  }

  async #writeSome(target: LogTarget): Promise<void> {
    if (this.#writing.start === this.#writing.end) this.#swap()
    const buffer = this.#writing
    if (buffer.start === buffer.end) return
    const written = await this.#writeWhenReady(target, buffer)
    buffer.start += written
    this.#options.counters.add('bytesWritten', written)
    this.#finishBuffer()
  }

  async #writeWhenReady(target: LogTarget, { bytes, start, end }: LineBuffer): Promise<number> {
    for (let pauseMs = fullPipeMs; ; pauseMs = Math.min(pauseMs * 2, fullPipeMsMax)) {
      try {
        return await target.write(bytes, start, end - start)
      } catch (thrown) {
        // Neither an error nor an end: the reader of the pipe is slow. `isStalled` watches the time.
        if (!isFullPipe(thrown) || this.#isStale || this.#isClosed) throw thrown
        await wait(this.#options.clock, pauseMs)
      }
    }
  }

  #finishBuffer(): void {
    const buffer = this.#writing
    if (buffer.start < buffer.end) return
    this.#options.counters.add('linesWritten', buffer.lines)
    buffer.clear()
  }

  #swap(): void {
    const hadRoom = this.roomLines > 0
    const empty = this.#writing
    this.#writing = this.#filling
    this.#filling = empty
    empty.clear()
    if (!hadRoom) this.#options.onRoom()
  }

  #noteSuccess(): void {
    this.#lastProgressMs = this.#options.clock.now()
    if (!this.#isFailing) return
    this.#isFailing = false
    this.#options.log('the access log is written again')
  }

  #noteFailure(thrown: unknown): void {
    // A full pipe that was left because the output changed is no failure of the new output.
    if (isFullPipe(thrown) || this.#isFailing) return
    this.#isFailing = true
    const where = this.#output.path ?? 'standard output'
    this.#options.log(
      `telemetry.output_failed: the access log cannot be written to ${where} (${messageOf(thrown)}); requests are served, lines are dropped and counted until it can`,
    )
  }

  async #pause(): Promise<void> {
    if (this.#isStale && !this.#isFailing) return
    const again = new AbortController()
    this.#retrySoon = () => again.abort()
    await wait(this.#options.clock, retryMs, again.signal).catch(() => undefined)
    this.#retrySoon = undefined
  }
}

function isFullPipe(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'EAGAIN'
}
