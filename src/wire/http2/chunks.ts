/**
 * Chunked framing (RFC 9112 §7.1) for bodies that come from HTTP/2 without a length. Inside the
 * gateway every body is framed as in HTTP/1.1, so that any client goes with any upstream.
 */

const CRLF = Buffer.from('\r\n', 'latin1')

/** `bytes` as one chunk. They must not be empty: that would end the body. */
export function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'), bytes, CRLF])
}

/** The last chunk with trailer lines, each with CRLF. */
export function lastChunkOf(trailerLines: string): Buffer {
  return Buffer.from(`0\r\n${trailerLines}\r\n`, 'latin1')
}
