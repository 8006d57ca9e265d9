/** IP addresses and networks as 128-bit keys, IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2). */

/** Sixteen bytes, network order. */
export type AddressBytes = Uint8Array

/** Parses an IPv4 or IPv6 address (no zone) to 16 bytes; undefined when it is neither. */
export function parseAddress(text: string): AddressBytes | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

function parseIpv4(text: string): AddressBytes | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const bytes = new Uint8Array(16)
  bytes[10] = 0xff
  bytes[11] = 0xff
  for (const [index, part] of parts.entries()) {
    // A leading zero is octal to some parsers and decimal to others, so it is refused.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bytes[12 + index] = Number(part)
  }
  return bytes
}

function parseIpv6(text: string): AddressBytes | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const isWhole = halves.length === 1
  const head = groupsOf(halves[0] ?? '', { mayEndInIpv4: isWhole })
  const tail = isWhole ? [] : groupsOf(halves[1] ?? '', { mayEndInIpv4: true })
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (isWhole ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...new Array<number>(Math.max(missing, 0)).fill(0), ...tail]
  const bytes = new Uint8Array(16)
  for (const [index, group] of groups.entries()) {
    bytes[index * 2] = group >> 8
    bytes[index * 2 + 1] = group & 0xff
  }
  return bytes
}

/** The 16-bit groups of one side of `::`; IPv4 at the very end counts as two (RFC 4291 §2.2). */
function groupsOf(text: string, options: { mayEndInIpv4: boolean }): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (options.mayEndInIpv4 && part.includes('.') && index === parts.length - 1) {
      const ipv4 = parseIpv4(part)
      if (ipv4 === undefined) return undefined
      groups.push(
        ((ipv4[12] ?? 0) << 8) | (ipv4[13] ?? 0),
        ((ipv4[14] ?? 0) << 8) | (ipv4[15] ?? 0),
      )
      continue
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
    groups.push(Number.parseInt(part, 16))
  }
  return groups
}

export type Network = { readonly bytes: AddressBytes; readonly prefixBits: number }

/** Parses `10.0.0.0/8`, `::1/128` or a single address; undefined when it is none of them. */
export function parseCidr(text: string): Network | undefined {
  const slash = text.indexOf('/')
  const bytes = parseAddress(slash === -1 ? text : text.slice(0, slash))
  if (bytes === undefined) return undefined
  if (slash === -1) return { bytes, prefixBits: 128 }
  const suffix = text.slice(slash + 1)
  const isIpv4 = !text.includes(':')
  if (!/^(?:0|[1-9]\d{0,2})$/.test(suffix) || Number(suffix) > (isIpv4 ? 32 : 128)) return undefined
  return { bytes, prefixBits: Number(suffix) + (isIpv4 ? 96 : 0) }
}

export function isIpAddress(text: string): boolean {
  return parseAddress(text) !== undefined
}

export function isCidr(text: string): boolean {
  return parseCidr(text) !== undefined
}

/** The same text for the same network, however it is written: `10.0.0.0/8` and `10.9.9.9/8`. */
export function networkKey(network: Network): string {
  return `${network.prefixBits}:${maskedKey(network.bytes, network.prefixBits)}`
}

export type CidrTable = {
  /** Whether the address (text) lies in one of the networks; false for what is not an address. */
  has(address: string): boolean
  /** Whether one of the networks holds every address of this one. */
  covers(network: Network): boolean
}

/** Builds a look-up over networks; `has` costs one hash look-up per distinct prefix length. */
export function cidrTable(cidrs: readonly string[]): CidrTable {
  const byPrefix = new Map<number, Set<string>>()
  for (const cidr of cidrs) {
    const network = parseCidr(cidr)
    if (network === undefined) continue
    const keys = byPrefix.get(network.prefixBits) ?? new Set()
    byPrefix.set(network.prefixBits, keys.add(maskedKey(network.bytes, network.prefixBits)))
  }
  return {
    has(address) {
      const bytes = parseAddress(address)
      if (bytes === undefined) return false
      for (const [prefixBits, keys] of byPrefix) {
        if (keys.has(maskedKey(bytes, prefixBits))) return true
      }
      return false
    },
    covers(network) {
      for (const [prefixBits, keys] of byPrefix) {
        if (prefixBits > network.prefixBits) continue
        if (keys.has(maskedKey(network.bytes, prefixBits))) return true
      }
      return false
    },
  }
}

function maskedKey(bytes: AddressBytes, prefixBits: number): string {
  let key = ''
  for (let index = 0; index < 16; index++) {
    const bitsHere = Math.min(Math.max(prefixBits - index * 8, 0), 8)
    key += String.fromCharCode((bytes[index] ?? 0) & ((0xff << (8 - bitsHere)) & 0xff))
  }
  return key
}
