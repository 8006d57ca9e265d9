/**
 * The last check before a secret becomes part of a request: only what one field line can carry
 * unchanged (RFC 9110 §5.5). Anything else would be cut off or altered by a recipient, or would let
 * the holder of a secret write lines of its own into our requests.
 */
const printable = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

export function isFieldValue(text: string): boolean {
  return printable.test(text)
}
