/** Makes a `ByteStream` of a socket, by the fast way where a test at start has shown that it works. */
import { connect, createServer, type Socket } from 'node:net'
import { type ByteStream, SocketStream } from './byte-stream.ts'
import { openHandleStream } from './handle-stream.ts'

export type Transport = 'handle' | 'socket'

let transport: Transport = 'socket'
/** Of the one probe of this thread. */
let handleSoundness: Promise<boolean> | undefined

/** Wraps a socket that is paused and was never read from. */
export function openStream(socket: Socket, options: { isEncrypted: boolean }): ByteStream {
  const fast = transport === 'handle' && !options.isEncrypted ? openHandleStream(socket) : undefined
  if (fast !== undefined) {
    socket.setNoDelay(true)
    return fast
  }
  const stream = new SocketStream(socket, options)
  socket.resume()
  return stream
}

/**
 * Chooses the transport of this thread, before it serves. `handle` needs parts of Node that are
 * not public API, so it is used only when a real transfer over loopback comes through unchanged.
 */
export async function chooseTransport(wanted: Transport): Promise<Transport> {
  if (wanted === 'handle') handleSoundness ??= isHandleStreamSound()
  const isSound = wanted === 'handle' && (await handleSoundness) === true
  transport = isSound ? 'handle' : 'socket'
  return transport
}

/** More than fits into socket buffers, so that partial writes are part of the test. */
const probeBytes = 4 * 1_048_576
const probeMsMax = 2_000

/** Sends a pattern from one handle stream to another and compares; false on any surprise. */
export function isHandleStreamSound(): Promise<boolean> {
  const pattern = Buffer.alloc(
    probeBytes,
    Buffer.from(Array.from({ length: 251 }, (_, index) => index)),
  )
  return new Promise((resolve) => {
    const sockets: Socket[] = []
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
    const end = (isSound: boolean) => {
      for (const socket of sockets) socket.destroy()
      server.close()
      resolve(isSound)
    }
    server.once('error', () => end(false))
    server.once('connection', (socket) => {
      sockets.push(socket)
      compareReceived(socket, pattern, end)
    })
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = server.address()
      if (typeof address !== 'object' || address === null) {
        end(false)
        return
      }
      const socket = connect({ host: '127.0.0.1', port: address.port })
      socket.setTimeout(probeMsMax, () => end(false))
      sockets.push(socket)
      socket.once('error', () => end(false))
      socket.pause()
      socket.once('connect', () => send(socket, pattern, end))
    })
  })
}

function send(socket: Socket, pattern: Buffer, end: (isSound: boolean) => void): void {
  const stream = openHandleStream(socket)
  if (stream === undefined) {
    end(false)
    return
  }
  stream.setHandler({ onBytes: () => end(false), onEnd: ignore, onDrain: ignore, onClose: ignore })
  stream.write(pattern)
  stream.end()
}

function compareReceived(socket: Socket, pattern: Buffer, end: (isSound: boolean) => void): void {
  const stream = openHandleStream(socket)
  if (stream === undefined) {
    end(false)
    return
  }
  const parts: Buffer[] = []
  stream.setHandler({
    onBytes: (bytes) => void parts.push(bytes),
    onEnd: () => end(Buffer.concat(parts).equals(pattern)),
    onDrain: ignore,
    onClose: ignore,
  })
}

function ignore(): void {
  // Not part of what the probe looks at.
}
