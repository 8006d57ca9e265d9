/** Slows down the guessing of tokens: an address with too many wrong ones has to wait. */
import { parseAddress } from '../../base/cidr.ts'
import type { Clock } from '../../base/clock.ts'

export type ThrottleLimits = {
  readonly wrongTokensMax: number
  readonly wrongTokensWindowMs: number
  readonly throttledAddressesMax: number
}

export type Throttle = {
  /** Milliseconds the address has to wait; 0 when it may try. */
  waitMs(address: string): number
  addWrongToken(address: string): void
  /** Forgets the address: it has shown a right token. */
  clear(address: string): void
}

export function createThrottle(clock: Clock, limits: ThrottleLimits): Throttle {
  // In the order of insertion, so the first key is the oldest.
  const entries = new Map<string, { count: number; endsAtMs: number }>()
  const find = (key: string) => {
    const entry = entries.get(key)
    if (entry === undefined || entry.endsAtMs > clock.now()) return entry
    entries.delete(key)
    return undefined
  }
  return {
    waitMs(address) {
      const entry = find(networkOf(address))
      if (entry === undefined || entry.count < limits.wrongTokensMax) return 0
      return entry.endsAtMs - clock.now()
    },
    addWrongToken(address) {
      const key = networkOf(address)
      const count = (find(key)?.count ?? 0) + 1
      entries.delete(key)
      entries.set(key, { count, endsAtMs: clock.now() + limits.wrongTokensWindowMs })
      const oldest = entries.keys().next().value
      if (entries.size > limits.throttledAddressesMax && oldest !== undefined)
        entries.delete(oldest)
    },
    clear: (address) => void entries.delete(networkOf(address)),
  }
}

/** An IPv6 host may use any address of its /64, so that is what counts (RFC 4291 §2.5.4). */
function networkOf(address: string): string {
  const bytes = parseAddress(address.split('%')[0] ?? '')
  if (bytes === undefined) return address
  const isIpv4 =
    bytes[10] === 0xff && bytes[11] === 0xff && bytes.slice(0, 10).every((b) => b === 0)
  return Buffer.from(isIpv4 ? bytes : bytes.slice(0, 8)).toString('hex')
}
