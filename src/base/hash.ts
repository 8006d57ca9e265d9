/**
 * MurmurHash3, x86, 32 bits, over the UTF-8 bytes of a text: fast, spreads well, and exists in every
 * language, so that others can compute which version a unit gets. Not for secrets.
 * Reference: https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
 */
export function murmur3(text: string, seed = 0): number {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 0x7f) return hashBytes(new TextEncoder().encode(text), seed)
  }
  return hashAscii(text, seed)
}

/** The common case: each character is one byte, so nothing has to be encoded. */
function hashAscii(text: string, seed: number): number {
  const length = text.length
  const blocksEnd = length & ~3
  let hash = seed | 0
  for (let index = 0; index < blocksEnd; index += 4) {
    hash = mixBlock(
      hash,
      text.charCodeAt(index) |
        (text.charCodeAt(index + 1) << 8) |
        (text.charCodeAt(index + 2) << 16) |
        (text.charCodeAt(index + 3) << 24),
    )
  }
  let tail = 0
  for (let index = length - 1; index >= blocksEnd; index--)
    tail = (tail << 8) | text.charCodeAt(index)
  return finish(hash, tail, length)
}

function hashBytes(bytes: Uint8Array, seed: number): number {
  const blocksEnd = bytes.length & ~3
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let hash = seed | 0
  for (let index = 0; index < blocksEnd; index += 4)
    hash = mixBlock(hash, view.getInt32(index, true))
  let tail = 0
  for (let index = bytes.length - 1; index >= blocksEnd; index--)
    tail = (tail << 8) | view.getUint8(index)
  return finish(hash, tail, bytes.length)
}

function mixBlock(hash: number, block: number): number {
  const mixed = hash ^ scramble(block)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}

/** Mixes in the last one to three bytes and the length, and spreads every bit over the result. */
function finish(hash: number, tail: number, length: number): number {
  let mixed = hash ^ scramble(tail) ^ length
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
