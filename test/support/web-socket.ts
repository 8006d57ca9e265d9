/** WebSocket clients and servers of a test, closed at its end. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { within } from './eventually.ts'

export type WebSocketUpstream = {
  readonly url: string
  /** Resolves with the next connection that nobody has taken. */
  accepted(): Promise<WebSocket>
}

/** Sends every message back, as it came, unless told otherwise. */
export async function webSocketUpstream(
  t: TestContext,
  options: { readonly isEcho: boolean } = { isEcho: true },
): Promise<WebSocketUpstream> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true })
  await once(server, 'listening')
  const waiting: WebSocket[] = []
  const wanted: ((socket: WebSocket) => void)[] = []
  server.on('connection', (socket) => {
    socket.on('error', () => undefined)
    if (options.isEcho)
      socket.on('message', (bytes, isBinary) => socket.send(bytes, { binary: isBinary }))
    const resolve = wanted.shift()
    if (resolve === undefined) waiting.push(socket)
    else resolve(socket)
  })
  t.after(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  // The cast holds because a server that listens on an address has one.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    accepted() {
      const socket = waiting.shift()
      if (socket !== undefined) return Promise.resolve(socket)
      const pending = new Promise<WebSocket>((resolve) => wanted.push(resolve))
      return within(pending, () => 'a WebSocket connection to the upstream')
    },
  }
}

/** A client with an open connection. */
export async function openWebSocket(
  t: TestContext,
  url: string,
  options: { readonly ca?: string } = {},
): Promise<WebSocket> {
  const socket = new WebSocket(url, { perMessageDeflate: false, ...options })
  t.after(() => socket.terminate())
  await within(once(socket, 'open'), () => `${url} to open`)
  socket.on('error', () => undefined)
  return socket
}

/** The next message. */
export async function messageOf(socket: WebSocket): Promise<Buffer> {
  const pending = new Promise<Buffer>((resolve) =>
    // The cast holds because `binaryType` is left at its default, which gives buffers.
    socket.once('message', (bytes) => resolve(bytes as Buffer)),
  )
  return within(pending, () => 'a WebSocket message')
}

/** The code that the connection is closed with; 1006 when it broke. */
export async function closeCodeOf(socket: WebSocket): Promise<number> {
  const pending = new Promise<number>((resolve) => socket.once('close', resolve))
  return within(pending, () => 'a WebSocket to close')
}
