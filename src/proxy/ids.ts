import type { Random } from '../base/random.ts'
import type { IdSource } from './forwarding.ts'

const suffixModulus = 0x1_0000_0000

/**
 * Ids that are cheap to make, once per request: a random prefix per worker start and a counter. They
 * are unique, not secret.
 */
export function createIds(random: Random): IdSource {
  const prefix = hexOf(random.secretBytes(6))
  let counter = Math.floor(random.fraction() * suffixModulus)
  return {
    requestId() {
      counter = (counter + 1) % suffixModulus
      return `${prefix}${counter.toString(16).padStart(8, '0')}`
    },
    hex(digits) {
      let text = ''
      while (text.length < digits) {
        text += Math.floor(random.fraction() * suffixModulus)
          .toString(16)
          .padStart(8, '0')
      }
      // All zero means "none" in a trace context; one in 2^64 at the least.
      return /^0+$/.test(text) ? '1'.padStart(digits, '0') : text.slice(0, digits)
    },
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
