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
  const { clock, counters, closing } = options
  const encoder = new TextEncoder()
  let pending: string[] = []
  let pendingBytes = 0
  // Events from before the subscription come in one burst; too many of them are a reset, not slowness.
  let isCatchingUp = true
  let isStalled = false
  let isOpen = false
  let end = () => {}

  const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const push = (text: string) => {
      if (!isOpen) return
      if (pending.length === 0 && (controller.desiredSize ?? 0) > 0) {
        controller.enqueue(encoder.encode(text))
        return
      }
      pending.push(text)
      pendingBytes += text.length
      const isOver =
        pending.length > adminLimits.eventsPendingMax ||
        pendingBytes > adminLimits.eventBytesPendingMax
      if (!isOver) return
      if (isCatchingUp) replacePending([resetText])
      else cutOff(controller)
    }
    const onClosing = () => {
      end()
      controller.close()
    }
    const heartbeat = clock.every(adminLimits.heartbeatMs, () => {
      // Nothing was taken since the last heartbeat although something waits: the reader is stuck.
      if (isStalled && pending.length > 0) return cutOff(controller)
      isStalled = true
      push(heartbeatText)
    })
    const caughtUp = clock.after(0, () => {
      isCatchingUp = false
    })
    isOpen = true
    counters.eventReaders += 1
    closing.addEventListener('abort', onClosing, { once: true })
    push(retryText)
    const subscription = options.subscribe(push)
    end = () => {
      if (!isOpen) return
      isOpen = false
      counters.eventReaders -= 1
      subscription.close()
      heartbeat.cancel()
      caughtUp.cancel()
      closing.removeEventListener('abort', onClosing)
      replacePending([])
    }
    if (!subscription.isComplete) push(resetText)
    if (closing.aborted) onClosing()
  }

  const replacePending = (texts: string[]) => {
    pending = texts
    pendingBytes = texts.reduce((sum, text) => sum + text.length, 0)
  }

  const cutOff = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    end()
    counters.eventReadersCutOff += 1
    controller.close()
    options.disconnect()
  }

  return new ReadableStream<Uint8Array>(
    {
      start,
      pull(controller) {
        isStalled = false
        if (pending.length === 0) return
        const text = pending.join('')
        replacePending([])
        controller.enqueue(encoder.encode(text))
      },
      cancel: () => end(),
    },
    { highWaterMark: 1 },
  )
}
