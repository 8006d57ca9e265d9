import type { ErrorDefinition } from '../errors.ts'

function refused(title: string, todo: string, status = 400) {
  return { status, title, source: 'client', retryable: false, todo } as const
}

const strict =
  'The message breaks RFC 9112; such messages are refused, never repaired. Correct the client.'

const calmDown =
  'The connection was closed to protect the gateway. Open another one, and send less of these.'

/** Messages from clients that are refused on the wire; the connection is closed after the answer. */
export const wireErrors = {
  'wire.bad_request_line': refused('Request line is not valid', strict),
  'wire.bad_target': refused('Request target is not valid', strict),
  'wire.bad_method': refused('Method is not a valid token', strict),
  'wire.unsupported_version': refused('HTTP version not supported', 'Use HTTP/1.1.', 505),
  'wire.bad_field': refused('Header field is not valid', strict),
  'wire.bad_line_ending': refused('Bare CR or LF in the message head', strict),
  'wire.folded_field': refused('Folded header field', strict),
  'wire.bad_host': refused('Host is missing, repeated or not valid', strict),
  'wire.bad_content_length': refused('Content-Length is repeated or not valid', strict),
  'wire.bad_transfer_encoding': refused(
    'Transfer-Encoding is not supported or not valid',
    strict,
    400,
  ),
  'wire.ambiguous_length': refused('Both Content-Length and Transfer-Encoding', strict),
  'wire.bad_chunk': refused('Chunked body is not valid', strict),
  'wire.trailers_too_large': refused(
    'Trailer section is too large',
    'Send fewer or shorter trailer fields.',
  ),
  'wire.head_too_large': refused(
    'Request head is too large',
    'Send fewer or shorter header fields.',
    431,
  ),
  'wire.too_many_fields': refused('Too many header fields', 'Send fewer header fields.', 431),
  'wire.target_too_long': refused('Request target is too long', 'Shorten path and query.', 414),
  'wire.path_ambiguous': refused(
    'Path has dot segments or control characters',
    'Resolve `.` and `..` before sending: they could reach another route than the one that was checked.',
  ),
  'wire.unexpected_upgrade': refused(
    'Connection was upgraded to a protocol that was not asked for',
    'Correct the upstream: 101 needs `Connection: upgrade` and an `Upgrade` that the request named.',
  ),
  'wire.connect_refused': refused('CONNECT is not allowed', 'This is a reverse proxy.', 405),
  'wire.head_timeout': refused(
    'The request head did not arrive in time',
    'Send the whole head at once.',
    408,
  ),
  'wire.body_timeout': refused(
    'The request body stopped arriving',
    'Send the body without long pauses.',
    408,
  ),
  'wire.http2_violation': refused('HTTP/2 frames break RFC 9113', 'Correct the client.'),
  'wire.http2_reset_flood': refused('Too many streams were reset', calmDown),
  'wire.http2_settings_flood': refused('Too many SETTINGS frames', calmDown),
  'wire.http2_ping_flood': refused('Too many PING frames', calmDown),
  'wire.http2_frame_flood': refused('Too many empty or invalid frames', calmDown),
} as const satisfies Record<string, ErrorDefinition>
