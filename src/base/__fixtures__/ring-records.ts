/** What the writer thread and the checking reader of the ring tests agree on. */

/** Sizes vary with the number of the record, so that wraps fall on every alignment. */
export function payloadBytes(sequence: number): number {
  return 8 + (Math.imul(sequence, 2_654_435_761) >>> 27)
}

export function checksum(bytes: Uint8Array, offset: number, length: number): number {
  let sum = length
  for (let index = 0; index < length; index += 1) {
    // Bytes 4 to 7 hold the checksum itself.
    if (index >= 4 && index < 8) continue
    sum = (Math.imul(sum, 33) + (bytes[offset + index] ?? 0)) | 0
  }
  return sum
}
