/**
 * Follows a chunked body (RFC 9112 §7.1) without changing it: says where the message ends, counts
 * its data, refuses what is not exactly chunked. With a sink it also hands out the data alone.
 */
import { CR, fieldValueBytes, hexValue, LF, tokenLower } from './characters.ts'

export const chunkedLimits = {
  /** Hexadecimal digits of a chunk size: up to 4 GiB less one. */
  sizeDigitsMax: 8,
  /** Bytes of the extensions of one chunk. */
  extensionBytesMax: 256,
  /** Bytes of all extensions of a message: many small chunks must not carry a body of their own. */
  extensionBytesTotalMax: 16_384,
  trailerBytesMax: 8_192,
} as const

export type ChunkSink = (bytes: Buffer, start: number, end: number) => void

/** Result of `advance` when the body breaks the grammar or a limit. */
export const badChunk = -1
export const trailersTooLarge = -2

const state = {
  size: 0,
  extensionStart: 1,
  sizeLf: 2,
  data: 3,
  dataCr: 4,
  dataLf: 5,
  trailerLine: 6,
  trailerName: 7,
  trailerValue: 8,
  trailerLf: 9,
  finalLf: 10,
  done: 11,
  extensionName: 12,
  extensionValueStart: 13,
  extensionValue: 14,
  extensionQuoted: 15,
  extensionEscaped: 16,
  extensionQuotedEnd: 17,
} as const

const semicolon = 0x3b
const equals = 0x3d
const quote = 0x22
const backslash = 0x5c

export class ChunkedTracker {
  /** Bytes of data so far, without framing. */
  dataBytes = 0
  #state: number = state.size
  #sizeDigits = 0
  #remaining = 0
  #extensionBytes = 0
  #extensionBytesTotal = 0
  #trailerBytes = 0
  readonly #isKeepingTrailers: boolean
  /** The trailer section as received, each line with CRLF, when it was asked for. */
  trailerText = ''

  constructor(options: { readonly isKeepingTrailers: boolean } = { isKeepingTrailers: false }) {
    this.#isKeepingTrailers = options.isKeepingTrailers
  }

  get isDone(): boolean {
    return this.#state === state.done
  }

  /**
   * Takes `bytes[start, end)`; returns the offset behind the last byte that belongs to the body, or
   * `badChunk` or `trailersTooLarge`. Less than `end` only when the body is done.
   */
  advance(bytes: Buffer, start: number, end: number, sink?: ChunkSink): number {
    let position = start
    while (position < end && this.#state !== state.done) {
      if (this.#state === state.data) {
        const take = Math.min(this.#remaining, end - position)
        if (sink !== undefined) sink(bytes, position, position + take)
        this.#remaining -= take
        this.dataBytes += take
        position += take
        if (this.#remaining === 0) this.#state = state.dataCr
        continue
      }
      const refusal = this.#step(bytes[position] ?? 0)
      if (refusal !== 0) return refusal
      position++
    }
    return position
  }

  /** One byte of framing; 0 when it fits. */
  #step(byte: number): number {
    switch (this.#state) {
      case state.size:
        return this.#stepSize(byte)
      case state.extensionStart:
      case state.extensionName:
      case state.extensionValueStart:
      case state.extensionValue:
      case state.extensionQuoted:
      case state.extensionEscaped:
      case state.extensionQuotedEnd:
        return this.#stepExtension(byte)
      case state.sizeLf:
        if (byte !== LF) return badChunk
        this.#state = this.#remaining === 0 ? state.trailerLine : state.data
        return 0
      case state.dataCr:
        if (byte !== CR) return badChunk
        this.#state = state.dataLf
        return 0
      case state.dataLf:
        if (byte !== LF) return badChunk
        this.#state = state.size
        this.#sizeDigits = 0
        return 0
      default:
        return this.#stepTrailer(byte)
    }
  }

  #stepSize(byte: number): number {
    const digit = hexValue[byte] ?? 255
    if (digit !== 255) {
      if (++this.#sizeDigits > chunkedLimits.sizeDigitsMax) return badChunk
      this.#remaining = this.#remaining * 16 + digit
      return 0
    }
    if (this.#sizeDigits === 0) return badChunk
    this.#extensionBytes = 0
    if (byte === CR) {
      this.#state = state.sizeLf
      return 0
    }
    if (byte !== semicolon) return badChunk
    this.#state = state.extensionStart
    return 0
  }

  /** Extensions are passed on unread, so exactly the grammar of §7.1.1 passes, and no optional blanks. */
  #stepExtension(byte: number): number {
    this.#extensionBytesTotal++
    const isTooLong =
      ++this.#extensionBytes > chunkedLimits.extensionBytesMax ||
      this.#extensionBytesTotal > chunkedLimits.extensionBytesTotalMax
    const next = isTooLong ? undefined : stateAfterExtensionByte(this.#state, byte)
    if (next === undefined) return badChunk
    this.#state = next
    return 0
  }

  #stepTrailer(byte: number): number {
    if (++this.#trailerBytes > chunkedLimits.trailerBytesMax) return trailersTooLarge
    if (this.#isKeepingTrailers) this.trailerText += String.fromCharCode(byte)
    switch (this.#state) {
      case state.trailerLine:
        if (byte === CR) this.#state = state.finalLf
        else if (tokenLower[byte] !== 0) this.#state = state.trailerName
        else return badChunk
        return 0
      case state.trailerName:
        if (byte === 0x3a) this.#state = state.trailerValue
        else if (tokenLower[byte] === 0) return badChunk
        return 0
      case state.trailerValue:
        if (byte === CR) this.#state = state.trailerLf
        else if (fieldValueBytes[byte] !== 1) return badChunk
        return 0
      case state.trailerLf:
        if (byte !== LF) return badChunk
        this.#state = state.trailerLine
        return 0
      default:
        if (byte !== LF) return badChunk
        this.#state = state.done
        return 0
    }
  }
}

function stateAfterExtensionByte(from: number, byte: number): number | undefined {
  const isToken = tokenLower[byte] !== 0
  switch (from) {
    case state.extensionStart:
      return isToken ? state.extensionName : undefined
    case state.extensionName:
      if (isToken) return from
      return byte === equals ? state.extensionValueStart : stateAfterExtension(byte)
    case state.extensionValueStart:
      if (isToken) return state.extensionValue
      return byte === quote ? state.extensionQuoted : undefined
    case state.extensionValue:
      return isToken ? from : stateAfterExtension(byte)
    case state.extensionQuoted:
      if (byte === quote) return state.extensionQuotedEnd
      if (byte === backslash) return state.extensionEscaped
      return fieldValueBytes[byte] === 1 ? from : undefined
    case state.extensionEscaped:
      return fieldValueBytes[byte] === 1 ? state.extensionQuoted : undefined
    default:
      return stateAfterExtension(byte)
  }
}

function stateAfterExtension(byte: number): number | undefined {
  if (byte === semicolon) return state.extensionStart
  return byte === CR ? state.sizeLf : undefined
}
