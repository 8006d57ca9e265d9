/** Randomness, passed in everywhere else. */

export type Random = {
  /** A fraction in [0, 1), fast, not for secrets. */
  fraction(): number
  /** Bytes fit for keys and tokens. */
  secretBytes(count: number): Uint8Array
}

export function systemRandom(): Random {
  return {
    fraction: () => Math.random(),
    secretBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  }
}

/** The same sequence for the same seed (mulberry32), for tests and simulation. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    fraction,
    secretBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(fraction() * 256)),
  }
}
