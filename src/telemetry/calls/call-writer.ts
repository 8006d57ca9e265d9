/** The worker's side of call records: one record of bytes into the ring, no object, no string made. */
import { Buffer } from 'node:buffer'
import type { RingWriter } from '../../base/rings.ts'
import type { CallRecord } from '../call-record.ts'
import { callBytesMax, callFloat, callInt, callTexts, textLengthsAt, textsAt } from './layout.ts'

const [requestIdText, clientText, methodText, hostText, pathText, reasonText, traceIdText] =
  callTexts

export class CallWriter {
  readonly #ring: RingWriter
  /** The memory of the ring once more, for the rare text that is not ASCII. */
  readonly #buffer: Buffer
  #lengthAt = 0
  #textAt = 0

  constructor(ring: RingWriter) {
    this.#ring = ring
    this.#buffer = Buffer.from(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.length)
  }

  /** Whether anybody reads records; asked before one is filled. */
  get isWanted(): boolean {
    return this.#ring.isWanted
  }

  /** Writes a record; false when the ring is full and the record was dropped and counted. */
  write(record: CallRecord): boolean {
    const ring = this.#ring
    const offset = ring.tryReserve(callBytesMax)
    if (offset < 0) return false
    const floatsAt = offset >> 3
    ring.floats[floatsAt + callFloat.atMs] = record.atMs
    ring.floats[floatsAt + callFloat.durationUs] = record.durationUs
    ring.floats[floatsAt + callFloat.upstreamUs] = record.upstreamUs
    ring.floats[floatsAt + callFloat.requestBytes] = record.requestBytes
    ring.floats[floatsAt + callFloat.responseBytes] = record.responseBytes
    const intsAt = offset >> 2
    ring.ints[intsAt + callInt.status] = record.status
    ring.ints[intsAt + callInt.attempts] = record.attempts
    ring.ints[intsAt + callInt.routeSlot] = record.routeSlot
    ring.ints[intsAt + callInt.versionSlot] = record.versionSlot
    ring.ints[intsAt + callInt.endpointSlot] = record.endpointSlot
    ring.ints[intsAt + callInt.appSlot] = record.appSlot
    this.#lengthAt = offset + textLengthsAt
    this.#textAt = offset + textsAt
    this.#put(record.requestId, requestIdText.bytesMax)
    this.#put(record.clientAddress, clientText.bytesMax)
    this.#put(record.method, methodText.bytesMax)
    this.#put(record.host, hostText.bytesMax)
    this.#put(record.path, pathText.bytesMax)
    this.#put(record.reason, reasonText.bytesMax)
    this.#put(record.traceId, traceIdText.bytesMax)
    ring.commit(this.#textAt - offset)
    return true
  }

  /** Copying by hand beats a native call for the short ASCII texts that these nearly always are. */
  #put(text: string, bytesMax: number): void {
    const bytes = this.#ring.bytes
    const start = this.#textAt
    let length = Math.min(text.length, bytesMax)
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) {
        // Never ends in the middle of a character.
        length = this.#buffer.write(text, start, bytesMax, 'utf8')
        break
      }
      bytes[start + index] = unit
    }
    bytes[this.#lengthAt] = length & 0xff
    bytes[this.#lengthAt + 1] = length >> 8
    this.#lengthAt += 2
    this.#textAt = start + length
  }
}
