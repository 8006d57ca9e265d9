/**
 * One request and the way back to its client, whatever protocol it came by. A codec implements
 * `Inbound`, the proxy `InboundListener`.
 */
import type { HeadParts } from './http1/compose.ts'
import type { BodyFraming, BodyRefusal } from './http1/framing.ts'
import type { Head } from './http1/head.ts'
import type { PeerCertificate } from './tls/peer-certificate.ts'
import type { TunnelEnd } from './tunnel.ts'

export type Inbound = {
  /** Valid until the exchange has ended. */
  readonly head: Head
  readonly scheme: 'http' | 'https'
  /** Of the other end of the connection, which may be a proxy. */
  readonly peerAddress: string
  readonly peerPort: number
  /** The version that `Via` names (RFC 9110 §7.6.3) where it is not that of the head. */
  readonly viaVersion?: '2.0'
  /** Of the TLS client, verified; undefined for none. */
  readonly peerCertificate?: PeerCertificate | undefined
  readonly bodyFraming: BodyFraming
  /** With framing `length`; 0 otherwise. */
  readonly bodyLength: number
  /** Lines that say the same for every request of the connection; `proxy/forwarding.ts` keeps them here. */
  forwardingMemo?: ForwardingMemo
  /** Whether the whole request body has been handed over. */
  readonly isBodyDone: boolean
  /** Bytes of request data so far, without chunk framing. */
  readonly bodyDataBytes: number

  /** Set when `takeBody` met bytes that break the framing. */
  readonly bodyFailure: BodyRefusal | undefined

  /** Hands over the body bytes that are here already and starts the flow of the rest to the listener. */
  takeBody(): Buffer | undefined
  pauseBody(): void
  resumeBody(): void
  /** Throws away what remains of the body, also after the response; closes when that is too much. */
  discardBody(): void

  /** Sends a 1xx response. */
  inform(parts: HeadParts): void
  /**
   * Sends the final response head and the first bytes of its body, framed as `framing` says. False
   * when the client takes no more for now: wait for `onDrain`.
   */
  respond(parts: HeadParts, options: ResponseOptions, body: Buffer | undefined): boolean
  /** More of the body. With `isLast` the exchange has ended: `head` is no longer valid. */
  writeBody(bytes: Buffer | undefined, isLast: boolean): boolean
  /**
   * Sends a 101 and gives the connection away; its exchange ends with the tunnel. Left out by
   * protocols without upgrades.
   */
  upgrade?(parts: HeadParts): TunnelEnd
  /** Breaks the response off so that the client notices, also where the end of the connection ends it. */
  abort(): void
}

export type ForwardingMemo = { readonly authority: string; readonly lines: string }

export type ResponseOptions = {
  readonly framing: BodyFraming
  /** `body` is the whole body. */
  readonly isLast: boolean
  /** Close the connection after the response. */
  readonly isClose: boolean
}

export type InboundListener = {
  onRequestBody(bytes: Buffer, isLast: boolean): void
  /** The body broke the rules of its framing, or stopped arriving. */
  onRequestBodyFailed(
    code: 'wire.bad_chunk' | 'wire.trailers_too_large' | 'wire.body_timeout',
  ): void
  onDrain(): void
  /** The client is gone; nothing can be sent any more. With a cause, it is we who close a tunnel. */
  onGone(cause?: 'gateway.draining'): void
  /** Called about ten times a second while the exchange runs. */
  onSweep(nowMs: number): void
}
