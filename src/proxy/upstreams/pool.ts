/**
 * Connections of one worker to one endpoint: a stack of idle ones (the last used is the freshest), a
 * bound on all of them, and a bounded queue of exchanges that wait for one.
 */
import type { ErrorCode } from '../../base/errors.ts'
import { ClientConnection, type ClientConnectionOwner } from '../../wire/http1/client-connection.ts'
import type { HeadPool } from '../../wire/http1/head.ts'
import type { HeadLimits } from '../../wire/http1/scan.ts'
import type { ByteStream } from '../../wire/tcp/byte-stream.ts'
import type { ConnectTarget, connectStream } from '../../wire/tcp/connect.ts'

export type PoolWaiter = {
  onConnection(connection: ClientConnection): void
  onConnectFailed(failure: ConnectFailure): void
}

export type ConnectFailure = {
  readonly code: Extract<ErrorCode, 'upstream.connect_failed' | 'upstream.tls_failed'>
  readonly cause: NodeJS.ErrnoException
}

export type PoolSettings = {
  readonly target: ConnectTarget
  readonly connectionsMax: number
  /** `connectStream`, or what simulations and benchmarks put in its place. */
  readonly connect: typeof connectStream
  readonly heads: HeadPool
  readonly limits: HeadLimits
  coarseNow(): number
  readonly counters: PoolCounters
}

/** Called as things happen, for metrics. */
export type PoolCounters = {
  onOpened(): void
  onReused(): void
  onConnectFailed(): void
}

/** Exchanges that wait for a connection of one endpoint, per worker. */
export const poolWaitersMax = 1_024
/** An idle connection is closed before most servers would: they keep 60 to 75 s, some only 5. */
const idleMsMax = 55_000
const connectAttemptMsMax = 30_000

type Idle = { readonly connection: ClientConnection; readonly sinceMs: number }
type Attempt = { readonly sinceMs: number; cancel(): void }

export class ConnectionPool implements ClientConnectionOwner {
  readonly heads: HeadPool
  readonly limits: HeadLimits
  readonly #settings: PoolSettings
  readonly #open = new Set<ClientConnection>()
  readonly #attempts = new Set<Attempt>()
  #idle: Idle[] = []
  #waiters: PoolWaiter[] = []
  #isClosing = false

  constructor(settings: PoolSettings) {
    this.#settings = settings
    this.heads = settings.heads
    this.limits = settings.limits
  }

  get openCount(): number {
    return this.#open.size
  }

  get idleCount(): number {
    return this.#idle.length
  }

  /**
   * Gives the waiter a connection, at once when one is idle. False when too many wait already; then
   * nothing will be called. `isFresh` passes over idle connections, for a second try.
   */
  acquire(waiter: PoolWaiter, options: { isFresh: boolean }): boolean {
    const connection = options.isFresh ? undefined : this.#takeIdle()
    if (connection !== undefined) {
      this.#settings.counters.onReused()
      waiter.onConnection(connection)
      return true
    }
    if (this.#waiters.length >= poolWaitersMax) return false
    this.#waiters.push(waiter)
    this.#connectForWaiters()
    return true
  }

  /** The waiter is no longer interested. */
  cancel(waiter: PoolWaiter): void {
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    if (this.#isClosing) this.#cancelSurplusAttempts()
  }

  /** Takes back a connection that nothing was sent on. */
  giveBack(connection: ClientConnection): void {
    if (connection.isUsable) this.#handOver(connection)
  }

  #takeIdle(): ClientConnection | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.connection.isUsable) return idle.connection
    }
    return undefined
  }

  /** Opens one connection per waiter, within the bound. */
  #connectForWaiters(): void {
    while (
      this.#attempts.size < this.#waiters.length &&
      this.#open.size + this.#attempts.size < this.#settings.connectionsMax
    ) {
      this.#connect()
    }
  }

  #connect(): void {
    const { cancel } = this.#settings.connect(this.#settings.target, {
      onConnected: (stream) => {
        this.#attempts.delete(attempt)
        this.#onConnected(stream)
      },
      onFailed: (cause, isTls) => {
        this.#attempts.delete(attempt)
        this.#settings.counters.onConnectFailed()
        const code = isTls ? 'upstream.tls_failed' : 'upstream.connect_failed'
        this.#waiters.shift()?.onConnectFailed({ code, cause })
        this.#connectForWaiters()
      },
    })
    const attempt: Attempt = { sinceMs: this.#settings.coarseNow(), cancel }
    this.#attempts.add(attempt)
  }

  #onConnected(stream: ByteStream): void {
    this.#settings.counters.onOpened()
    const connection = new ClientConnection(stream, this)
    this.#open.add(connection)
    this.#handOver(connection)
  }

  #handOver(connection: ClientConnection): void {
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) {
      waiter.onConnection(connection)
      return
    }
    if (this.#isClosing) {
      connection.destroy()
      return
    }
    this.#idle.push({ connection, sinceMs: this.#settings.coarseNow() })
  }

  onReusable(connection: ClientConnection): void {
    if (this.#waiters.length > 0) this.#settings.counters.onReused()
    this.#handOver(connection)
  }

  onGone(connection: ClientConnection): void {
    if (!this.#open.delete(connection)) return
    this.#idle = this.#idle.filter((idle) => idle.connection !== connection)
    this.#connectForWaiters()
  }

  sweep(nowMs: number): void {
    // The stack is ordered by age, oldest first.
    while (this.#idle[0] !== undefined && nowMs - this.#idle[0].sinceMs > idleMsMax) {
      this.#idle.shift()?.connection.destroy()
    }
    for (const attempt of this.#attempts) {
      if (nowMs - attempt.sinceMs <= connectAttemptMsMax) continue
      // Its waiter has given up long ago; the attempt must not hold a place for ever.
      attempt.cancel()
      this.#attempts.delete(attempt)
    }
    this.#connectForWaiters()
  }

  /** Closes idle connections now and the others as they come back; who waits already is served. */
  close(): void {
    this.#isClosing = true
    for (const idle of this.#idle.splice(0)) idle.connection.destroy()
    this.#cancelSurplusAttempts()
  }

  /** Leaves as many attempts as there are waiters. */
  #cancelSurplusAttempts(): void {
    for (const attempt of this.#attempts) {
      if (this.#attempts.size <= this.#waiters.length) return
      attempt.cancel()
      this.#attempts.delete(attempt)
    }
  }
}
