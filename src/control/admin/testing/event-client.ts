/** A reader of server-sent events on a plain socket, which can stop reading and can be resumed. */
import { connect, type Socket } from 'node:net'

export type SentEvent = {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

export type EventClient = {
  readonly socket: Socket
  /** Status line and fields. */
  head(): Promise<string>
  /** The next event that was not taken yet; heartbeats and `retry` are left out. */
  next(): Promise<SentEvent>
  /** Text after the head, as received so far. */
  received(): string
  closed(): Promise<void>
}

export function openEventClient(
  port: number,
  token: string,
  options: {
    readonly path?: string
    readonly lastEventId?: string
    readonly isPaused?: boolean
  } = {},
): EventClient {
  const { path = '/api/v1/events', lastEventId } = options
  const socket = connect({ port, host: '127.0.0.1' })
  let text = ''
  let takenCount = 0
  let events: readonly SentEvent[] = []
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const each of waiting) each()
  }
  let isClosed = false
  socket.on('data', (chunk) => {
    text += chunk.toString()
    if (text.endsWith('\n\n\r\n')) events = eventsIn(text)
    wake()
  })
  socket.on('close', () => {
    isClosed = true
    wake()
  })
  // A cut-off stream ends in a reset, which is what some tests wait for.
  socket.on('error', wake)
  if (options.isPaused === true) socket.pause()
  socket.write(
    [
      `GET ${path} HTTP/1.1`,
      'host: localhost',
      `authorization: Bearer ${token}`,
      ...(lastEventId === undefined ? [] : [`last-event-id: ${lastEventId}`]),
      '\r\n',
    ].join('\r\n'),
  )
  const until = async <Found>(find: () => Found | undefined): Promise<Found> => {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (isClosed) throw new Error(`the stream ended: ${text}`)
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add(resolve)
      await promise
      waiting.delete(resolve)
    }
  }
  const head = () =>
    until(() => (text.includes('\r\n\r\n') ? text.slice(0, text.indexOf('\r\n\r\n')) : undefined))
  return {
    socket,
    head,
    received: () => text,
    async next() {
      const event = await until(() => events[takenCount])
      takenCount += 1
      return event
    },
    async closed() {
      if (!isClosed) await new Promise<void>((resolve) => socket.once('close', () => resolve()))
    },
  }
}

/** Complete events of a chunked body (RFC 9112 §7.1); sizes of chunks stand on lines of their own. */
function eventsIn(text: string): SentEvent[] {
  const body = text.slice(text.indexOf('\r\n\r\n') + 4).replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, '')
  return body
    .split('\n\n')
    .slice(0, -1)
    .filter((block) => /^event:/m.test(block))
    .map((block) => ({
      id: /^id: (.*)$/m.exec(block)?.[1],
      event: /^event: (.*)$/m.exec(block)?.[1] ?? '',
      data: /^data: (.*)$/m.exec(block)?.[1] ?? '',
    }))
}
