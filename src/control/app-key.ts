/** API keys of apps: the key is shown once, the definition holds its hash. */
import { createHash } from 'node:crypto'
import type { Random } from '../base/random.ts'

export type AppKey = {
  readonly key: string
  /** As `keys[].hash` of an app wants it. */
  readonly hash: string
  /** As `keys[].prefix`: enough to recognise the key, far too little to guess it. */
  readonly prefix: string
}

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const idLength = 8
const secretLength = 43
const secretByteCount = 32

/**
 * `hg_` lets scanners of leaked secrets find it, eight characters tell it from others, and 256
 * random bits are the secret. Letters and digits only, so that a double click selects all of it.
 */
export function makeAppKey(random: Random): AppKey {
  const id = base62(random.secretBytes(secretByteCount)).slice(-idLength)
  const prefix = `hg_${id}`
  const key = `${prefix}_${base62(random.secretBytes(secretByteCount))}`
  return { key, hash: `sha256:${createHash('sha256').update(key).digest('hex')}`, prefix }
}

/** 43 digits hold 256 bits: 62^43 is just above 2^256. */
function base62(bytes: Uint8Array): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  while (rest > 0n) {
    text = digits.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  return text.padStart(secretLength, '0')
}
