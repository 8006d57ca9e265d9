/** The certificate that the other side of a TLS connection has proved to hold, as policies see it. */
import type { X509Certificate } from 'node:crypto'

export type PeerCertificate = {
  /** Most general part first, as in `C=CH, O=Example, CN=orders`. */
  readonly subject: string
  /** Subject alternative names with their type: `DNS:orders.example`, `URI:spiffe://example/orders`. */
  readonly sans: readonly string[]
  /** Hexadecimal in pairs with colons, upper case. */
  readonly fingerprint256: string
  readonly issuer: string
  /** ISO 8601. */
  readonly notAfter: string
  /** DER in base64: what `Client-Cert` (RFC 9440) carries. Made on first use. */
  readonly derBase64: string
}

export function peerCertificateOf(certificate: X509Certificate): PeerCertificate {
  const { subject, issuer, subjectAltName, fingerprint256, validToDate } = certificate
  let derBase64: string | undefined
  return {
    subject: onOneLine(subject),
    sans: alternativeNames(subjectAltName ?? ''),
    fingerprint256,
    issuer: onOneLine(issuer),
    notAfter: validToDate.toISOString(),
    get derBase64() {
      derBase64 ??= certificate.raw.toString('base64')
      return derBase64
    },
  }
}

/** Node writes an attribute per line, and line breaks inside a value escaped. */
function onOneLine(name: string): string {
  return name.split('\n').join(', ')
}

const alternativeName = /([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g

/**
 * Node quotes, as JSON, every value that could pass for several (CVE-2021-44532), so that a comma
 * outside quotes always ends one.
 */
export function alternativeNames(text: string): string[] {
  return [...text.matchAll(alternativeName)].map(([, type = '', value = '']) =>
    value.startsWith('"') ? `${type}:${JSON.parse(value)}` : `${type}:${value}`,
  )
}
