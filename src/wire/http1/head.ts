/**
 * A scanned message head: positions into the received bytes instead of strings. Heads are reused;
 * one is valid from its scan to the end of its exchange.
 */
import { cachedFieldKey, type FieldKey, isNameAt, knownFieldCount } from './fields.ts'
import type { ConnectionOptions } from './framing.ts'
import { HostMemo } from './host.ts'

const positionsPerField = 4
/** More than there can be fields in a head. */
const indexRange = 1_024
const scanMax = 2 ** 31 - 2 * indexRange
const noBytes = Buffer.alloc(0)

export class Head {
  /** The bytes that hold this head; offsets below point into them. */
  bytes: Buffer = noBytes
  /** First byte of the start line and first byte behind the empty line. */
  start = 0
  end = 0
  /** First byte of the first field line and first byte of the empty line. */
  fieldsStart = 0
  fieldsEnd = 0
  /** 0 or 1 for HTTP/1.0 and HTTP/1.1. */
  minorVersion = 1
  /** Requests: the two parts of the request line. */
  method = ''
  targetStart = 0
  targetEnd = 0
  /** Responses. */
  status = 0
  reasonStart = 0
  reasonEnd = 0

  /** What `Connection` says, once somebody has asked; see `framing.ts`. */
  connectionOptions: ConnectionOptions | undefined
  /** The Host of this or an earlier message. */
  readonly hostMemo = new HostMemo()
  fieldCount = 0
  /** Set when a field that may stand once only stands twice: bit per known id. */
  duplicates = 0
  readonly fieldCountMax: number
  readonly #positions: Int32Array
  readonly #hashes: Int32Array
  readonly #ids: Uint8Array
  /** Index of the first field per known id, with the scan it belongs to in the upper bits. */
  readonly #firstByKnownId = new Int32Array(knownFieldCount)
  /** Number of the scan: a new one makes every older entry above void without touching it. */
  #scan = 0

  constructor(fieldCountMax: number) {
    this.fieldCountMax = fieldCountMax
    this.#positions = new Int32Array(fieldCountMax * positionsPerField)
    this.#hashes = new Int32Array(fieldCountMax)
    this.#ids = new Uint8Array(fieldCountMax)
  }

  /** Forgets the last message. */
  reset(bytes: Buffer, start: number): void {
    this.bytes = bytes
    this.start = start
    this.end = start
    this.fieldCount = 0
    this.duplicates = 0
    this.connectionOptions = undefined
    this.#scan += indexRange
    if (this.#scan > scanMax) {
      this.#firstByKnownId.fill(0)
      this.#scan = indexRange
    }
  }

  /** Lets go of the received bytes, so that a pooled head keeps no memory alive. */
  release(): void {
    this.bytes = noBytes
    this.fieldCount = 0
    this.method = ''
  }

  /** Appends a field; the caller has checked that there is room. */
  addField(
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    hash: number,
    knownId: number,
  ): void {
    const index = this.fieldCount++
    const base = index * positionsPerField
    this.#positions[base] = nameStart
    this.#positions[base + 1] = nameEnd
    this.#positions[base + 2] = valueStart
    this.#positions[base + 3] = valueEnd
    this.#hashes[index] = hash
    this.#ids[index] = knownId
    if (knownId === 0) return
    if (this.hasKnown(knownId)) this.duplicates |= 1 << knownId
    else this.#firstByKnownId[knownId] = this.#scan + index
  }

  nameStart(index: number): number {
    return this.#positions[index * positionsPerField] ?? 0
  }

  nameEnd(index: number): number {
    return this.#positions[index * positionsPerField + 1] ?? 0
  }

  valueStart(index: number): number {
    return this.#positions[index * positionsPerField + 2] ?? 0
  }

  valueEnd(index: number): number {
    return this.#positions[index * positionsPerField + 3] ?? 0
  }

  /** First byte of the line after this field. */
  lineEnd(index: number): number {
    return index + 1 < this.fieldCount ? this.nameStart(index + 1) : this.fieldsEnd
  }

  hashAt(index: number): number {
    return this.#hashes[index] ?? 0
  }

  /** Id as in `fields.ts`, 0 for a name that is not known there. */
  idAt(index: number): number {
    return this.#ids[index] ?? 0
  }

  /** Index of the first field with this known id, -1 when absent. */
  indexOfKnown(knownId: number): number {
    const first = (this.#firstByKnownId[knownId] ?? 0) - this.#scan
    return first < 0 ? -1 : first
  }

  hasKnown(knownId: number): boolean {
    return (this.#firstByKnownId[knownId] ?? 0) >= this.#scan
  }

  isDuplicate(knownId: number): boolean {
    return (this.duplicates & (1 << knownId)) !== 0
  }

  /** Index of the first field of that name at or after `from`, -1 when absent. */
  indexOf(key: FieldKey, from = 0): number {
    for (let index = from; index < this.fieldCount; index++) {
      if (this.#hashes[index] !== key.hash) continue
      if (isNameAt(this.bytes, this.nameStart(index), this.nameEnd(index), key.bytes)) return index
    }
    return -1
  }

  /** Field bytes are read one to one as characters (ISO-8859-1), which loses nothing. */
  valueAt(index: number): string {
    return this.bytes.toString('latin1', this.valueStart(index), this.valueEnd(index))
  }

  /** As written by the sender. */
  nameAt(index: number): string {
    return this.bytes.toString('latin1', this.nameStart(index), this.nameEnd(index))
  }

  knownValue(knownId: number): string | undefined {
    const index = this.indexOfKnown(knownId)
    return index === -1 ? undefined : this.valueAt(index)
  }

  /** First value of the field; `name` in lower case. */
  value(name: string): string | undefined {
    const index = this.indexOf(cachedFieldKey(name))
    return index === -1 ? undefined : this.valueAt(index)
  }

  /** All values of the field joined by `, ` (RFC 9110 §5.3); `name` in lower case. */
  combinedValue(name: string): string | undefined {
    const key = cachedFieldKey(name)
    let combined: string | undefined
    for (let index = this.indexOf(key); index !== -1; index = this.indexOf(key, index + 1)) {
      const value = this.valueAt(index)
      combined = combined === undefined ? value : `${combined}, ${value}`
    }
    return combined
  }

  #isReasonOk(): boolean {
    const { bytes, reasonStart, reasonEnd } = this
    return (
      reasonEnd - reasonStart === 2 &&
      bytes[reasonStart] === 0x4f &&
      bytes[reasonStart + 1] === 0x4b
    )
  }

  target(): string {
    return this.bytes.toString('latin1', this.targetStart, this.targetEnd)
  }

  reason(): string {
    if (this.status === 200 && this.#isReasonOk()) return 'OK'
    return this.bytes.toString('latin1', this.reasonStart, this.reasonEnd)
  }
}

/** Keeps heads for reuse, so that a request allocates none. */
export class HeadPool {
  readonly fieldCountMax: number
  readonly #idle: Head[] = []
  readonly #idleMax: number

  constructor(options: { fieldCountMax: number; idleMax: number }) {
    this.fieldCountMax = options.fieldCountMax
    this.#idleMax = options.idleMax
  }

  acquire(): Head {
    return this.#idle.pop() ?? new Head(this.fieldCountMax)
  }

  release(head: Head): void {
    head.release()
    // A head of another size comes from a pool that has been replaced.
    const isOurs = head.fieldCountMax === this.fieldCountMax
    if (isOurs && this.#idle.length < this.#idleMax) this.#idle.push(head)
  }
}
