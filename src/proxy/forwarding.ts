/**
 * What the gateway tells the upstream about the client: `X-Forwarded-*`, `Via` (RFC 9110 §7.6.3),
 * request id and trace context (W3C Trace Context). Claims of a peer that is no trusted proxy are
 * dropped, not passed on: upstreams believe these fields.
 */
import type { CidrTable } from '../base/cidr.ts'
import { isIpAddress } from '../base/cidr.ts'
import { dropTable } from '../wire/http1/compose.ts'
import { type FieldKey, fieldId, fieldKey } from '../wire/http1/fields.ts'
import type { Head } from '../wire/http1/head.ts'
import type { Inbound } from '../wire/inbound.ts'
import type { GatewaySettings, Snapshot } from './snapshot.ts'

/** The name by which the gateway signs `Via`. */
export const viaPseudonym = 'headgate'

const forwardedForId = fieldId('x-forwarded-for')
const forwardedProtoId = fieldId('x-forwarded-proto')
const forwardedHostId = fieldId('x-forwarded-host')
const traceparentId = fieldId('traceparent')
const viaId = fieldId('via')

const droppedFromRequests = [
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'upgrade',
  'http2-settings',
  'via',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
] as const

/** Whoever is no trusted proxy must not say these things of itself (RFC 9440 §4 for the last two). */
const claimsAboutClient = ['forwarded', 'x-real-ip', 'client-cert', 'client-cert-chain'] as const

/** By trust in the peer, then by whether its trace context passes on. */
const requestDrops = {
  trusted: {
    withTrace: dropTable(droppedFromRequests),
    withoutTrace: dropTable([...droppedFromRequests, 'traceparent', 'tracestate']),
  },
  untrusted: {
    withTrace: dropTable([...droppedFromRequests, ...claimsAboutClient]),
    withoutTrace: dropTable([
      ...droppedFromRequests,
      ...claimsAboutClient,
      'traceparent',
      'tracestate',
    ]),
  },
}

const droppedFromResponses = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'upgrade',
  'proxy-authenticate',
] as const

export const responseDrops = dropTable(droppedFromResponses)

/** 1xx and 204 have no body and may not say how long it is (RFC 9110 §8.6, RFC 9112 §6.1). */
export const bodylessResponseDrops = dropTable([
  ...droppedFromResponses,
  'content-length',
  'transfer-encoding',
])

export type Forwarding = {
  readonly trustedProxies: CidrTable
  readonly hasTrustedProxies: boolean
  readonly requestIdKey: FieldKey
  /** Always removed from the client's request: we write it ourselves. */
  readonly removed: readonly FieldKey[]
  readonly acceptRequestId: GatewaySettings['requestIdAccept']
  /** Upstreams learn the verified certificate of the client. */
  readonly isClientCertForwarded: boolean
}

const clientCertKeys = [fieldKey('client-cert'), fieldKey('client-cert-chain')]

export function forwardingOf(
  { gateway: settings, tls }: Pick<Snapshot, 'gateway' | 'tls'>,
  trustedProxies: CidrTable,
): Forwarding {
  const isClientCertForwarded = tls?.clientCertificates.forward === 'ClientCert'
  const requestIdKey = fieldKey(settings.requestIdHeader)
  return {
    trustedProxies,
    hasTrustedProxies: settings.trustedProxies.length > 0,
    requestIdKey,
    removed: isClientCertForwarded ? [requestIdKey, ...clientCertKeys] : [requestIdKey],
    acceptRequestId: settings.requestIdAccept,
    isClientCertForwarded,
  }
}

export type Origin = {
  readonly isPeerTrusted: boolean
  readonly clientAddress: string
  readonly requestId: string
  /** Of the client's trace context or of a new one; 32 hexadecimal digits. */
  readonly traceId: string
  /** A new `traceparent`, when the client brought none. */
  readonly newTraceparent: string | undefined
}

export type IdSource = {
  requestId(): string
  /** Lower-case hexadecimal digits, not all zero. */
  hex(digits: number): string
}

export function originOf(inbound: Inbound, forwarding: Forwarding, ids: IdSource): Origin {
  const { head, peerAddress } = inbound
  const isPeerTrusted = forwarding.hasTrustedProxies && forwarding.trustedProxies.has(peerAddress)
  const traceparent = validTraceparent(head)
  const traceId = traceparent === undefined ? ids.hex(32) : traceparent.slice(3, 35)
  return {
    isPeerTrusted,
    clientAddress: isPeerTrusted
      ? clientAddressOf(head, peerAddress, forwarding.trustedProxies)
      : peerAddress,
    requestId: acceptedRequestId(head, forwarding, isPeerTrusted) ?? ids.requestId(),
    traceId,
    // Not sampled: whoever records spans decides for itself.
    newTraceparent: traceparent === undefined ? `00-${traceId}-${ids.hex(16)}-00` : undefined,
  }
}

/** The last address in `X-Forwarded-For` that no trusted proxy of ours has. */
function clientAddressOf(head: Head, peerAddress: string, trusted: CidrTable): string {
  const chain = head.combinedValue('x-forwarded-for')?.split(',') ?? []
  let address = peerAddress
  for (let index = chain.length - 1; index >= 0; index--) {
    const hop = (chain[index] ?? '').trim()
    if (!isIpAddress(hop)) return address
    address = hop
    if (!trusted.has(hop)) return address
  }
  return address
}

const requestIdPattern = /^[A-Za-z0-9._:/+=@-]{1,128}$/

function acceptedRequestId(
  head: Head,
  forwarding: Forwarding,
  isPeerTrusted: boolean,
): string | undefined {
  const isAccepted =
    forwarding.acceptRequestId === 'Always' ||
    (forwarding.acceptRequestId === 'FromTrusted' && isPeerTrusted)
  if (!isAccepted) return undefined
  const index = head.indexOf(forwarding.requestIdKey)
  if (index === -1) return undefined
  const value = head.valueAt(index)
  return requestIdPattern.test(value) ? value : undefined
}

const traceparentPattern = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

function validTraceparent(head: Head): string | undefined {
  if (!head.hasKnown(traceparentId) || head.isDuplicate(traceparentId)) return undefined
  const value = head.knownValue(traceparentId)
  return value !== undefined && traceparentPattern.test(value) ? value : undefined
}

/** Which received fields the upstream does not see. */
export function requestDropOf(origin: Origin): Uint8Array {
  const drops = origin.isPeerTrusted ? requestDrops.trusted : requestDrops.untrusted
  return origin.newTraceparent === undefined ? drops.withTrace : drops.withoutTrace
}

/** Our lines for the upstream, each with CRLF. */
export function forwardingLines(
  inbound: Inbound,
  origin: Origin,
  options: { authority: string; requestIdHeader: string },
): string {
  const { head } = inbound
  const trace =
    origin.newTraceparent === undefined ? '' : `traceparent: ${origin.newTraceparent}\r\n`
  const own = `${options.requestIdHeader}: ${origin.requestId}\r\n${trace}`
  const isPlain = !origin.isPeerTrusted && !head.hasKnown(viaId) && head.minorVersion === 1
  if (!isPlain) return hopLines(inbound, origin.isPeerTrusted, options.authority) + own
  const { forwardingMemo } = inbound
  if (forwardingMemo?.authority === options.authority) return forwardingMemo.lines + own
  const lines = hopLines(inbound, false, options.authority)
  inbound.forwardingMemo = { authority: options.authority, lines }
  return lines + own
}

/** The client's certificate as RFC 9440 §2.2 writes it; nothing when there is none. */
export function clientCertLine({ peerCertificate }: Inbound): string {
  return peerCertificate === undefined ? '' : `client-cert: :${peerCertificate.derBase64}:\r\n`
}

/** `Via` and the `X-Forwarded` fields. */
function hopLines(inbound: Inbound, isTrusted: boolean, authority: string): string {
  const { head, peerAddress } = inbound
  const via = head.hasKnown(viaId) ? `${head.combinedValue('via')}, ` : ''
  const forwardedFor =
    isTrusted && head.hasKnown(forwardedForId) ? `${head.combinedValue('x-forwarded-for')}, ` : ''
  const proto = (isTrusted ? head.knownValue(forwardedProtoId) : undefined) ?? inbound.scheme
  const host = (isTrusted ? head.knownValue(forwardedHostId) : undefined) ?? authority
  const forwardedHost = host === '' ? '' : `x-forwarded-host: ${host}\r\n`
  const version = inbound.viaVersion ?? `1.${head.minorVersion}`
  return `via: ${via}${version} ${viaPseudonym}\r\nx-forwarded-for: ${forwardedFor}${peerAddress}\r\nx-forwarded-proto: ${proto}\r\n${forwardedHost}`
}
