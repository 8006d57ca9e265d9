/** The body of one event stream: texts in, bytes out, with a bound on what waits in between. */
import type { Clock } from '../../base/clock.ts'
import type { AdminCounters } from './counters.ts'
import { adminLimits } from './deps.ts'

export type EventStreamOptions = {
  readonly clock: Clock
  readonly counters: AdminCounters
  /** Ends the stream. */
  readonly closing: AbortSignal
  /** Breaks the connection of the reader: what is written to it would wait for ever. */
  disconnect(): void
  /** Starts the flow of texts; `isComplete` false means that some were missed before it. */
  subscribe(onText: (text: string) => void): { readonly isComplete: boolean; close(): void }
}

/** Tells browsers how soon to come back. */
const retryText = 'retry: 2000\n\n'
const heartbeatText = ': heartbeat\n\n'
const resetText = 'event: reset\ndata: {"type":"reset"}\n\n'

/** Opens the stream. It counts as a reader until it is cancelled, closed or cut off. */
export function openEventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  let reader: EventReader | undefined
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        reader = new EventReader(controller, options)
      },
      pull: () => reader?.flush(),
      cancel: () => reader?.close(),
    },
    { highWaterMark: 1 },
  )
}

type Controller = ReadableStreamDefaultController<Uint8Array>

/** One reader: what waits for it, and when it has waited too long. */
class EventReader {
  readonly #controller: Controller
  readonly #options: EventStreamOptions
  readonly #encoder = new TextEncoder()
  readonly #ends: (() => void)[] = []
  #pending: string[] = []
  #pendingBytes = 0
  #isOpen = true
  /** Events from before the subscription come in one burst; too many are a reset, not slowness. */
  #isCatchingUp = true
  /** Nothing was taken since the last heartbeat. */
  #isStalled = false

  constructor(controller: Controller, options: EventStreamOptions) {
    this.#controller = controller
    this.#options = options
    const { clock, closing, counters } = options
    counters.eventReaders += 1
    const heartbeat = clock.every(adminLimits.heartbeatMs, () => this.#beat())
    const caughtUp = clock.after(0, () => {
      this.#isCatchingUp = false
    })
    const onClosing = () => this.#end()
    closing.addEventListener('abort', onClosing, { once: true })
    this.#push(retryText)
    const subscription = options.subscribe((text) => this.#push(text))
    this.#ends.push(
      () => subscription.close(),
      () => heartbeat.cancel(),
      () => caughtUp.cancel(),
      () => closing.removeEventListener('abort', onClosing),
    )
    if (!subscription.isComplete) this.#push(resetText)
    if (closing.aborted) this.#end()
  }

  /** Hands over what waits, now that there is room. */
  flush(): void {
    this.#isStalled = false
    if (this.#pending.length === 0) return
    const text = this.#pending.join('')
    this.#replacePending([])
    this.#controller.enqueue(this.#encoder.encode(text))
  }

  /** Lets go of everything; the reader is gone. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#options.counters.eventReaders -= 1
    for (const end of this.#ends) end()
    this.#replacePending([])
  }

  #push(text: string): void {
    if (!this.#isOpen) return
    if (this.#pending.length === 0 && (this.#controller.desiredSize ?? 0) > 0) {
      this.#controller.enqueue(this.#encoder.encode(text))
      return
    }
    this.#pending.push(text)
    this.#pendingBytes += text.length
    const isOver =
      this.#pending.length > adminLimits.eventsPendingMax ||
      this.#pendingBytes > adminLimits.eventBytesPendingMax
    if (!isOver) return
    if (this.#isCatchingUp) this.#replacePending([resetText])
    else this.#cutOff()
  }

  #beat(): void {
    if (this.#isStalled && this.#pending.length > 0) {
      this.#cutOff()
      return
    }
    this.#isStalled = true
    this.#push(heartbeatText)
  }

  #end(): void {
    this.close()
    this.#controller.close()
  }

  #cutOff(): void {
    this.#end()
    this.#options.counters.eventReadersCutOff += 1
    this.#options.disconnect()
  }

  #replacePending(texts: string[]): void {
    this.#pending = texts
    this.#pendingBytes = texts.reduce((sum, text) => sum + text.length, 0)
  }
}
