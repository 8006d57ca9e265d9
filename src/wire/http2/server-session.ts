/**
 * The client's side of HTTP/2 (RFC 9113), on the core API of `node:http2`: nghttp2 does framing,
 * HPACK and flow control; here is what a gateway must decide: limits, floods, time, and the end.
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { ErrorCode } from '../../base/errors.ts'
import type { HeadParts } from '../http1/compose.ts'
import { BodyTracker, frameRequest } from '../http1/framing.ts'
import type { Head, HeadPool } from '../http1/head.ts'
import { hostProblem } from '../http1/host.ts'
import { type HeadLimits, refusalOf, scanRequestHead } from '../http1/scan.ts'
import type { ForwardingMemo, Inbound, InboundListener } from '../inbound.ts'
import { withoutMapping } from '../tcp/byte-stream.ts'
import type { PeerCertificate } from '../tls/peer-certificate.ts'
import { requestText, responseFields } from './fields.ts'
import { type Flood, FloodGuard, http2Limits } from './limits.ts'
import { Http2ServerStream, type StreamOwner } from './server-stream.ts'

export type Http2Settings = {
  readonly limits: HeadLimits & { readonly requestsPerConnectionMax: number | undefined }
  readonly bodyMs: number
  readonly idleMs: number
}

export type Http2Services = {
  heads(): HeadPool
  settings(): Http2Settings
  /** Milliseconds, renewed by the sweep. */
  coarseNow(): number
  onRequest(inbound: Inbound): InboundListener
  /** A request was refused before there was an exchange; returns the answer to it. */
  onHttp2Refused(code: ErrorCode): { readonly parts: HeadParts; readonly body: Buffer }
  /** The connection was ended because of a flood or a violation. */
  onHttp2Misused(code: ErrorCode): void
  onHttp2Stream(): void
  onHttp2Closed(connection: Http2Connection): void
}

export type Http2Options = {
  readonly isEncrypted: boolean
  /** Of the TLS client, verified. */
  readonly peerCertificate?: PeerCertificate | undefined
}

/** How long clients have to read that we are leaving before new streams are refused. */
const goAwayNoticeMs = 250
const streamIdMax = 2 ** 31 - 1

/** Serves HTTP/2 on a connection that nobody reads from; bytes received already are in its buffer. */
export function acceptHttp2(
  socket: Socket,
  services: Http2Services,
  options: Http2Options,
): Http2Connection {
  return new Http2Connection(socket, services, options)
}

export class Http2Connection implements StreamOwner {
  readonly scheme: 'http' | 'https'
  readonly peerAddress: string
  readonly peerPort: number
  readonly peerCertificate: PeerCertificate | undefined
  forwardingMemo?: ForwardingMemo
  readonly #services: Http2Services
  readonly #session: ServerHttp2Session
  readonly #streams = new Set<Http2ServerStream>()
  readonly #guard: FloodGuard
  #requestCount = 0
  /** When the last stream ended. */
  #idleSinceMs: number
  /** When the client was told that we are leaving, 0 before. */
  #noticeAtMs = 0
  #isClosed = false
  #isMisused = false

  constructor(
    socket: Socket,
    services: Http2Services,
    { isEncrypted, peerCertificate }: Http2Options,
  ) {
    this.#services = services
    this.scheme = isEncrypted ? 'https' : 'http'
    this.peerAddress = withoutMapping(socket.remoteAddress ?? '')
    this.peerPort = socket.remotePort ?? 0
    this.peerCertificate = peerCertificate
    this.#idleSinceMs = services.coarseNow()
    this.#guard = new FloodGuard(this.#idleSinceMs)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    // A client that ends its side has left: it could not even acknowledge what we send.
    socket.on('end', () => socket.destroy())
    const session = performServerHandshake(socket, sessionOptions(services.settings().limits))
    // The session takes what arrives, but reading has to be begun.
    socket.read(0)
    this.#session = session
    session.on('stream', (stream, _fields, flags, raw: readonly string[] = []) =>
      this.#onStream(stream, flags, raw),
    )
    session.on('remoteSettings', () => this.#watch('wire.http2_settings_flood'))
    session.on('ping', () => this.#watch('wire.http2_ping_flood'))
    session.on('error', (error: NodeJS.ErrnoException) => this.#onError(error))
    session.on('close', () => this.#onClose())
  }

  get isIdle(): boolean {
    return this.#streams.size === 0
  }

  coarseNow(): number {
    return this.#services.coarseNow()
  }

  bodyMs(): number {
    return this.#services.settings().bodyMs
  }

  releaseHead(head: Head): void {
    this.#services.heads().release(head)
  }

  /**
   * Announces the end (RFC 9113 §6.8): streams on their way are still served, and a little later the
   * sweep says which one was the last.
   */
  drain(): void {
    if (this.#noticeAtMs !== 0 || this.#isClosed) return
    this.#noticeAtMs = this.#services.coarseNow()
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, streamIdMax)
  }

  destroy(): void {
    this.#session.destroy()
  }

  sweep(nowMs: number): void {
    if (this.#noticeAtMs !== 0 && nowMs - this.#noticeAtMs >= goAwayNoticeMs) this.#finish()
    for (const stream of this.#streams) stream.sweep(nowMs)
    const { idleMs } = this.#services.settings()
    if (this.isIdle && nowMs - this.#idleSinceMs > idleMs) this.#finish()
  }

  /** Takes no more streams and closes after the last one. */
  #finish(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close()
  }

  #onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    this.#requestCount++
    this.#services.onHttp2Stream()
    stream.on('close', () => {
      // Our own resets are not held against the client.
      if (stream.aborted && stream.rstCode === constants.NGHTTP2_CANCEL)
        this.#watch('wire.http2_reset_flood')
    })
    const { requestsPerConnectionMax } = this.#services.settings().limits
    if (requestsPerConnectionMax !== undefined && this.#requestCount >= requestsPerConnectionMax)
      this.drain()
    if (stream.destroyed) {
      // Taken back before we got to it.
      return
    }
    const isEnded = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    const head = this.#services.heads().acquire()
    const body = new BodyTracker()
    const refusal = this.#readHead(head, body, raw, isEnded)
    if (refusal !== undefined) {
      this.releaseHead(head)
      this.#refuse(stream, refusal)
      return
    }
    const inbound = new Http2ServerStream(stream, head, body, this)
    this.#streams.add(inbound)
    inbound.begin((request) => this.#services.onRequest(request))
  }

  /** Writes the request out as an HTTP/1.1 head and reads it as strictly as any other. */
  #readHead(
    head: Head,
    body: BodyTracker,
    raw: readonly string[],
    isEnded: boolean,
  ): ErrorCode | undefined {
    const request = requestText(raw, !isEnded)
    if (!request.ok) return request.code
    const bytes = Buffer.from(request.text, 'latin1')
    const end = scanRequestHead(head, bytes, 0, bytes.length, this.#services.settings().limits)
    if (end < 0) return refusalOf(end)
    // One field in, one field out: nothing in a value has made another one.
    if (end !== bytes.length || head.fieldCount !== request.fieldCount) return 'wire.bad_field'
    return frameRequest(head, body) ?? hostProblem(head)
  }

  #refuse(stream: ServerHttp2Stream, code: ErrorCode): void {
    const { parts, body } = this.#services.onHttp2Refused(code)
    stream.on('error', () => undefined)
    stream.on('end', () => undefined)
    stream.resume()
    stream.respond(responseFields(parts))
    stream.end(body)
    // The rest of the request is not wanted.
    if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR)
  }

  onStreamClosed(stream: Http2ServerStream): void {
    if (this.#streams.delete(stream) && this.isIdle) this.#idleSinceMs = this.coarseNow()
  }

  #watch(flood: Flood): void {
    if (this.#guard.isTooMany(flood, this.coarseNow())) this.#misused(flood)
  }

  #onError(error: NodeJS.ErrnoException): void {
    const isFlood = floodErrors.has(error.code ?? '')
    if (isFlood) this.#misused('wire.http2_frame_flood')
    else if (error.code === 'ERR_HTTP2_ERROR') this.#misused('wire.http2_violation')
  }

  #misused(code: ErrorCode): void {
    if (this.#isMisused) return
    this.#isMisused = true
    this.#services.onHttp2Misused(code)
    if (!this.#session.destroyed)
      this.#session.destroy(new Error(code), constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  #onClose(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#services.onHttp2Closed(this)
  }
}

function sessionOptions({ headBytesMax }: HeadLimits): ServerOptions {
  return {
    maxSettings: http2Limits.settingsEntriesMax,
    maxSessionMemory: http2Limits.sessionMemoryMegabytesMax,
    maxSessionInvalidFrames: http2Limits.invalidFramesMax,
    maxSessionRejectedStreams: http2Limits.rejectedStreamsMax,
    // Behind our own count, which says what happened.
    streamResetBurst: http2Limits.resetsPerPeriodMax * 2,
    streamResetRate: http2Limits.resetsPerPeriodMax,
    strictSingleValueFields: false,
    settings: {
      enablePush: false,
      maxConcurrentStreams: http2Limits.concurrentStreamsMax,
      // More than our own limit, so that a head that is a little too large gets an answer.
      maxHeaderListSize: headBytesMax * http2Limits.headerBytesFactor,
    },
  }
}

/** What Node and nghttp2 call a client that sends more of something than they take. */
const floodErrors = new Set([
  'ERR_HTTP2_TOO_MANY_INVALID_FRAMES',
  'ERR_HTTP2_MAX_PENDING_SETTINGS_ACK',
])
