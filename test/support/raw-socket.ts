/** A TCP connection of a test, from either end: exact bytes out, and what came in to look at. */
import { connect as connectTcp, type Socket } from 'node:net'
import { within } from './eventually.ts'
import { type HttpMessage, readMessage } from './http-message.ts'

export type Ending = 'open' | 'fin' | 'closed' | 'reset'

export class RawSocket {
  readonly socket: Socket
  /** How the other end has ended the connection, as far as it has. */
  ending: Ending = 'open'
  /** All bytes received. */
  receivedBytes = 0
  #parts: Buffer[] = []
  #isKeeping = true
  readonly #watchers = new Set<() => void>()

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => {
      this.receivedBytes += bytes.length
      if (this.#isKeeping) this.#parts.push(bytes)
      this.#notify()
    })
    socket.on('end', () => {
      if (this.ending === 'open') this.ending = 'fin'
      this.#notify()
    })
    socket.on('error', () => {
      this.ending = 'reset'
    })
    socket.on('close', () => {
      if (this.ending !== 'reset') this.ending = this.ending === 'fin' ? 'fin' : 'closed'
      this.isClosed = true
      this.#notify()
    })
  }

  isClosed = false

  #notify(): void {
    for (const watcher of this.#watchers) watcher()
  }

  /** Received and not yet taken as a message. */
  get pending(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)]
    return this.#parts[0] ?? Buffer.alloc(0)
  }

  /** Counts what arrives instead of keeping it. */
  discard(): void {
    this.#isKeeping = false
    this.#parts = []
  }

  send(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  /** Resolves when the kernel has taken all of it. */
  sendAll(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  }

  /** Sends FIN. */
  end(): this {
    this.socket.end()
    return this
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  pause(): this {
    this.socket.pause()
    return this
  }

  resume(): this {
    this.socket.resume()
    return this
  }

  /** Resolves as soon as the condition holds. */
  until(condition: () => boolean, what = 'a condition of a socket'): Promise<void> {
    const pending = new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return
        this.#watchers.delete(check)
        resolve()
      }
      this.#watchers.add(check)
      check()
    })
    return within(
      pending,
      () =>
        `${what}; ${this.ending}, received ${JSON.stringify(this.pending.toString('latin1').slice(-600))}`,
    )
  }

  /** How the other end ended the connection. */
  async ended(): Promise<Ending> {
    await this.until(() => this.ending !== 'open' || this.isClosed, 'the end of the connection')
    return this.ending
  }

  async closed(): Promise<Ending> {
    await this.until(() => this.isClosed, 'the connection to be closed')
    return this.ending
  }

  /** Takes the next response; `method` is that of its request. 1xx responses are messages too. */
  response(method = 'GET'): Promise<HttpMessage> {
    return this.#message('response', method)
  }

  /** Takes the next request. */
  request(): Promise<HttpMessage> {
    return this.#message('request', undefined)
  }

  async #message(kind: 'request' | 'response', method: string | undefined): Promise<HttpMessage> {
    let message: HttpMessage | undefined
    const read = () => {
      message ??= readMessage(this.pending, {
        kind,
        isEnded: this.ending === 'fin',
        ...(method !== undefined && { method }),
      })
      return message !== undefined
    }
    await this.until(() => read() || this.ending !== 'open', `a ${kind}`)
    if (message === undefined) {
      const text = this.pending.toString('latin1').slice(0, 600)
      throw new Error(
        `no complete ${kind} before the connection was ${this.ending}: ${JSON.stringify(text)}`,
      )
    }
    const rest = this.pending.subarray(message.size)
    this.#parts = rest.length === 0 ? [] : [rest]
    return message
  }
}

export function connectRaw(port: number): Promise<RawSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: '127.0.0.1', port, allowHalfOpen: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(new RawSocket(socket))
    })
  })
}
