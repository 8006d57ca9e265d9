/**
 * A `ByteStream` directly on Node's TCP handle, past the stream classes: about 5 µs less CPU per
 * proxied request (bench/README.md). These parts of Node are not public API. This file is the only
 * one that touches them; `open-stream.ts` tests at start that they behave as expected, and without
 * that everything runs on `SocketStream`.
 *
 * What is used: `socket._handle` with `onread`, `readStart`, `readStop`, `useUserBuffer`,
 * `writeBuffer`, and the shared `streamBaseState` of `process.binding('stream_wrap')`.
 */
import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import {
  type ByteStream,
  type ByteStreamHandler,
  resetSocket,
  withoutMapping,
} from './byte-stream.ts'

type Handle = {
  onread: (this: unknown) => void
  readStart(): number
  readStop(): number
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
}
type WriteRequest = { oncomplete: ((status: number) => void) | undefined; buffer?: Uint8Array }
type Binding = {
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
  readonly WriteWrap: new () => WriteRequest
}

/** One read takes at most this much. */
const readBytesMax = 65_536
/** `UV_EOF`. */
const endOfFile = -4_095

const binding = loadBinding()
/**
 * Where every read of this thread goes; what was read is copied out at once. Reading into memory of
 * its own costs more than the copy, and giving a handle another buffer leaves its listener for the
 * old one behind until the handle closes.
 */
const readBuffer = Buffer.allocUnsafeSlow(binding === undefined ? 0 : readBytesMax)
/** Taken again by every write that completes at once, which nearly all do. */
let spareRequest: WriteRequest | undefined

function loadBinding(): Binding | undefined {
  const load: unknown = Reflect.get(process, 'binding')
  if (typeof load !== 'function') return undefined
  try {
    const loaded: unknown = Reflect.apply(load, process, ['stream_wrap'])
    return isBinding(loaded) ? loaded : undefined
  } catch {
    // A Node without this binding: the public API serves.
    return undefined
  }
}

function isBinding(value: unknown): value is Binding {
  return (
    typeof value === 'object' &&
    value !== null &&
    'streamBaseState' in value &&
    value.streamBaseState instanceof Int32Array &&
    'kReadBytesOrError' in value &&
    typeof value.kReadBytesOrError === 'number' &&
    'kLastWriteWasAsync' in value &&
    typeof value.kLastWriteWasAsync === 'number' &&
    'WriteWrap' in value &&
    typeof value.WriteWrap === 'function'
  )
}

function handleOf(socket: Socket): Handle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  return isHandle(handle) ? handle : undefined
}

const handleMethods = ['readStart', 'readStop', 'useUserBuffer', 'writeBuffer'] as const

function isHandle(value: unknown): value is Handle {
  return (
    typeof value === 'object' &&
    value !== null &&
    handleMethods.every((name) => typeof Reflect.get(value, name) === 'function')
  )
}

/** Wraps a paused socket that nothing has been read from; undefined where that is not possible. */
export function openHandleStream(socket: Socket): ByteStream | undefined {
  const handle = binding === undefined ? undefined : handleOf(socket)
  return handle === undefined || binding === undefined
    ? undefined
    : new HandleStream(socket, handle, binding)
}

class HandleStream implements ByteStream {
  readonly peerAddress: string
  readonly peerPort: number
  readonly isEncrypted = false
  readonly #socket: Socket
  readonly #handle: Handle
  readonly #binding: Binding
  #handler: ByteStreamHandler | undefined
  #queue: Buffer[] = []
  #isWriting = false
  #isEnding = false
  #isDestroyed = false
  #isReading = false
  #isReadEnded = false
  #isTaken = false
  /** Why nothing can be sent any more, while there may still be something to read. */
  #writeFailure: string | undefined
  #error: NodeJS.ErrnoException | undefined

  constructor(socket: Socket, handle: Handle, from: Binding) {
    this.#socket = socket
    this.#handle = handle
    this.#binding = from
    this.peerAddress = withoutMapping(socket.remoteAddress ?? '')
    this.peerPort = socket.remotePort ?? 0
    handle.onread = () => this.#onRead()
    handle.useUserBuffer(readBuffer)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error
    })
    socket.on('close', () => {
      this.#isDestroyed = true
      this.#handler?.onClose(this.#error)
    })
    this.resume()
  }

  get isFlushed(): boolean {
    return !this.#isWriting
  }

  setHandler(handler: ByteStreamHandler): void {
    this.#handler = handler
  }

  #onRead(): void {
    const count = this.#binding.streamBaseState[this.#binding.kReadBytesOrError] ?? 0
    // Who took the socket reads the bytes before us, and leaves us the end.
    if (this.#isTaken && count < 0) this.#socket.destroy()
    if (this.#isDestroyed || count === 0) return
    if (count > 0) {
      const bytes = Buffer.allocUnsafe(count)
      readBuffer.copy(bytes, 0, 0, count)
      this.#handler?.onBytes(bytes)
      return
    }
    this.pause()
    if (count !== endOfFile) {
      this.#destroyWith(this.#writeFailure ?? `read failed (${getSystemErrorName(count)})`)
      return
    }
    if (this.#writeFailure !== undefined) {
      // The error that broke the connection was told to the write; this is no orderly end.
      this.#destroyWith(this.#writeFailure)
      return
    }
    this.#isReadEnded = true
    this.#handler?.onEnd()
    // Both directions are done: nothing else would close the socket.
    if (this.#isEnding && !this.#isWriting) this.#socket.destroySoon()
  }

  write(bytes: Buffer): boolean {
    if (this.#isDestroyed || this.#isEnding || this.#writeFailure !== undefined) return true
    if (this.#isWriting) {
      this.#queue.push(bytes)
      return false
    }
    return this.#writeNow(bytes)
  }

  #writeNow(bytes: Buffer): boolean {
    const request = spareRequest ?? new this.#binding.WriteWrap()
    spareRequest = undefined
    const status = this.#handle.writeBuffer(request, bytes)
    if (status !== 0) {
      this.#onWriteFailed(status)
      return true
    }
    if (this.#binding.streamBaseState[this.#binding.kLastWriteWasAsync] === 0) {
      spareRequest = request
      return true
    }
    this.#isWriting = true
    // The kernel took a part only: the bytes must live until the rest has gone.
    request.buffer = bytes
    request.oncomplete = (result) => this.#onWritten(result)
    return false
  }

  #onWritten(status: number): void {
    this.#isWriting = false
    if (this.#isDestroyed) return
    if (status < 0) {
      this.#onWriteFailed(status)
      return
    }
    const waiting = this.#queue
    if (waiting.length > 0) {
      this.#queue = []
      const [only] = waiting
      const bytes = waiting.length === 1 && only !== undefined ? only : Buffer.concat(waiting)
      if (!this.#writeNow(bytes)) return
    }
    if (this.#isEnding) this.#endSocket()
    else this.#handler?.onDrain()
  }

  /**
   * A server that answers early and closes makes our writes fail while its answer waits to be read.
   * What has arrived is read first; the read side then meets the end of the connection.
   */
  #onWriteFailed(status: number): void {
    const failure = `write failed (${getSystemErrorName(status)})`
    this.#queue = []
    if (this.#isReading && !this.#isEnding) this.#writeFailure = failure
    else this.#destroyWith(failure)
  }

  end(): void {
    if (this.#isDestroyed || this.#isEnding) return
    this.#isEnding = true
    if (!this.#isWriting) this.#endSocket()
  }

  #endSocket(): void {
    if (this.#isReadEnded) this.#socket.destroySoon()
    else this.#socket.end()
  }

  destroy(): void {
    // The handle must not be used from here on; `close` comes later.
    this.#isDestroyed = true
    this.#socket.destroy()
  }

  reset(): void {
    this.#isDestroyed = true
    resetSocket(this.#socket)
  }

  #destroyWith(message: string): void {
    this.#isDestroyed = true
    this.#socket.destroy(new Error(message))
  }

  pause(): void {
    if (!this.#isReading || this.#isDestroyed) return
    this.#isReading = false
    this.#handle.readStop()
  }

  resume(): void {
    if (this.#isReading || this.#isDestroyed) return
    this.#isReading = true
    this.#handle.readStart()
  }

  takeSocket(received: Buffer): Socket {
    this.pause()
    this.#isTaken = true
    this.#isDestroyed = true
    this.#handler = undefined
    this.#socket.unshift(received)
    return this.#socket
  }
}
