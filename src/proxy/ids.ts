import type { Random } from '../base/random.ts'
import type { IdSource } from './forwarding.ts'

const counterModulus = 0x1_0000_0000
const poolBytes = 4_096
const zeros = '0'.repeat(32)

const hexBytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Eight digits of an unsigned 32-bit number, several times faster than `toString(16)`. */
function hexOf(value: number): string {
  const high = (hexBytes[value >>> 24] ?? '') + (hexBytes[(value >>> 16) & 255] ?? '')
  return high + (hexBytes[(value >>> 8) & 255] ?? '') + (hexBytes[value & 255] ?? '')
}

/**
 * Ids made once per request, so cheaply. A request id is a random prefix per worker start and a
 * counter: unique, not secret. Trace ids are random (W3C Trace Context §3.2.2.3), cut from a pool.
 */
export function createIds(random: Random): IdSource {
  const prefix = Buffer.from(random.secretBytes(6)).toString('hex')
  let counter = Math.floor(random.fraction() * counterModulus)
  let pool = ''
  let position = 0
  return {
    requestId() {
      counter = (counter + 1) >>> 0
      return prefix + hexOf(counter)
    },
    hex(digits) {
      if (position + digits > pool.length) {
        pool = Buffer.from(random.secretBytes(poolBytes)).toString('hex')
        position = 0
      }
      const text = pool.slice(position, position + digits)
      position += digits
      // All zero means "none" in a trace context; one in 2^64 at the least.
      return text === zeros.slice(0, digits) ? '1'.padStart(digits, '0') : text
    },
  }
}
