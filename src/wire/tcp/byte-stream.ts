/**
 * A connection as the codecs see it: bytes in, bytes out, back-pressure both ways. Ownership of a
 * buffer moves with it: who gets bytes may keep them, who gives bytes to `write` must not touch them
 * again.
 */
import type { Socket } from 'node:net'
import type { PeerCertificate } from '../tls/peer-certificate.ts'

export type ByteStreamHandler = {
  onBytes(bytes: Buffer): void
  /** The peer sent FIN: nothing more will arrive. */
  onEnd(): void
  /** Everything given to `write` has left for the kernel, after a `write` that returned false. */
  onDrain(): void
  /** The connection is gone; nothing is called after this. `error` when it broke. */
  onClose(error: NodeJS.ErrnoException | undefined): void
}

export type ByteStream = {
  readonly peerAddress: string
  readonly peerPort: number
  readonly isEncrypted: boolean
  /** That the client has proved to hold, verified; undefined for none. */
  readonly peerCertificate?: PeerCertificate | undefined
  /** Everything written has left for the kernel. */
  readonly isFlushed: boolean
  setHandler(handler: ByteStreamHandler): void
  /** False when the bytes wait in memory: stop until `onDrain`. */
  write(bytes: Buffer): boolean
  /** Sends FIN once everything written is sent. */
  end(): void
  /** Drops the connection at once, with what is not sent. */
  destroy(): void
  /** Like `destroy`, but the peer can tell it from an orderly end, which some messages end with. */
  reset(): void
  pause(): void
  resume(): void
  /**
   * Gives the socket away, with bytes that were received and not used, to a codec that works on
   * sockets. Nothing may be called here after it.
   * Left out by streams that are no sockets.
   */
  takeSocket?(received: Buffer): Socket
}

/** A `ByteStream` over a socket of `node:net` or `node:tls`. */
export class SocketStream implements ByteStream {
  readonly peerAddress: string
  readonly peerPort: number
  readonly isEncrypted: boolean
  readonly peerCertificate: PeerCertificate | undefined
  readonly #socket: Socket
  #handler: ByteStreamHandler | undefined
  #error: NodeJS.ErrnoException | undefined

  constructor(
    socket: Socket,
    options: { isEncrypted: boolean; peerCertificate?: PeerCertificate | undefined },
  ) {
    this.#socket = socket
    this.peerAddress = withoutMapping(socket.remoteAddress ?? '')
    this.peerPort = socket.remotePort ?? 0
    this.isEncrypted = options.isEncrypted
    this.peerCertificate = options.peerCertificate
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#handler?.onBytes(bytes))
    // After an error, such as an alert of TLS, the end is none that the peer meant: `close` tells of it.
    socket.on('end', () => {
      if (this.#error === undefined) this.#handler?.onEnd()
    })
    socket.on('drain', () => this.#handler?.onDrain())
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error
    })
    socket.on('close', () => this.#handler?.onClose(this.#error))
  }

  get isFlushed(): boolean {
    return this.#socket.writableLength === 0
  }

  setHandler(handler: ByteStreamHandler): void {
    this.#handler = handler
  }

  write(bytes: Buffer): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return true
    return this.#socket.write(bytes)
  }

  end(): void {
    if (!this.#socket.destroyed) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  reset(): void {
    // TLS has its own end of data: without it the peer knows that something is missing.
    if (this.isEncrypted) this.#socket.destroy()
    else resetSocket(this.#socket)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  takeSocket(received: Buffer): Socket {
    const socket = this.#socket
    this.#handler = undefined
    socket.removeAllListeners('data')
    socket.pause()
    socket.unshift(received)
    return socket
  }
}

/**
 * Sends RST. `resetAndDestroy` would send FIN first, which a peer may take for an orderly end; this is
 * its second half, and where a Node does not know the property, the connection is merely closed.
 */
export function resetSocket(socket: Socket): void {
  if (!socket.destroyed) Reflect.set(socket, 'resetAndClosing', true)
  socket.destroy()
}

/** `::ffff:10.0.0.1` (RFC 4291 §2.5.5.2) as `10.0.0.1`. */
export function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
