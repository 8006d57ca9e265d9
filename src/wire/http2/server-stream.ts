/**
 * One request of an HTTP/2 client and the way back to it: a stream of `node:http2` as `Inbound`.
 * Bodies are framed inside the gateway as in HTTP/1.1; what has no length is chunked here on the way
 * in, and what comes chunked from an upstream is taken apart on the way out.
 */
import { constants, type ServerHttp2Stream } from 'node:http2'
import { assert } from '../../base/errors.ts'
import { ChunkedTracker } from '../http1/chunked.ts'
import type { HeadParts } from '../http1/compose.ts'
import type { BodyFraming, BodyTracker } from '../http1/framing.ts'
import type { Head } from '../http1/head.ts'
import type { ForwardingMemo, Inbound, InboundListener, ResponseOptions } from '../inbound.ts'
import type { PeerCertificate } from '../tls/peer-certificate.ts'
import { chunkOf, lastChunkOf } from './chunks.ts'
import { type RawFields, responseFields, trailerFields, trailerLines } from './fields.ts'

/** What a stream needs of its connection. */
export type StreamOwner = {
  readonly scheme: 'http' | 'https'
  readonly peerAddress: string
  readonly peerPort: number
  readonly peerCertificate: PeerCertificate | undefined
  forwardingMemo?: ForwardingMemo
  coarseNow(): number
  /** Time in which the client must send more of a body, or take more of a response. */
  bodyMs(): number
  releaseHead(head: Head): void
  /** The stream is gone, and nothing of it is left to do. */
  onStreamClosed(stream: Http2ServerStream): void
}

/** Of a body that nobody wants, this much is read, so that the client gets round to the answer. */
const discardBytesMax = 1_048_576

export class Http2ServerStream implements Inbound {
  readonly viaVersion = '2.0'
  readonly bodyFraming: BodyFraming
  readonly bodyLength: number
  readonly bodyFailure = undefined
  bodyDataBytes = 0
  isBodyDone: boolean
  readonly #stream: ServerHttp2Stream
  readonly #owner: StreamOwner
  #head: Head | undefined
  #listener: InboundListener | undefined
  #trailers = ''
  #isBodyFlowing = false
  #isBodyPaused = false
  #isDiscarding = false
  #isResponseStarted = false
  /** Set while a chunked response is taken apart. */
  #decoder: ChunkedTracker | undefined
  #sinceMs: number
  /** When a write first had to wait, 0 when none does. */
  #blockedSinceMs = 0

  constructor(stream: ServerHttp2Stream, head: Head, body: BodyTracker, owner: StreamOwner) {
    this.#stream = stream
    this.#head = head
    this.#owner = owner
    this.bodyFraming = body.framing
    this.bodyLength = body.framing === 'length' ? body.length : 0
    this.isBodyDone = body.isDone
    this.#sinceMs = owner.coarseNow()
    stream.on('drain', () => this.#onDrain())
    stream.on('close', () => this.#onClose())
    // Nothing more can be said to a stream that was reset, though `close` waits for its data.
    stream.on('aborted', () => this.#onGone())
    // `close` follows and says all there is to say.
    stream.on('error', () => undefined)
    stream.on('wantTrailers', () => this.#sendTrailers())
    if (!this.isBodyDone) {
      stream.on('trailers', (_fields, _flags, raw: RawFields = []) => {
        this.#trailers = trailerLines(raw)
      })
    }
  }

  get scheme(): 'http' | 'https' {
    return this.#owner.scheme
  }

  get peerAddress(): string {
    return this.#owner.peerAddress
  }

  get peerPort(): number {
    return this.#owner.peerPort
  }

  get peerCertificate(): PeerCertificate | undefined {
    return this.#owner.peerCertificate
  }

  get forwardingMemo(): ForwardingMemo | undefined {
    return this.#owner.forwardingMemo
  }

  set forwardingMemo(memo: ForwardingMemo) {
    this.#owner.forwardingMemo = memo
  }

  get head(): Head {
    assert(this.#head !== undefined, 'the head was read outside an exchange')
    return this.#head
  }

  /** Begins the exchange. */
  begin(onRequest: (inbound: Inbound) => InboundListener): void {
    // Without a body the end must be read all the same, or the stream would never close.
    if (this.isBodyDone) this.#stream.resume()
    const listener = onRequest(this)
    // The exchange may have ended inside the call.
    if (this.#head !== undefined) this.#listener = listener
  }

  // The request body

  takeBody(): undefined {
    if (this.#isBodyFlowing || this.isBodyDone) return undefined
    this.#isBodyFlowing = true
    this.#sinceMs = this.#owner.coarseNow()
    this.#stream.on('data', (bytes: Buffer) => this.#onData(bytes))
    this.#stream.on('end', () => this.#onEnd())
    return undefined
  }

  #onData(bytes: Buffer): void {
    this.#sinceMs = this.#owner.coarseNow()
    this.bodyDataBytes += bytes.length
    if (this.#isDiscarding) {
      if (this.bodyDataBytes > discardBytesMax) this.#stream.pause()
      return
    }
    if (this.bodyFraming === 'length') {
      // nghttp2 has checked that DATA adds up to Content-Length (RFC 9113 §8.1.1).
      this.isBodyDone = this.bodyDataBytes >= this.bodyLength
      this.#listener?.onRequestBody(bytes, this.isBodyDone)
    } else if (bytes.length > 0) this.#listener?.onRequestBody(chunkOf(bytes), false)
  }

  #onEnd(): void {
    // A stream that was reset ends too, and that must not look like the end of the message.
    if (
      this.isBodyDone ||
      this.#stream.aborted ||
      this.#stream.rstCode !== constants.NGHTTP2_NO_ERROR
    )
      return
    this.isBodyDone = true
    if (this.#isDiscarding || this.bodyFraming !== 'chunked') return
    this.#listener?.onRequestBody(lastChunkOf(this.#trailers), true)
  }

  pauseBody(): void {
    this.#isBodyPaused = true
    this.#stream.pause()
  }

  resumeBody(): void {
    this.#isBodyPaused = false
    this.#sinceMs = this.#owner.coarseNow()
    if (this.#isBodyFlowing) this.#stream.resume()
  }

  discardBody(): void {
    this.#isDiscarding = true
    this.takeBody()
    this.resumeBody()
  }

  // The response

  inform(parts: HeadParts): void {
    if (this.#isResponseStarted || this.#stream.destroyed) return
    const fields = responseFields(parts)
    const status = Number(fields[1])
    if (status === constants.HTTP_STATUS_SWITCHING_PROTOCOLS) return
    this.#stream.additionalHeaders(listsOf(fields))
  }

  respond(parts: HeadParts, options: ResponseOptions, body: Buffer | undefined): boolean {
    this.#isResponseStarted = true
    const stream = this.#stream
    const isBodyless = options.framing === 'none' || this.head.method === 'HEAD'
    if (options.framing === 'chunked' && !isBodyless) {
      this.#decoder = new ChunkedTracker({ isKeepingTrailers: true })
    }
    if (!stream.destroyed && !stream.closed) {
      stream.respond(responseFields(parts), {
        endStream: isBodyless,
        waitForTrailers: this.#decoder !== undefined,
      })
    }
    return this.#write(isBodyless ? undefined : body, options.isLast)
  }

  writeBody(bytes: Buffer | undefined, isLast: boolean): boolean {
    return this.#write(bytes, isLast)
  }

  #write(bytes: Buffer | undefined, isLast: boolean): boolean {
    const decoded = this.#decoder === undefined ? bytes : this.#decode(this.#decoder, bytes)
    const stream = this.#stream
    if (isLast) {
      if (!stream.writableEnded) stream.end(decoded)
      this.#endExchange()
      return true
    }
    if (decoded === undefined || decoded.length === 0 || stream.destroyed) return true
    const isFlushed = stream.write(decoded)
    if (!isFlushed && this.#blockedSinceMs === 0) this.#blockedSinceMs = this.#owner.coarseNow()
    return isFlushed
  }

  #decode(decoder: ChunkedTracker, bytes: Buffer | undefined): Buffer | undefined {
    if (bytes === undefined) return undefined
    const parts: Buffer[] = []
    decoder.advance(bytes, 0, bytes.length, (source, start, end) =>
      parts.push(source.subarray(start, end)),
    )
    return parts.length === 1 ? parts[0] : Buffer.concat(parts)
  }

  #sendTrailers(): void {
    if (this.#stream.destroyed) return
    this.#stream.sendTrailers(trailerFields(this.#decoder?.trailerText ?? ''))
  }

  abort(): void {
    this.#releaseHead()
    this.reset()
  }

  /**
   * Ends the stream with RST_STREAM(INTERNAL_ERROR), whatever waits to be sent. `close` with a code
   * would send END_STREAM first, and a response that was cut off would look complete.
   */
  reset(): void {
    this.#stream.destroy(new Error('broken off'))
  }

  #endExchange(): void {
    this.#listener = undefined
    this.#sinceMs = this.#owner.coarseNow()
    this.#blockedSinceMs = 0
    this.#releaseHead()
    // What remains of the request is not wanted, and the client may know (RFC 9113 §8.1).
    if (!this.isBodyDone) this.#stream.close(constants.NGHTTP2_NO_ERROR)
  }

  #onDrain(): void {
    this.#blockedSinceMs = 0
    this.#listener?.onDrain()
  }

  #onGone(): void {
    const listener = this.#listener
    this.#listener = undefined
    listener?.onGone()
    this.#releaseHead()
  }

  #onClose(): void {
    this.#onGone()
    this.#owner.onStreamClosed(this)
  }

  #releaseHead(): void {
    if (this.#head === undefined) return
    this.#owner.releaseHead(this.#head)
    this.#head = undefined
  }

  /** Enforces time limits; called about ten times a second. */
  sweep(nowMs: number): void {
    const bodyMs = this.#owner.bodyMs()
    if (this.#listener === undefined) {
      // The response is complete on our side: the client must take it.
      if (nowMs - this.#sinceMs > bodyMs && this.#isStuck()) this.reset()
      return
    }
    if (this.#blockedSinceMs !== 0 && nowMs - this.#blockedSinceMs > bodyMs) {
      this.reset()
      return
    }
    const isWaitingForBody = this.#isBodyFlowing && !this.isBodyDone && !this.#isBodyPaused
    if (isWaitingForBody && nowMs - this.#sinceMs > bodyMs)
      this.#listener.onRequestBodyFailed('wire.body_timeout')
    this.#listener?.onSweep(nowMs)
  }

  /** Whether what was written last still waits for the client. */
  #isStuck(): boolean {
    return !this.#stream.writableFinished
  }
}

/** Informational responses take an object; fields that stand twice become lists. */
function listsOf(fields: readonly string[]): Record<string, string | string[]> {
  const lists: Record<string, string | string[]> = {}
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ''
    const value = fields[index + 1] ?? ''
    const before = lists[name]
    if (before === undefined) lists[name] = value
    else lists[name] = typeof before === 'string' ? [before, value] : [...before, value]
  }
  return lists
}
