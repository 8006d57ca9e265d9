/**
 * One try of an exchange at one endpoint: gets a connection, sends the request, hands the response
 * to the exchange, and says exactly how it failed when it did.
 */
import type { ErrorCode } from '../base/errors.ts'
import type {
  ClientConnection,
  ResponseFailure,
  ResponseListener,
} from '../wire/http1/client-connection.ts'
import type { Head } from '../wire/http1/head.ts'
import type { Inbound } from '../wire/inbound.ts'
import type { TunnelEnd } from '../wire/tunnel.ts'
import { explainTlsFailure, isTlsError } from '../wire/tls/explain-failure.ts'
import type { Timeouts } from './snapshot.ts'
import type { Endpoint } from './upstreams/endpoint.ts'
import type { ConnectFailure, PoolWaiter } from './upstreams/pool.ts'

export type AttemptFailure = {
  readonly code: ErrorCode
  /** For people: cause without secrets. */
  readonly message: string
  /** Nothing of the request can have been acted upon by the endpoint. */
  readonly isUnsent: boolean
  /** The connection had been idle and died before any byte of the answer: most likely it was stale. */
  readonly isStale: boolean
}

/** What an attempt needs of its exchange. */
export type AttemptOwner = {
  readonly inbound: Inbound
  /**
   * The body bytes that are here already. When they cannot be sent, the exchange refuses the request
   * and cancels this attempt before it returns.
   */
  takeFirstBody(): Buffer | undefined
  /** The complete head and the first body bytes, for this endpoint. */
  composeRequest(endpoint: Endpoint, body: Buffer | undefined): Buffer
  onInformational(head: Head): void
  /** True when the client takes more at once; else the flow waits for `resumeResponse`. */
  onResponse(attempt: Attempt, head: Head, body: Buffer | undefined, isDone: boolean): boolean
  onResponseBody(attempt: Attempt, bytes: Buffer | undefined, isDone: boolean): boolean
  /** Protocols that the request asks to change to. */
  readonly upgrades: readonly string[]
  /** The endpoint agreed; the attempt lasts until the owner cancels it. */
  onUpgrade(attempt: Attempt, head: Head, end: TunnelEnd): void
  onAttemptFailed(attempt: Attempt, failure: AttemptFailure): void
  /** Something was thrown on the way; answers the client. */
  fail(thrown: unknown): void
  coarseNow(): number
  /** Milliseconds with fraction. */
  now(): number
}

type AttemptPhase = 'connecting' | 'sending' | 'waiting' | 'receiving' | 'tunnel' | 'over'

export class Attempt implements PoolWaiter, ResponseListener {
  readonly endpoint: Endpoint
  /** From the head sent to the first byte of the answer, ms; undefined before. */
  firstByteMs: number | undefined
  readonly #owner: AttemptOwner
  readonly #timeouts: Timeouts
  #phase: AttemptPhase = 'connecting'
  #connection: ClientConnection | undefined
  #sinceMs: number
  #sentAtMs = 0
  #isPaused = false
  #isBodyBlocked = false

  constructor(owner: AttemptOwner, endpoint: Endpoint, timeouts: Timeouts) {
    this.#owner = owner
    this.endpoint = endpoint
    this.#timeouts = timeouts
    this.#sinceMs = owner.coarseNow()
  }

  /** Framing of the response body, once its head is here. */
  get responseFraming() {
    return this.#connection?.bodyFraming ?? 'none'
  }

  get responseDataBytes(): number {
    return this.#connection?.responseDataBytes ?? 0
  }

  get isOver(): boolean {
    return this.#phase === 'over'
  }

  start(options: { isFresh: boolean }): void {
    this.endpoint.inFlight++
    if (this.endpoint.pool.acquire(this, options)) return
    this.#fail({
      code: 'upstream.pool_exhausted',
      message: 'too many requests wait for a connection',
      isUnsent: true,
      isStale: false,
    })
  }

  /** Ends the attempt without a word: the exchange is over or has moved on. */
  cancel(): void {
    if (this.#phase === 'over') return
    if (this.#phase === 'connecting') this.endpoint.pool.cancel(this)
    this.#end()
    this.#connection?.destroy()
  }

  onConnection(connection: ClientConnection): void {
    const { inbound } = this.#owner
    const body = this.#owner.takeFirstBody()
    if (this.isOver) {
      // Nothing was sent on it: the next exchange may have it.
      this.endpoint.pool.giveBack(connection)
      return
    }
    this.#connection = connection
    const isLast = inbound.isBodyDone
    this.#phase = isLast ? 'waiting' : 'sending'
    this.#sentAtMs = this.#owner.now()
    this.#sinceMs = this.#owner.coarseNow()
    const request = this.#compose(body)
    if (request === undefined) {
      connection.destroy()
      return
    }
    const isFlushed = connection.send(
      inbound.head.method,
      request,
      isLast,
      this,
      this.#owner.upgrades,
    )
    if (!isFlushed && !isLast) this.#blockBody()
  }

  /** Undefined when it failed: the exchange has then been answered. */
  #compose(body: Buffer | undefined): Buffer | undefined {
    try {
      return this.#owner.composeRequest(this.endpoint, body)
    } catch (thrown) {
      this.#end()
      this.#owner.fail(thrown)
      return undefined
    }
  }

  onConnectFailed({ code, cause }: ConnectFailure): void {
    this.#fail({ code, message: describe(cause), isUnsent: true, isStale: false })
  }

  /** More of the request body. */
  writeBody(bytes: Buffer, isLast: boolean): void {
    if (this.#connection === undefined || this.#phase === 'over') return
    this.#sinceMs = this.#owner.coarseNow()
    if (isLast && this.#phase === 'sending') this.#phase = 'waiting'
    const isFlushed = this.#connection.writeBody(bytes, isLast)
    if (!isFlushed && !isLast) this.#blockBody()
  }

  #blockBody(): void {
    this.#isBodyBlocked = true
    this.#owner.inbound.pauseBody()
  }

  onRequestDrain(): void {
    this.#isBodyBlocked = false
    this.#sinceMs = this.#owner.coarseNow()
    this.#owner.inbound.resumeBody()
  }

  onInformational(head: Head): void {
    this.#owner.onInformational(head)
  }

  onUpgrade(head: Head, end: TunnelEnd): void {
    this.#phase = 'tunnel'
    this.firstByteMs = this.#owner.now() - this.#sentAtMs
    this.endpoint.observe(this.firstByteMs, this.#owner.coarseNow())
    this.#owner.onUpgrade(this, head, end)
  }

  onResponse(head: Head, body: Buffer | undefined, isDone: boolean): void {
    this.#phase = 'receiving'
    this.#sinceMs = this.#owner.coarseNow()
    this.firstByteMs = this.#owner.now() - this.#sentAtMs
    this.endpoint.observe(this.firstByteMs, this.#sinceMs)
    if (isDone) this.#end()
    const isFlushed = this.#owner.onResponse(this, head, body, isDone)
    this.#connection?.releaseHead(head)
    if (!isFlushed && !isDone) this.#pause()
  }

  onResponseBody(bytes: Buffer | undefined, isDone: boolean): void {
    this.#sinceMs = this.#owner.coarseNow()
    if (isDone) this.#end()
    const isFlushed = this.#owner.onResponseBody(this, bytes, isDone)
    if (!isFlushed && !isDone) this.#pause()
  }

  #pause(): void {
    if (this.#phase === 'over') return
    this.#isPaused = true
    this.#connection?.pause()
  }

  /** The client takes more. */
  resumeResponse(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#sinceMs = this.#owner.coarseNow()
    this.#connection?.resume()
  }

  onFailure(failure: ResponseFailure): void {
    const isStale = failure.isReused && !failure.isResponseStarted && failure.reason === 'lost'
    if (failure.reason === 'lost' && failure.cause !== undefined && isTlsError(failure.cause)) {
      // In TLS 1.3 the endpoint judges our certificate after we think that the handshake is over.
      const { message } = explainTlsFailure(failure.cause)
      this.#fail({ code: 'upstream.tls_failed', message, isUnsent: false, isStale })
      return
    }
    const code =
      failure.reason === 'lost' ? 'upstream.connection_lost' : 'upstream.malformed_response'
    const message =
      failure.reason === 'lost'
        ? `the connection was closed${failure.cause === undefined ? '' : ` (${describe(failure.cause)})`}`
        : `the response breaks the rule ${failure.rule ?? ''}`
    this.#fail({ code, message, isUnsent: false, isStale })
  }

  /** Enforces the time limits of this attempt. */
  sweep(nowMs: number): void {
    const waitedMs = nowMs - this.#sinceMs
    const { connectMs, firstByteMs, idleMs } = this.#timeouts
    switch (this.#phase) {
      case 'connecting':
        if (waitedMs > connectMs)
          this.#expire('upstream.connect_timeout', `not connected after ${connectMs} ms`)
        return
      case 'sending':
        // As long as the endpoint takes what is sent, it is the client that we wait for.
        if (!this.#isBodyBlocked) return
        if (waitedMs > firstByteMs) {
          this.#expire(
            'upstream.first_byte_timeout',
            `the request was not taken within ${firstByteMs} ms`,
          )
        }
        return
      case 'waiting':
        if (waitedMs > firstByteMs)
          this.#expire('upstream.first_byte_timeout', `no answer within ${firstByteMs} ms`)
        return
      case 'receiving':
        if (!this.#isPaused && waitedMs > idleMs)
          this.#expire('upstream.idle_timeout', `nothing more within ${idleMs} ms`)
        return
      case 'tunnel':
      case 'over':
        return
    }
  }

  #expire(code: ErrorCode, message: string): void {
    const isUnsent = this.#phase === 'connecting'
    if (isUnsent) this.endpoint.pool.cancel(this)
    const connection = this.#connection
    this.#fail({ code, message, isUnsent, isStale: false })
    connection?.destroy()
  }

  #fail(failure: AttemptFailure): void {
    if (this.#phase === 'over') return
    this.#end()
    // That an idle connection was closed says nothing about how fast the endpoint is.
    if (!failure.isStale) this.endpoint.observeFailure(this.#owner.coarseNow())
    this.#owner.onAttemptFailed(this, failure)
  }

  #end(): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.endpoint.inFlight--
  }
}

/** Cause of a socket error, such as `connect ECONNREFUSED 127.0.0.1:7001`. */
function describe(cause: Error): string {
  return cause.message === '' ? cause.name : cause.message
}
