/**
 * The client's side of HTTP/1.1 (RFC 9112): reads requests from a byte stream, one exchange at a
 * time, and writes the responses. Pipelined requests wait unread in the kernel while one is served.
 */
import type { Socket } from 'node:net'
import { assert, type ErrorCode } from '../../base/errors.ts'
import type { ForwardingMemo, Inbound, InboundListener, ResponseOptions } from '../inbound.ts'
import type { ByteStream, ByteStreamHandler } from '../tcp/byte-stream.ts'
import type { PeerCertificate } from '../tls/peer-certificate.ts'
import type { TunnelEnd } from '../tunnel.ts'
import { LF } from './characters.ts'
import { composeHead, type DropTable, type HeadParts } from './compose.ts'
import { fieldId } from './fields.ts'
import {
  type BodyFraming,
  type BodyRefusal,
  BodyTracker,
  bodyRefusalOf,
  connectionOptions,
  frameRequest,
  isPersistent,
} from './framing.ts'
import type { Head, HeadPool } from './head.ts'
import { hostProblem } from './host.ts'
import { type HeadLimits, incomplete, refusalOf, scanRequestHead } from './scan.ts'

export type ServerConnectionSettings = {
  readonly limits: HeadLimits & { readonly requestsPerConnectionMax: number | undefined }
  readonly headMs: number
  readonly bodyMs: number
  readonly idleMs: number
}

export type ServerConnectionServices = {
  /** Another pool after the limit on fields has changed. */
  heads(): HeadPool
  settings(): ServerConnectionSettings
  /** Milliseconds, renewed by the sweep: good enough for time limits and free to read. */
  coarseNow(): number
  /** Whether connections close after the response that runs. */
  isDraining(): boolean
  onRequest(inbound: Inbound): InboundListener
  /** A message was refused before there was an exchange; returns the whole answer to send. */
  onRefused(code: ErrorCode, connection: ServerConnection): Buffer
  onClosed(connection: ServerConnection): void
  /** The client speaks HTTP/2 on this connection, which is no longer ours. */
  onHttp2Preface?(socket: Socket, connection: ServerConnection): void
}

const transferEncodingId = fieldId('transfer-encoding')
const expectId = fieldId('expect')

function withoutTransferEncoding(drop: DropTable): DropTable {
  const table = Uint8Array.from(drop)
  table[transferEncodingId] = 1
  return table
}

/**
 * `discarding`: the response is out, the rest of the request body is read and thrown away.
 * `tunnel`: the stream belongs to a tunnel; only time limits pass through here.
 */
type Phase = 'head' | 'exchange' | 'discarding' | 'tunnel' | 'lingering' | 'closed'

/** As much of the preface as the scan needs to see another version. */
const prefaceStart = Buffer.from('PRI * HTTP/2', 'latin1')
const lingerMs = 2_000
const lingerBytesMax = 1_048_576
const discardBytesMax = 1_048_576

export class ServerConnection implements ByteStreamHandler, Inbound {
  readonly scheme: 'http' | 'https'
  readonly peerAddress: string
  readonly peerPort: number
  bodyFailure: BodyRefusal | undefined
  forwardingMemo?: ForwardingMemo
  readonly #stream: ByteStream
  readonly #services: ServerConnectionServices
  readonly #body = new BodyTracker()
  #phase: Phase = 'head'
  #head: Head | undefined
  #listener: InboundListener | undefined
  /** Bytes received and not yet used. */
  #pending: Buffer | undefined
  #isReadingHeads = false
  #isBodyFlowing = false
  /** The proxy does not want what remains of the body. */
  #isDiscarding = false
  #isBodyPaused = false
  #isStreamPaused = false
  #isPersistent = true
  #isResponseStarted = false
  /** The response ends with the connection, so that an orderly end would make it look complete. */
  #endsByClose = false
  /** Lingering has begun, but not everything written has been sent. */
  #isFlushing = false
  /** Set while an HTTP/1.0 client gets a chunked response: it is decoded for it. */
  #decoder: BodyTracker | undefined
  #requestCount = 0
  #lingerBytes = 0
  #discardedBytes = 0
  /** When the present wait began: for a head, a part of the body, the next request. */
  #sinceMs: number
  /** When a write first had to wait, 0 when none does. */
  #blockedSinceMs = 0

  constructor(stream: ByteStream, services: ServerConnectionServices) {
    this.#stream = stream
    this.#services = services
    this.scheme = stream.isEncrypted ? 'https' : 'http'
    this.peerAddress = stream.peerAddress
    this.peerPort = stream.peerPort
    this.#sinceMs = services.coarseNow()
    stream.setHandler(this)
  }

  get head(): Head {
    assert(this.#head !== undefined, 'the head was read outside an exchange')
    return this.#head
  }

  get peerCertificate(): PeerCertificate | undefined {
    return this.#stream.peerCertificate
  }

  get bodyFraming(): BodyFraming {
    return this.#body.framing
  }

  get bodyLength(): number {
    return this.#body.framing === 'length' ? this.#body.length : 0
  }

  get isBodyDone(): boolean {
    return this.#body.isDone
  }

  get bodyDataBytes(): number {
    return this.#body.dataBytes
  }

  /** No request runs and none has begun to arrive. */
  get isIdle(): boolean {
    return this.#phase === 'head' && this.#pending === undefined
  }

  /** Closes at once when idle; else after the response that runs. */
  drain(): void {
    if (this.isIdle) this.#linger()
  }

  destroy(): void {
    if (this.#phase === 'tunnel') this.#listener?.onGone('gateway.draining')
    this.#stream.destroy()
  }

  // From the stream

  onBytes(bytes: Buffer): void {
    switch (this.#phase) {
      case 'head':
        this.#onHeadBytes(bytes)
        return
      case 'exchange':
        this.#onExchangeBytes(bytes)
        return
      case 'discarding':
        this.#sinceMs = this.#services.coarseNow()
        this.#discard(bytes)
        return
      case 'lingering':
        this.#lingerBytes += bytes.length
        if (this.#lingerBytes > lingerBytesMax) this.#stream.destroy()
        return
      case 'tunnel':
      case 'closed':
        return
    }
  }

  #onHeadBytes(bytes: Buffer): void {
    const before = this.#pending
    if (before === undefined) this.#sinceMs = this.#services.coarseNow()
    this.#pending = before === undefined ? bytes : Buffer.concat([before, bytes])
    // Without a line end there is nothing new to find: whoever sends a head byte by byte must not
    // have us scan it again for each of them.
    const isWorthScanning = before === undefined || bytes.includes(LF)
    const { headBytesMax } = this.#services.settings().limits
    if (isWorthScanning || this.#pending.length > headBytesMax) this.#readHeads()
  }

  #onExchangeBytes(bytes: Buffer): void {
    this.#sinceMs = this.#services.coarseNow()
    if (this.#isBodyFlowing && !this.#body.isDone) {
      this.#deliverBody(bytes)
      return
    }
    this.#pending = this.#pending === undefined ? bytes : Buffer.concat([this.#pending, bytes])
    this.#pauseStream()
  }

  onEnd(): void {
    if (this.#phase === 'exchange') {
      // Like other gateways we take FIN in mid-exchange for a client that went away.
      this.#stream.destroy()
      return
    }
    this.#stream.end()
    if (this.#phase !== 'closed') this.#linger()
  }

  onDrain(): void {
    this.#blockedSinceMs = 0
    this.#listener?.onDrain()
  }

  onClose(): void {
    if (this.#phase === 'closed') return
    const listener = this.#listener
    this.#phase = 'closed'
    this.#pending = undefined
    this.#listener = undefined
    listener?.onGone()
    this.#releaseHead()
    this.#services.onClosed(this)
  }

  /** Enforces time limits; called about ten times a second. */
  sweep(nowMs: number): void {
    const settings = this.#services.settings()
    const waitedMs = nowMs - this.#sinceMs
    if (this.#phase === 'lingering') {
      if (this.#isFlushing && this.#stream.isFlushed) {
        this.#isFlushing = false
        this.#sinceMs = nowMs
      } else if (waitedMs > (this.#isFlushing ? settings.bodyMs : lingerMs)) this.#stream.destroy()
      return
    }
    if (this.#phase === 'discarding') {
      if (waitedMs > settings.bodyMs) this.#linger()
      return
    }
    if (this.#phase === 'head') {
      if (this.#pending === undefined) {
        if (waitedMs > settings.idleMs) this.#linger()
      } else if (waitedMs > settings.headMs) this.#refuse('wire.head_timeout')
      return
    }
    if (this.#phase === 'tunnel') this.#listener?.onSweep(nowMs)
    if (this.#phase !== 'exchange') return
    if (this.#blockedSinceMs !== 0 && nowMs - this.#blockedSinceMs > settings.bodyMs) {
      this.#stream.destroy()
      return
    }
    const isWaitingForBody = this.#isBodyFlowing && !this.#body.isDone && !this.#isBodyPaused
    if (isWaitingForBody && waitedMs > settings.bodyMs)
      this.#listener?.onRequestBodyFailed('wire.body_timeout')
    this.#listener?.onSweep(nowMs)
  }

  // Reading

  /** Serves the requests at hand; a loop, so that a pipeline of short ones does not grow the stack. */
  #readHeads(): void {
    if (this.#isReadingHeads) return
    this.#isReadingHeads = true
    while (this.#phase === 'head' && this.#pending !== undefined) {
      if (!this.#readHead(this.#pending)) break
    }
    this.#isReadingHeads = false
  }

  /** False when more bytes are needed or the connection is closing. */
  #readHead(bytes: Buffer): boolean {
    const heads = this.#services.heads()
    const head = heads.acquire()
    const limits = this.#services.settings().limits
    const result = scanRequestHead(head, bytes, 0, bytes.length, limits)
    if (result === incomplete) {
      heads.release(head)
      this.#resumeStream()
      return false
    }
    this.#head = head
    const refusal =
      result < 0 ? refusalOf(result) : (frameRequest(head, this.#body) ?? hostProblem(head))
    if (refusal !== undefined) {
      if (refusal === 'wire.unsupported_version' && this.#handOver(bytes)) return false
      this.#refuse(refusal)
      return false
    }
    this.#pending = result < bytes.length ? bytes.subarray(result) : undefined
    // Only a connection that is read shows that the client has gone.
    if (this.#pending === undefined) this.#resumeStream()
    this.#beginExchange(head, limits.requestsPerConnectionMax)
    return true
  }

  /**
   * Only a head that was refused is compared with the preface of HTTP/2 (RFC 9113 §3.4), so that
   * HTTP/1.1 pays nothing for it. False when it is something else.
   */
  #handOver(bytes: Buffer): boolean {
    const { onHttp2Preface } = this.#services
    const isPreface = bytes.subarray(0, prefaceStart.length).equals(prefaceStart)
    if (onHttp2Preface === undefined || this.#requestCount > 0 || !isPreface) return false
    const socket = this.#stream.takeSocket?.(bytes)
    if (socket === undefined) return false
    this.#phase = 'closed'
    this.#pending = undefined
    this.#releaseHead()
    onHttp2Preface(socket, this)
    return true
  }

  #beginExchange(head: Head, requestsMax: number | undefined): void {
    this.#requestCount++
    const isLastRequest = requestsMax !== undefined && this.#requestCount >= requestsMax
    this.#isPersistent = !isLastRequest && isPersistent(head, connectionOptions(head))
    this.#phase = 'exchange'
    this.#isBodyFlowing = false
    this.#isDiscarding = false
    this.#isBodyPaused = false
    this.#isResponseStarted = false
    this.#endsByClose = false
    this.#decoder = undefined
    this.bodyFailure = undefined
    const listener = this.#services.onRequest(this)
    // The exchange may have ended inside the call.
    if (this.#phase === 'exchange' && this.#head === head) this.#listener = listener
  }

  takeBody(): Buffer | undefined {
    this.#isBodyFlowing = true
    this.#sinceMs = this.#services.coarseNow()
    const bytes = this.#pending
    if (bytes === undefined || this.#body.isDone) {
      this.#resumeStream()
      return undefined
    }
    this.#pending = undefined
    const end = this.#body.advance(bytes, 0, bytes.length)
    if (end < 0) {
      this.#failBody(bodyRefusalOf(end))
      return undefined
    }
    if (end < bytes.length) this.#pending = bytes.subarray(end)
    else this.#resumeStream()
    return end === bytes.length ? bytes : bytes.subarray(0, end)
  }

  #deliverBody(bytes: Buffer): void {
    const end = this.#body.advance(bytes, 0, bytes.length)
    if (end < 0) {
      this.#failBody(bodyRefusalOf(end))
      this.#listener?.onRequestBodyFailed(bodyRefusalOf(end))
      return
    }
    if (end < bytes.length) {
      this.#pending = bytes.subarray(end)
      this.#pauseStream()
    }
    this.#listener?.onRequestBody(
      end === bytes.length ? bytes : bytes.subarray(0, end),
      this.#body.isDone,
    )
  }

  /** A body that nobody wants, after the response: when it has ended, the next request may come. */
  #discard(bytes: Buffer): void {
    this.#discardedBytes += bytes.length
    const end = this.#body.advance(bytes, 0, bytes.length)
    if (end < 0 || (!this.#body.isDone && this.#discardedBytes > discardBytesMax)) {
      this.#linger()
      return
    }
    if (!this.#body.isDone) return
    this.#pending = end < bytes.length ? bytes.subarray(end) : undefined
    this.#awaitHead()
  }

  #failBody(code: BodyRefusal): void {
    this.bodyFailure = code
    this.#isPersistent = false
    this.#isBodyFlowing = false
  }

  pauseBody(): void {
    this.#isBodyPaused = true
    this.#pauseStream()
  }

  resumeBody(): void {
    this.#isBodyPaused = false
    this.#sinceMs = this.#services.coarseNow()
    if (this.#pending === undefined) this.#resumeStream()
  }

  discardBody(): void {
    this.#isDiscarding = true
    this.#isBodyPaused = false
    this.takeBody()
  }

  // Writing

  inform(parts: HeadParts): void {
    // HTTP/1.0 clients do not know 1xx responses (RFC 9110 §15.2).
    if (this.#isResponseStarted || this.head.minorVersion === 0) return
    this.#stream.write(composeHead(parts, undefined))
  }

  respond(parts: HeadParts, options: ResponseOptions, body: Buffer | undefined): boolean {
    const isHttp10 = this.head.minorVersion === 0
    this.#isResponseStarted = true
    let text = parts.text
    if (isHttp10 && options.framing === 'chunked') {
      this.#decoder = new BodyTracker()
      this.#decoder.begin('chunked')
    }
    this.#endsByClose = options.framing === 'close' || this.#decoder !== undefined
    const isBodyLeft = options.isLast && !this.#body.isDone && !this.#canDiscardRest()
    if (options.isClose || this.#endsByClose || isBodyLeft || this.#services.isDraining())
      this.#isPersistent = false
    if (!this.#isPersistent) text += 'connection: close\r\n'
    else if (isHttp10) text += 'connection: keep-alive\r\n'
    // HTTP/1.0 knows no transfer codings, also in the answer to HEAD (RFC 9112 §6.1).
    const drop = isHttp10 ? withoutTransferEncoding(parts.drop) : parts.drop
    const first = this.#decoder === undefined ? body : this.#decode(body)
    return this.#write(composeHead({ ...parts, text, drop }, first), options.isLast)
  }

  /** Whether what remains of the request body is worth reading to keep the connection. */
  #canDiscardRest(): boolean {
    // After a final answer a client that asked with `Expect` may send its body or not.
    if (!this.#isDiscarding || this.head.hasKnown(expectId)) return false
    const { framing, length, dataBytes } = this.#body
    return framing === 'chunked' || length - dataBytes <= discardBytesMax
  }

  writeBody(bytes: Buffer | undefined, isLast: boolean): boolean {
    return this.#write(this.#decoder === undefined ? bytes : this.#decode(bytes), isLast)
  }

  #decode(bytes: Buffer | undefined): Buffer | undefined {
    if (bytes === undefined || this.#decoder === undefined) return undefined
    const parts: Buffer[] = []
    this.#decoder.advance(bytes, 0, bytes.length, (source, start, end) =>
      parts.push(source.subarray(start, end)),
    )
    return Buffer.concat(parts)
  }

  #write(bytes: Buffer | undefined, isLast: boolean): boolean {
    const isFlushed = bytes === undefined || bytes.length === 0 || this.#stream.write(bytes)
    if (isLast) {
      this.#endExchange()
      return true
    }
    if (!isFlushed && this.#blockedSinceMs === 0) this.#blockedSinceMs = this.#services.coarseNow()
    return isFlushed
  }

  upgrade(parts: HeadParts): TunnelEnd {
    this.#stream.write(composeHead(parts, undefined))
    const early = this.#pending
    this.#pending = undefined
    this.#phase = 'tunnel'
    return { stream: this.#stream, early, onClosed: () => this.onClose() }
  }

  abort(): void {
    if (this.#endsByClose) this.#stream.reset()
    else this.#stream.destroy()
  }

  #endExchange(): void {
    this.#listener = undefined
    this.#blockedSinceMs = 0
    this.#sinceMs = this.#services.coarseNow()
    if (this.#phase !== 'exchange') return
    this.#releaseHead()
    if (!this.#isPersistent) {
      this.#linger()
    } else if (this.#body.isDone) {
      this.#awaitHead()
    } else if (this.#isDiscarding) {
      this.#phase = 'discarding'
      this.#discardedBytes = 0
      this.#resumeStream()
    } else {
      this.#linger()
    }
  }

  #awaitHead(): void {
    if (this.#services.isDraining()) {
      this.#linger()
      return
    }
    this.#phase = 'head'
    if (this.#pending === undefined) this.#resumeStream()
    else this.#readHeads()
  }

  /** Answers a message that cannot be served, and closes. */
  #refuse(code: ErrorCode): void {
    this.#stream.write(this.#services.onRefused(code, this))
    this.#releaseHead()
    this.#linger()
  }

  /**
   * Sends FIN and reads on for a while: closing with unread bytes would reset the connection and may
   * take the response with it (RFC 9112 §9.6).
   */
  #linger(): void {
    if (this.#phase === 'closed' || this.#phase === 'lingering') return
    this.#phase = 'lingering'
    this.#pending = undefined
    this.#sinceMs = this.#services.coarseNow()
    this.#isFlushing = !this.#stream.isFlushed
    this.#stream.end()
    this.#resumeStream()
  }

  #releaseHead(): void {
    if (this.#head === undefined) return
    this.#services.heads().release(this.#head)
    this.#head = undefined
  }

  #pauseStream(): void {
    if (this.#isStreamPaused) return
    this.#isStreamPaused = true
    this.#stream.pause()
  }

  #resumeStream(): void {
    if (!this.#isStreamPaused) return
    this.#isStreamPaused = false
    this.#stream.resume()
  }
}
