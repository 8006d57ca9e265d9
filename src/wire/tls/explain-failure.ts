/** Says in words why TLS towards an endpoint failed; OpenSSL's own words help few. */

const unknownIssuer =
  'the certificate of the endpoint has an issuer that is not trusted; name its authority as `tls.caFile`'

const reasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate of the endpoint, or one of its chain, has expired',
  CERT_NOT_YET_VALID: 'the certificate of the endpoint is not valid yet',
  CERT_REVOKED: 'the certificate of the endpoint was revoked',
  CERT_SIGNATURE_FAILURE: unknownIssuer,
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'the endpoint shows a self-signed certificate; name it as `tls.caFile` to trust it',
  INVALID_PURPOSE: 'the certificate of the endpoint is not meant for servers',
  SELF_SIGNED_CERT_IN_CHAIN: unknownIssuer,
  UNABLE_TO_GET_ISSUER_CERT: unknownIssuer,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownIssuer,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownIssuer,
  ECONNRESET: 'the endpoint closed the connection during the handshake',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the endpoint does not speak TLS; should its address be `http://`?',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the endpoint speaks no TLS version that is allowed',
}

/** Alerts of the endpoint, by how the name of their code ends (RFC 8446 §6.2). */
const alerts: readonly (readonly [ending: string, reason: string])[] = [
  [
    '_ALERT_CERTIFICATE_REQUIRED',
    'the endpoint asks for a client certificate; name one as `tls.clientCertificateRef`',
  ],
  [
    '_ALERT_HANDSHAKE_FAILURE',
    'the endpoint refused the handshake; it may ask for a client certificate',
  ],
  ['_ALERT_PROTOCOL_VERSION', 'the endpoint speaks no TLS version that is allowed'],
  ['_ALERT_UNRECOGNIZED_NAME', 'the endpoint does not know the name; set `tls.serverName`'],
  ['_ALERT_UNKNOWN_CA', 'the endpoint does not trust the issuer of our client certificate'],
  ['_ALERT_BAD_CERTIFICATE', 'the endpoint refused our client certificate'],
  ['_ALERT_CERTIFICATE_EXPIRED', 'the endpoint says that our client certificate has expired'],
  ['_ALERT_CERTIFICATE_UNKNOWN', 'the endpoint refused our client certificate'],
  ['_ALERT_NO_APPLICATION_PROTOCOL', 'the endpoint does not speak HTTP/1.1 (ALPN)'],
]

/** Whether an error of a connection came from TLS, such as an alert after the handshake. */
export function isTlsError(error: NodeJS.ErrnoException | undefined): boolean {
  return error?.code?.startsWith('ERR_SSL_') === true
}

/** The error again, its message in words; what is not known here stays as it is. */
export function explainTlsFailure(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  const message = reasonOf(error)
  if (message === undefined) return error
  const explained: NodeJS.ErrnoException = new Error(message, { cause: error })
  if (error.code !== undefined) explained.code = error.code
  return explained
}

function reasonOf(error: NodeJS.ErrnoException): string | undefined {
  const { code = '' } = error
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return nameMismatch(error)
  return reasons[code] ?? alerts.find(([ending]) => code.endsWith(ending))?.[1]
}

/** Node adds the name that was asked for and the certificate that came. */
function nameMismatch(error: Error): string {
  const asked = 'host' in error ? `\`${String(error.host)}\`` : 'the name that was asked for'
  const shown = shownNames(error)
  const valid = shown === '' ? '' : ` (it is for ${shown})`
  return `the certificate of the endpoint is not for ${asked}${valid}; set \`tls.serverName\` to a name that it has`
}

function shownNames(error: Error): string {
  const certificate = 'cert' in error ? error.cert : undefined
  if (typeof certificate !== 'object' || certificate === null) return ''
  return 'subjectaltname' in certificate ? String(certificate.subjectaltname ?? '') : ''
}
