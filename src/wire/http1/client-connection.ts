/**
 * The upstream's side of HTTP/1.1: sends one request at a time over a byte stream and reads its
 * response, as strictly as requests are read.
 */
import type { ErrorCode } from '../../base/errors.ts'
import type { ByteStream, ByteStreamHandler } from '../tcp/byte-stream.ts'
import type { TunnelEnd } from '../tunnel.ts'
import { LF } from './characters.ts'
import {
  BodyTracker,
  bodyRefusalOf,
  connectionOptions,
  frameResponse,
  isPersistent,
} from './framing.ts'
import type { Head, HeadPool } from './head.ts'
import { type HeadLimits, incomplete, refusalOf, scanResponseHead } from './scan.ts'

export type ResponseListener = {
  /** A 1xx response; `head` is valid during the call. */
  onInformational(head: Head): void
  /**
   * The final head and the body bytes that came with it. `head` stays valid until the response is
   * done or has failed; the listener gives it back with `releaseHead`.
   */
  onResponse(head: Head, body: Buffer | undefined, isDone: boolean): void
  onResponseBody(bytes: Buffer | undefined, isDone: boolean): void
  /** A 101 to a protocol that was offered; `head` is valid during the call. Left out where none is. */
  onUpgrade?(head: Head, end: TunnelEnd): void
  /** The request body may flow again after a write that returned false. */
  onRequestDrain(): void
  onFailure(failure: ResponseFailure): void
}

export type ResponseFailure = {
  readonly reason: 'lost' | 'malformed'
  /** The rule that a malformed response broke. */
  readonly rule: ErrorCode | undefined
  readonly cause: Error | undefined
  /** Whether any byte of the response had arrived. */
  readonly isResponseStarted: boolean
  /** Whether the connection had served an exchange before. */
  readonly isReused: boolean
}

export type ClientConnectionOwner = {
  readonly heads: HeadPool
  readonly limits: HeadLimits
  /** The exchange is over and the connection may carry another. */
  onReusable(connection: ClientConnection): void
  /** The connection is gone, or must not be used again. */
  onGone(connection: ClientConnection): void
}

/** 1xx responses before the final one; more is a flood. */
const informationalMax = 16

/** Whether a 101 says, as RFC 9110 §7.8 demands, that it changes to what was offered. */
function isUpgradeTo(head: Head, offered: readonly string[]): boolean {
  const isMeant = connectionOptions(head).named.some(({ name }) => name === 'upgrade')
  if (head.minorVersion !== 1 || !isMeant) return false
  const chosen = (head.combinedValue('upgrade') ?? '').toLowerCase().split(',')
  return chosen.every((protocol) => offered.includes(protocol.trim()))
}

const noUpgrades: readonly string[] = []

export class ClientConnection implements ByteStreamHandler {
  /** Exchanges begun. */
  exchangeCount = 0
  readonly #stream: ByteStream
  readonly #owner: ClientConnectionOwner
  readonly #body = new BodyTracker()
  #listener: ResponseListener | undefined
  #method = ''
  /** Protocols that the request asked to change to, in lower case. */
  #upgrades: readonly string[] = noUpgrades
  #pending: Buffer | undefined
  #isHeadDone = false
  #isRequestDone = false
  #isResponseDone = false
  #isPersistent = true
  #isClosed = false
  #isPaused = false
  #informationalCount = 0

  constructor(stream: ByteStream, owner: ClientConnectionOwner) {
    this.#stream = stream
    this.#owner = owner
    stream.setHandler(this)
  }

  get isUsable(): boolean {
    return !this.#isClosed && this.#listener === undefined
  }

  get bodyFraming() {
    return this.#body.framing
  }

  /** Data bytes of the response body so far, without chunk framing. */
  get responseDataBytes(): number {
    return this.#body.dataBytes
  }

  /**
   * Begins an exchange. `bytes` is the head with the first body bytes; false when the rest of the
   * body must wait for `onRequestDrain`.
   */
  send(
    method: string,
    bytes: Buffer,
    isLast: boolean,
    listener: ResponseListener,
    upgrades: readonly string[] = noUpgrades,
  ): boolean {
    this.exchangeCount++
    this.#upgrades = upgrades
    this.#listener = listener
    this.#method = method
    this.#isHeadDone = false
    this.#isRequestDone = isLast
    this.#isResponseDone = false
    this.#isPersistent = true
    this.#informationalCount = 0
    return this.#stream.write(bytes)
  }

  writeBody(bytes: Buffer, isLast: boolean): boolean {
    const isFlushed = this.#stream.write(bytes)
    if (isLast) {
      this.#isRequestDone = true
      this.#finishWhenDone()
    }
    return isFlushed
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#stream.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#stream.resume()
  }

  /** Gives up the exchange that runs, or closes an idle connection. Nothing more is reported. */
  destroy(): void {
    this.#listener = undefined
    this.#close()
  }

  releaseHead(head: Head): void {
    this.#owner.heads.release(head)
  }

  onBytes(bytes: Buffer): void {
    if (this.#listener === undefined || this.#isResponseDone) {
      // Nobody asked: whatever it is, the next exchange must not take it for its answer.
      this.#isPersistent = false
      if (this.#listener === undefined) this.#close()
      return
    }
    if (this.#isHeadDone) {
      this.#onBodyBytes(bytes)
      return
    }
    const before = this.#pending
    this.#pending = before === undefined ? bytes : Buffer.concat([before, bytes])
    // Without a line end there is nothing new to find: a head in small pieces is not scanned for each.
    const isWorthScanning = before === undefined || bytes.includes(LF)
    if (isWorthScanning || this.#pending.length > this.#owner.limits.headBytesMax) this.#readHead()
  }

  #readHead(): void {
    while (this.#pending !== undefined && !this.#isHeadDone) {
      const bytes = this.#pending
      const head = this.#owner.heads.acquire()
      const end = scanResponseHead(head, bytes, 0, bytes.length, this.#owner.limits)
      if (end < 0) {
        this.#owner.heads.release(head)
        if (end !== incomplete) this.#fail('malformed', refusalOf(end), undefined)
        return
      }
      this.#pending = end < bytes.length ? bytes.subarray(end) : undefined
      if (head.status === 101) this.#onSwitchingHead(head)
      else if (head.status < 200) this.#onInformationalHead(head)
      else this.#onFinalHead(head)
    }
  }

  #onInformationalHead(head: Head): void {
    const isFlood = ++this.#informationalCount > informationalMax
    if (!isFlood) this.#listener?.onInformational(head)
    this.#owner.heads.release(head)
    if (isFlood) this.#fail('malformed', 'wire.bad_request_line', undefined)
  }

  /** The connection changes hands: what follows is not HTTP any more. */
  #onSwitchingHead(head: Head): void {
    const listener = this.#listener
    if (listener?.onUpgrade === undefined || !isUpgradeTo(head, this.#upgrades)) {
      this.#owner.heads.release(head)
      this.#fail('malformed', 'wire.unexpected_upgrade', undefined)
      return
    }
    const early = this.#pending
    this.#pending = undefined
    this.#listener = undefined
    this.#isClosed = true
    const onClosed = () => this.#owner.onGone(this)
    listener.onUpgrade(head, { stream: this.#stream, early, onClosed })
    this.#owner.heads.release(head)
  }

  #onFinalHead(head: Head): void {
    const refusal = frameResponse(head, this.#body, this.#method)
    if (refusal !== undefined) {
      this.#owner.heads.release(head)
      this.#fail('malformed', refusal, undefined)
      return
    }
    this.#isHeadDone = true
    if (this.#body.framing === 'close' || !isPersistent(head, connectionOptions(head))) {
      this.#isPersistent = false
    }
    const bytes = this.#pending
    this.#pending = undefined
    const listener = this.#listener
    if (bytes === undefined) {
      this.#isResponseDone = this.#body.isDone
      listener?.onResponse(head, undefined, this.#isResponseDone)
      this.#finishWhenDone()
      return
    }
    const end = this.#advance(bytes)
    if (end < 0) {
      this.#owner.heads.release(head)
      return
    }
    listener?.onResponse(head, end === 0 ? undefined : bytes.subarray(0, end), this.#isResponseDone)
    this.#finishWhenDone()
  }

  #onBodyBytes(bytes: Buffer): void {
    const end = this.#advance(bytes)
    if (end < 0) return
    this.#listener?.onResponseBody(
      end === bytes.length ? bytes : bytes.subarray(0, end),
      this.#isResponseDone,
    )
    this.#finishWhenDone()
  }

  /** Follows the body; negative after a failure has been reported. */
  #advance(bytes: Buffer): number {
    const end = this.#body.advance(bytes, 0, bytes.length)
    if (end < 0) {
      this.#fail('malformed', bodyRefusalOf(end), undefined)
      return end
    }
    this.#isResponseDone = this.#body.isDone
    // Bytes behind the response belong to nothing that was asked for.
    if (end < bytes.length) this.#isPersistent = false
    return end
  }

  #finishWhenDone(): void {
    if (!this.#isResponseDone || this.#listener === undefined) return
    if (!this.#isRequestDone) {
      // The answer is complete before the request: what remains of the request is not wanted.
      this.#isPersistent = false
    }
    this.#listener = undefined
    if (!this.#isPersistent || this.#isClosed) {
      this.#close()
      return
    }
    this.resume()
    this.#owner.onReusable(this)
  }

  onEnd(): void {
    if (this.#listener !== undefined && this.#isHeadDone && this.#body.framing === 'close') {
      this.#isResponseDone = true
      this.#listener.onResponseBody(undefined, true)
      this.#finishWhenDone()
      return
    }
    this.#fail('lost', undefined, undefined)
  }

  onDrain(): void {
    this.#listener?.onRequestDrain()
  }

  onClose(error: Error | undefined): void {
    this.#isClosed = true
    this.#fail('lost', undefined, error)
    this.#owner.onGone(this)
  }

  #fail(reason: 'lost' | 'malformed', rule: ErrorCode | undefined, cause: Error | undefined): void {
    const listener = this.#listener
    const isResponseStarted =
      this.#isHeadDone || this.#pending !== undefined || this.#informationalCount > 0
    this.#listener = undefined
    this.#close()
    listener?.onFailure({
      reason,
      rule,
      cause,
      isResponseStarted,
      isReused: this.exchangeCount > 1,
    })
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#pending = undefined
    this.#stream.destroy()
    this.#owner.onGone(this)
  }
}
