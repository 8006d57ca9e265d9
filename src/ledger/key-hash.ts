/**
 * HalfSipHash-1-3 with 64 bits of result, over the UTF-16LE bytes of a text. Rows of the ledger are
 * told apart by this hash alone, and callers choose many of the keys (addresses, header values), so it
 * has to be keyed: with an unkeyed hash, or with MurmurHash under a secret seed, one can compute
 * keys that collide whatever the seed is, and spend somebody else's permits.
 * Reference: https://github.com/veorq/SipHash (halfsiphash.c), Aumasson and Bernstein 2012.
 */
export class KeyHash {
  /** The result: the two halves of the hash of the last text, as signed 32-bit numbers. */
  low = 0
  high = 0
  readonly #key0: number
  readonly #key1: number

  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  /** Hashes `text` into `low` and `high`: two fields, because a returned pair would be garbage. */
  update(text: string): void {
    const length = text.length
    // After the blocks of text come one block with the odd unit and the length, three rounds that
    // give the first half of the result and three that give the second: one loop does them all.
    const lastBlock = length >> 1
    let v0 = this.#key0
    let v1 = this.#key1 ^ 0xee
    let v2 = 0x6c796765 ^ this.#key0
    let v3 = 0x74656462 ^ this.#key1
    for (let block = 0; block <= lastBlock + 6; block += 1) {
      const at = block << 1
      let word = 0
      if (block < lastBlock) word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)
      else if (block === lastBlock) {
        word = (length << 25) | (at < length ? text.charCodeAt(at) : 0)
      } else if (block === lastBlock + 1) v2 ^= 0xee
      else if (block === lastBlock + 4) {
        this.low = v1 ^ v3
        v1 ^= 0xdd
      }
      v3 ^= word
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= word
    }
    this.high = v1 ^ v3
  }
}
