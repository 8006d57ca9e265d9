/** Byte classes of RFC 9110 §5.6 and RFC 9112, as tables indexed by byte. */

export const CR = 0x0d
export const LF = 0x0a
export const SP = 0x20
export const HTAB = 0x09
export const COLON = 0x3a
export const DEL = 0x7f

function tableOf(entryOf: (byte: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => entryOf(byte))
}

const tokenPunctuation = "!#$%&'*+-.^_`|~"

/** For a token byte (RFC 9110 §5.6.2) its lower case, for any other byte 0. */
export const tokenLower = tableOf((byte) => {
  const char = String.fromCharCode(byte)
  return /[0-9A-Za-z]/.test(char) || tokenPunctuation.includes(char)
    ? char.toLowerCase().charCodeAt(0)
    : 0
})

/** 1 for bytes of a field value: VCHAR, SP, HTAB and obs-text (RFC 9110 §5.5). */
export const fieldValueBytes = tableOf((byte) =>
  byte === HTAB || (byte >= SP && byte !== 0x7f) ? 1 : 0,
)

/** 1 for bytes of a request target: visible ASCII but `#`, which is never sent (RFC 9112 §3.2). */
export const targetBytes = tableOf((byte) => (byte > SP && byte < 0x7f && byte !== 0x23 ? 1 : 0))

/** Value of a hexadecimal digit, 255 for any other byte. */
export const hexValue = tableOf((byte) => {
  const digit = Number.parseInt(String.fromCharCode(byte), 16)
  return Number.isNaN(digit) ? 255 : digit
})
