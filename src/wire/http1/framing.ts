/** Where a message body ends (RFC 9112 §6.3), and whether the connection lives on (§9.3). */
import type { ErrorCode } from '../../base/errors.ts'
import { badChunk, ChunkedTracker, type ChunkSink } from './chunked.ts'
import { cachedFieldKey, type FieldKey, fieldId, isNameAt } from './fields.ts'
import type { Head } from './head.ts'

export type BodyFraming = 'none' | 'length' | 'chunked' | 'close'

const contentLengthId = fieldId('content-length')
const transferEncodingId = fieldId('transfer-encoding')
const connectionId = fieldId('connection')

/** Follows one message body, whatever its framing. Reused from message to message. */
export class BodyTracker {
  framing: BodyFraming = 'none'
  /** Declared length with framing `length`. */
  length = 0
  #seen = 0
  #chunked: ChunkedTracker | undefined

  begin(framing: BodyFraming, length = 0): void {
    this.framing = framing
    this.length = length
    this.#seen = 0
    this.#chunked = framing === 'chunked' ? new ChunkedTracker() : undefined
  }

  /** Bytes of data so far, without chunk framing. */
  get dataBytes(): number {
    return this.#chunked?.dataBytes ?? this.#seen
  }

  /** A body until close is never done: the end of the connection ends it. */
  get isDone(): boolean {
    if (this.#chunked !== undefined) return this.#chunked.isDone
    if (this.framing === 'length') return this.#seen === this.length
    return this.framing === 'none'
  }

  /**
   * Takes `bytes[start, end)`; returns the offset behind the last byte of the body, or a negative
   * number that `bodyRefusalOf` explains.
   */
  advance(bytes: Buffer, start: number, end: number, sink?: ChunkSink): number {
    if (this.#chunked !== undefined) return this.#chunked.advance(bytes, start, end, sink)
    if (this.framing === 'none') return start
    const take =
      this.framing === 'close' ? end - start : Math.min(this.length - this.#seen, end - start)
    if (sink !== undefined && take > 0) sink(bytes, start, start + take)
    this.#seen += take
    return start + take
  }
}

export type BodyRefusal = 'wire.bad_chunk' | 'wire.trailers_too_large'

export function bodyRefusalOf(result: number): BodyRefusal {
  return result === badChunk ? 'wire.bad_chunk' : 'wire.trailers_too_large'
}

/** Sets up `tracker` for the body of a request; a code when the framing must be refused. */
export function frameRequest(head: Head, tracker: BodyTracker): ErrorCode | undefined {
  return frameByFields(head, tracker, 'none')
}

/** Sets up `tracker` for the body of a final response to a request with `method`. */
export function frameResponse(
  head: Head,
  tracker: BodyTracker,
  method: string,
): ErrorCode | undefined {
  const refusal = frameByFields(head, tracker, 'close')
  if (refusal !== undefined) return refusal
  const hasNoBody = method === 'HEAD' || head.status === 204 || head.status === 304
  if (hasNoBody) tracker.begin('none')
  return undefined
}

function frameByFields(
  head: Head,
  tracker: BodyTracker,
  otherwise: BodyFraming,
): ErrorCode | undefined {
  const hasLength = head.hasKnown(contentLengthId)
  if (head.hasKnown(transferEncodingId)) {
    if (hasLength) return 'wire.ambiguous_length'
    const isPlainChunked =
      head.minorVersion === 1 &&
      !head.isDuplicate(transferEncodingId) &&
      head.knownValue(transferEncodingId)?.toLowerCase() === 'chunked'
    if (!isPlainChunked) return 'wire.bad_transfer_encoding'
    tracker.begin('chunked')
    return undefined
  }
  if (!hasLength) {
    tracker.begin(otherwise)
    return undefined
  }
  const length = head.isDuplicate(contentLengthId) ? undefined : contentLengthOf(head)
  if (length === undefined) return 'wire.bad_content_length'
  tracker.begin(length === 0 ? 'none' : 'length', length)
  return undefined
}

const lengthDigitsMax = 15

/** The value of a single, well-formed Content-Length; undefined otherwise. */
function contentLengthOf(head: Head): number | undefined {
  const index = head.indexOfKnown(contentLengthId)
  const start = head.valueStart(index)
  const end = head.valueEnd(index)
  if (end === start || end - start > lengthDigitsMax) return undefined
  let length = 0
  for (let position = start; position < end; position++) {
    const digit = (head.bytes[position] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return undefined
    length = length * 10 + digit
  }
  return length
}

export type ConnectionOptions = {
  readonly isClose: boolean
  readonly isKeepAlive: boolean
  /** Fields that `Connection` names: they end at this hop (RFC 9110 §7.6.1). */
  readonly named: readonly FieldKey[]
}

const noOptions: ConnectionOptions = Object.freeze({
  isClose: false,
  isKeepAlive: false,
  named: [],
})
const closeOnly: ConnectionOptions = Object.freeze({ isClose: true, isKeepAlive: false, named: [] })
const keepAliveOnly: ConnectionOptions = Object.freeze({
  isClose: false,
  isKeepAlive: true,
  named: [],
})

const keepAliveText = Buffer.from('keep-alive')
const closeText = Buffer.from('close')

/** What `Connection` of this head says; worked out once per message. */
export function connectionOptions(head: Head): ConnectionOptions {
  head.connectionOptions ??= readConnectionOptions(head)
  return head.connectionOptions
}

function readConnectionOptions(head: Head): ConnectionOptions {
  const index = head.indexOfKnown(connectionId)
  if (index === -1) return noOptions
  if (!head.isDuplicate(connectionId)) {
    // Nearly every server sends one of these two; no string is made for them.
    const start = head.valueStart(index)
    const end = head.valueEnd(index)
    if (isNameAt(head.bytes, start, end, keepAliveText)) return keepAliveOnly
    if (isNameAt(head.bytes, start, end, closeText)) return closeOnly
  }
  const value = (head.combinedValue('connection') ?? '').toLowerCase()
  const options = value.split(',').map((option) => option.trim())
  return {
    isClose: options.includes('close'),
    isKeepAlive: options.includes('keep-alive'),
    named: options.filter(isRemovable).map(cachedFieldKey),
  }
}

/** Framing and routing fields stay, whatever `Connection` says of them: removing them changes the message. */
const neverRemoved = new Set([
  '',
  'close',
  'keep-alive',
  'host',
  'content-length',
  'transfer-encoding',
])

function isRemovable(option: string): boolean {
  return !neverRemoved.has(option)
}

/** Whether the sender of this head means to keep the connection open (RFC 9112 §9.3). */
export function isPersistent(head: Head, options: ConnectionOptions): boolean {
  return head.minorVersion === 1 ? !options.isClose : options.isKeepAlive && !options.isClose
}
