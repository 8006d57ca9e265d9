/**
 * Two connections become one: after a 101 (RFC 9110 §7.8) whatever arrives on one leaves on the
 * other, as it comes. Each direction waits for its reader, ends by itself (half-close), and a
 * connection that breaks breaks the other, so that neither side takes a loss for an orderly end.
 *
 * There is no buffer here: bytes go from one stream to the other, and a stream that takes no more
 * stops the reading of the other.
 */
import type { ByteStream } from './tcp/byte-stream.ts'

/** A connection that its codec has given away. */
export type TunnelEnd = {
  readonly stream: ByteStream
  /** What arrived behind the head. */
  readonly early: Buffer | undefined
  /** The connection is closed and the tunnel over: the former owner may forget it. */
  onClosed(): void
}

export type TunnelServices = {
  /** Milliseconds, renewed by the sweep. */
  coarseNow(): number
  /** Once, unless `close` came first: orderly, or because that end broke. */
  onOver(lost: 'client' | 'upstream' | undefined): void
}

/** One end, with what has happened there. */
class Side {
  readonly end: TunnelEnd
  /** FIN has arrived. */
  isEnded = false
  isClosed = false
  isReleased = false
  receivedBytes = 0

  constructor(end: TunnelEnd) {
    this.end = end
  }
}

export class Tunnel {
  readonly startedAtMs: number
  readonly #client: Side
  readonly #upstream: Side
  readonly #services: TunnelServices
  #isOver = false
  #activeAtMs: number

  constructor(client: TunnelEnd, upstream: TunnelEnd, services: TunnelServices) {
    this.#client = new Side(client)
    this.#upstream = new Side(upstream)
    this.#services = services
    this.startedAtMs = services.coarseNow()
    this.#activeAtMs = this.startedAtMs
  }

  /** When bytes last moved in either direction. */
  get activeAtMs(): number {
    return this.#activeAtMs
  }

  get bytesFromClient(): number {
    return this.#client.receivedBytes
  }

  get bytesFromUpstream(): number {
    return this.#upstream.receivedBytes
  }

  start(): void {
    this.#open(this.#client, this.#upstream)
    this.#open(this.#upstream, this.#client)
    for (const [from, to] of [
      [this.#client, this.#upstream],
      [this.#upstream, this.#client],
    ] as const) {
      // Reading may have stopped while the upgrade was being decided.
      from.end.stream.resume()
      if (from.end.early !== undefined) this.#pass(from, to, from.end.early)
    }
  }

  /** Drops both connections. Nothing more is reported to `onOver`. */
  close(): void {
    this.#isOver = true
    for (const side of [this.#client, this.#upstream]) {
      if (side.isClosed) this.#release(side)
      else side.end.stream.destroy()
    }
  }

  #open(from: Side, to: Side): void {
    from.end.stream.setHandler({
      onBytes: (bytes) => this.#pass(from, to, bytes),
      onEnd: () => {
        from.isEnded = true
        this.#activeAtMs = this.#services.coarseNow()
        to.end.stream.end()
      },
      onDrain: () => {
        this.#activeAtMs = this.#services.coarseNow()
        to.end.stream.resume()
      },
      onClose: (error) => this.#onClose(from, to, error),
    })
  }

  #pass(from: Side, to: Side, bytes: Buffer): void {
    from.receivedBytes += bytes.length
    this.#activeAtMs = this.#services.coarseNow()
    if (!to.end.stream.write(bytes)) from.end.stream.pause()
  }

  #onClose(from: Side, to: Side, error: Error | undefined): void {
    from.isClosed = true
    if (!this.#isOver) {
      const isLost = error !== undefined || !from.isEnded
      if (isLost) this.#finish(from)
      else if (to.isClosed) this.#finish(undefined)
      // Else what was received on the way still flows to the other end.
      if (isLost && !to.isClosed) to.end.stream.reset()
    }
    if (!this.#isOver) return
    this.#release(from)
    if (to.isClosed) this.#release(to)
  }

  #finish(lost: Side | undefined): void {
    this.#isOver = true
    if (lost === undefined) this.#services.onOver(undefined)
    else this.#services.onOver(lost === this.#client ? 'client' : 'upstream')
  }

  #release(side: Side): void {
    if (side.isReleased) return
    side.isReleased = true
    side.end.onClosed()
  }
}
