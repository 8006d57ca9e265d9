/** Why a handshake with a client came to nothing: names for metrics, from the errors of Node and OpenSSL. */

export const handshakeRefusals = {
  version: 'The client offers no TLS version that is allowed.',
  cipher: 'No cipher or key exchange in common.',
  protocol: 'No application protocol in common (ALPN).',
  not_tls: 'The first bytes are no TLS, such as a plain HTTP request.',
  certificate_missing: 'A client certificate is required and none was sent.',
  certificate_untrusted: 'The client certificate could not be verified, or has expired.',
  refused_by_client: 'The client refused our certificate, or broke off with an alert.',
  timeout: 'The handshake took too long.',
  too_many: 'The worker had its maximum of handshakes at the time.',
  client_gone: 'The client closed the connection in the middle.',
  other: 'Something else.',
} as const

export type HandshakeRefusal = keyof typeof handshakeRefusals

const refusalByCode: Readonly<Record<string, HandshakeRefusal>> = {
  ERR_TLS_HANDSHAKE_TIMEOUT: 'timeout',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'version',
  ERR_SSL_VERSION_TOO_LOW: 'version',
  ERR_SSL_UNKNOWN_PROTOCOL: 'version',
  ERR_SSL_INAPPROPRIATE_FALLBACK: 'version',
  ERR_SSL_NO_SHARED_CIPHER: 'cipher',
  ERR_SSL_NO_SHARED_GROUPS: 'cipher',
  ERR_SSL_NO_SUITABLE_KEY_SHARE: 'cipher',
  ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS: 'cipher',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'cipher',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'protocol',
  ERR_SSL_HTTP_REQUEST: 'not_tls',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'not_tls',
  ERR_SSL_WRONG_VERSION_NUMBER: 'not_tls',
  ERR_SSL_BAD_RECORD_TYPE: 'not_tls',
  ERR_SSL_UNEXPECTED_MESSAGE: 'not_tls',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'certificate_missing',
  ECONNRESET: 'client_gone',
  EPIPE: 'client_gone',
}

export function handshakeRefusalOf(code: string | undefined): HandshakeRefusal {
  if (code === undefined) return 'other'
  const known = refusalByCode[code]
  if (known !== undefined) return known
  return code.includes('_ALERT_') ? 'refused_by_client' : 'other'
}
