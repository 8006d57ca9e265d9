/**
 * Call record to access log line, bytes to bytes: the texts of a record are copied from the ring into
 * the output and no string is made, because this runs for every request and its time counts as
 * time of the gateway. The only work on a text is escaping what JSON does not allow in a string.
 */
import { Buffer } from 'node:buffer'
import { endpointUrl, type SlotName, slotText, versionParts } from '../slot-names.ts'
import type { RingMemoryView } from './decode.ts'
import { callBytesMax, callFloat, callInt, textLengthsAt, textsAt } from './layout.ts'

/** Longest fragment made of the names of a slot; a longer one is shown by its number. */
const fragmentBytesMax = 4_096
/** Keys and numbers of a line, generously. */
const fixedBytesMax = 1_024

/** No line is longer: each byte of a text may become an escape of six, then the names of four slots. */
export const lineBytesMax = fixedBytesMax + 6 * callBytesMax + 4 * fragmentBytesMax

type SlotFamily = SlotName['family']

/** What a slot adds to a line: whole members of the object, so that nothing is put together per line. */
const fragmentOf: Readonly<Record<SlotFamily, (name: string) => string>> = {
  route: (name) => `,"route":${JSON.stringify(name)}`,
  version(name) {
    const { upstream, version } = versionParts(name)
    return `,"upstream":${JSON.stringify(upstream)},"version":${JSON.stringify(version)}`
  },
  endpoint: (name) => `,"endpoint":${JSON.stringify(endpointUrl(name))}`,
  app: (name) => `,"app":${JSON.stringify(name)}`,
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8')

const key = {
  time: bytesOf('{"time":"'),
  requestId: bytesOf(',"requestId":"'),
  client: bytesOf(',"client":"'),
  method: bytesOf(',"method":"'),
  host: bytesOf(',"host":"'),
  path: bytesOf(',"path":"'),
  status: bytesOf(',"status":'),
  reason: bytesOf(',"reason":"'),
  attempts: bytesOf(',"attempts":'),
  durationMs: bytesOf(',"durationMs":'),
  upstreamMs: bytesOf(',"upstreamMs":'),
  requestBytes: bytesOf(',"requestBytes":'),
  responseBytes: bytesOf(',"responseBytes":'),
  traceId: bytesOf(',"traceId":"'),
} as const

const quote = 0x22
const backslash = 0x5c
const digits = bytesOf('0123456789abcdef')
const escapeStart = bytesOf('\\u00')
const lineEnd = bytesOf('}\n')
const timeEnd = bytesOf('Z"')

export class LineFormatter {
  #fragments: Readonly<Record<SlotFamily, Map<number, Uint8Array>>> = emptyFragments()
  #target: Uint8Array = new Uint8Array(0)
  #at = 0
  #source: Uint8Array = new Uint8Array(0)
  #lengthAt = 0
  #textAt = 0
  /** The second in which the last request began, and its text up to the point before the fraction. */
  #second = Number.NaN
  #secondText: Uint8Array = new Uint8Array(0)

  setNames(names: readonly SlotName[]): void {
    const fragments = emptyFragments()
    for (const { family, slot, name } of names) {
      const bytes = bytesOf(fragmentOf[family](slotText(slot, name)))
      if (bytes.length <= fragmentBytesMax) fragments[family].set(slot, bytes)
    }
    this.#fragments = fragments
  }

  /**
   * Writes the line of the record at `offset` of a ring into `target` from `at` on, where
   * `lineBytesMax` bytes must be free; returns where it ends.
   */
  format(ring: RingMemoryView, offset: number, target: Uint8Array, at: number): number {
    const { ints, floats } = ring
    const int = offset >> 2
    const float = offset >> 3
    this.#target = target
    this.#at = at
    this.#source = ring.bytes
    this.#lengthAt = offset + textLengthsAt
    this.#textAt = offset + textsAt
    this.#putTime(floats[float + callFloat.atMs] ?? 0)
    this.#putNextText(key.requestId)
    this.#putNextText(key.client)
    this.#putNextText(key.method)
    this.#putNextText(key.host)
    this.#putNextText(key.path)
    this.#putInteger(key.status, ints[int + callInt.status] ?? 0)
    this.#putNextText(key.reason)
    this.#putSlot('route', ints[int + callInt.routeSlot] ?? -1)
    this.#putSlot('version', ints[int + callInt.versionSlot] ?? -1)
    this.#putSlot('endpoint', ints[int + callInt.endpointSlot] ?? -1)
    this.#putSlot('app', ints[int + callInt.appSlot] ?? -1)
    this.#putInteger(key.attempts, ints[int + callInt.attempts] ?? 0)
    this.#putMilliseconds(key.durationMs, floats[float + callFloat.durationUs] ?? 0)
    const upstreamUs = floats[float + callFloat.upstreamUs] ?? -1
    if (upstreamUs >= 0) this.#putMilliseconds(key.upstreamMs, upstreamUs)
    this.#putInteger(key.requestBytes, floats[float + callFloat.requestBytes] ?? 0)
    this.#putInteger(key.responseBytes, floats[float + callFloat.responseBytes] ?? 0)
    this.#putNextText(key.traceId)
    this.#put(lineEnd)
    return this.#at
  }

  #put(bytes: Uint8Array): void {
    const target = this.#target
    const at = this.#at
    for (let index = 0; index < bytes.length; index += 1) target[at + index] = bytes[index] ?? 0
    this.#at = at + bytes.length
  }

  /** Copies the next text of the record behind its key; a text that is empty leaves the member out. */
  #putNextText(name: Uint8Array): void {
    const source = this.#source
    const length = (source[this.#lengthAt] ?? 0) | ((source[this.#lengthAt + 1] ?? 0) << 8)
    const start = this.#textAt
    this.#lengthAt += 2
    this.#textAt = start + length
    if (length === 0) return
    this.#put(name)
    const target = this.#target
    let at = this.#at
    for (let index = start; index < start + length; index += 1) {
      const byte = source[index] ?? 0
      if (byte >= 0x20 && byte !== quote && byte !== backslash && byte !== 0x7f) {
        target[at++] = byte
        continue
      }
      this.#at = at
      this.#putEscaped(byte)
      at = this.#at
    }
    target[at] = quote
    this.#at = at + 1
  }

  /** RFC 8259 §7, and DEL besides, which terminals act upon. */
  #putEscaped(byte: number): void {
    if (byte === quote || byte === backslash) {
      this.#target[this.#at++] = backslash
      this.#target[this.#at++] = byte
      return
    }
    this.#put(escapeStart)
    this.#target[this.#at++] = digits[byte >> 4] ?? 0
    this.#target[this.#at++] = digits[byte & 15] ?? 0
  }

  #putSlot(family: SlotFamily, slot: number): void {
    if (slot < 0) return
    const known = this.#fragments[family].get(slot)
    this.#put(known ?? bytesOf(fragmentOf[family](slotText(slot, undefined))))
  }

  /** A whole number, not negative. */
  #putInteger(name: Uint8Array, value: number): void {
    this.#put(name)
    this.#putDigits(value)
  }

  #putDigits(value: number): void {
    if (!(value >= 0 && value < 1e9)) {
      this.#put(bytesOf(String(Number.isFinite(value) ? Math.round(value) : 0)))
      return
    }
    let width = 1
    for (let rest = value; rest >= 10; rest /= 10) width += 1
    let rest = value | 0
    for (let index = width - 1; index >= 0; index -= 1) {
      const tenth = (rest / 10) | 0
      this.#target[this.#at + index] = 0x30 + rest - tenth * 10
      rest = tenth
    }
    this.#at += width
  }

  /** Microseconds as milliseconds with three decimals. */
  #putMilliseconds(name: Uint8Array, us: number): void {
    const whole = Math.floor(us / 1_000)
    this.#putInteger(name, whole)
    this.#target[this.#at++] = 0x2e
    this.#putThreeDigits(us - whole * 1_000)
  }

  #putThreeDigits(value: number): void {
    const whole = value | 0
    this.#target[this.#at++] = 0x30 + ((whole / 100) | 0)
    this.#target[this.#at++] = 0x30 + (((whole / 10) | 0) % 10)
    this.#target[this.#at++] = 0x30 + (whole % 10)
  }

  /** RFC 3339 in UTC. Most requests begin in the second in which the one before began. */
  #putTime(atMs: number): void {
    const second = Math.floor(atMs / 1_000)
    if (second !== this.#second) {
      const date = new Date(second * 1_000)
      const isDate = Number.isFinite(date.getTime())
      this.#secondText = bytesOf((isDate ? date : new Date(0)).toISOString().slice(0, -4))
      this.#second = second
    }
    this.#put(key.time)
    this.#put(this.#secondText)
    this.#putThreeDigits(atMs - second * 1_000)
    this.#put(timeEnd)
  }
}

function emptyFragments(): Record<SlotFamily, Map<number, Uint8Array>> {
  return { route: new Map(), version: new Map(), endpoint: new Map(), app: new Map() }
}
