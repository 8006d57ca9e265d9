/**
 * One strict pass over a message head (RFC 9112 §2–5). Whatever is ambiguous is refused, never
 * repaired: two parties that read one message differently are how requests are smuggled.
 */
import type { ErrorCode } from '../../base/errors.ts'
import {
  COLON,
  CR,
  DEL,
  fieldValueBytes,
  HTAB,
  LF,
  SP,
  targetBytes,
  tokenLower,
} from './characters.ts'
import { hashStep, knownIdOf } from './fields.ts'
import type { Head } from './head.ts'

export type HeadLimits = { readonly headBytesMax: number; readonly targetBytesMax: number }

/** Result of a scan: the offset behind the head, or one of the negative numbers below. */
export type ScanResult = number

export const incomplete = -1

/** Reasons for refusing, by negative scan result. */
const refusals = [
  'wire.bad_request_line',
  'wire.bad_method',
  'wire.bad_target',
  'wire.unsupported_version',
  'wire.bad_field',
  'wire.bad_line_ending',
  'wire.folded_field',
  'wire.head_too_large',
  'wire.too_many_fields',
  'wire.target_too_long',
] as const satisfies readonly ErrorCode[]

type Refusal = (typeof refusals)[number]

function refuse(code: Refusal): ScanResult {
  return -2 - refusals.indexOf(code)
}

/** The code of a negative result below `incomplete`. */
export function refusalOf(result: ScanResult): Refusal {
  return refusals[-2 - result] ?? 'wire.bad_request_line'
}

const badField = refuse('wire.bad_field')
const badLineEnding = refuse('wire.bad_line_ending')

const methodLengthMax = 32

/** Most requests are GET; they get by without making a string. */
function isGet(bytes: Buffer, start: number, end: number): boolean {
  return (
    end - start === 3 &&
    bytes[start] === 0x47 &&
    bytes[start + 1] === 0x45 &&
    bytes[start + 2] === 0x54
  )
}

/** Scans a request head that begins at `start`; needs the bytes up to the empty line in one piece. */
export function scanRequestHead(
  head: Head,
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): ScanResult {
  let position = start
  // One empty line before the request line is ignored (RFC 9112 §2.2).
  if (bytes[position] === CR) {
    if (position + 1 >= end) return incomplete
    if (bytes[position + 1] !== LF) return badLineEnding
    position += 2
  }
  head.reset(bytes, position)
  const lineEnd = scanRequestLine(head, bytes, position, end, limits)
  const result = lineEnd < 0 ? lineEnd : scanFields(head, bytes, lineEnd, end)
  return withinSize(result, (result > 0 ? result : end) - start, limits)
}

/** A head that is too large is refused, whether its end has arrived or not. */
function withinSize(result: ScanResult, headBytes: number, limits: HeadLimits): ScanResult {
  const isHead = result > 0 || result === incomplete
  return isHead && headBytes > limits.headBytesMax ? refuse('wire.head_too_large') : result
}

function scanRequestLine(
  head: Head,
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): ScanResult {
  let position = start
  while (position < end && tokenLower[bytes[position] ?? 0] !== 0) position++
  if (position - start > methodLengthMax) return refuse('wire.bad_method')
  if (position >= end) return incomplete
  if (position === start || bytes[position] !== SP) return refuse('wire.bad_method')
  head.method = isGet(bytes, start, position) ? 'GET' : bytes.toString('latin1', start, position)
  head.targetStart = ++position
  while (position < end && targetBytes[bytes[position] ?? 0] === 1) position++
  if (position - head.targetStart > limits.targetBytesMax) return refuse('wire.target_too_long')
  if (position >= end) return incomplete
  if (position === head.targetStart || bytes[position] !== SP) return refuse('wire.bad_target')
  head.targetEnd = position
  return scanVersionAndLineEnd(head, bytes, position + 1, end)
}

/** `HTTP/1.x` and CRLF. */
function scanVersionAndLineEnd(head: Head, bytes: Buffer, start: number, end: number): ScanResult {
  const version = scanVersion(head, bytes, start, end)
  if (version < 0) return version
  if (version >= end) return incomplete
  if (bytes[version] !== CR) {
    return bytes[version] === LF ? badLineEnding : refuse('wire.bad_request_line')
  }
  if (version + 1 >= end) return incomplete
  return bytes[version + 1] === LF ? version + 2 : badLineEnding
}

const versionPrefix = Buffer.from('HTTP/1.', 'latin1')

function scanVersion(head: Head, bytes: Buffer, start: number, end: number): ScanResult {
  for (let index = 0; index < versionPrefix.length; index++) {
    if (start + index >= end) return incomplete
    const byte = bytes[start + index]
    if (byte === versionPrefix[index]) continue
    const isOtherVersion = index === 5 && byte !== undefined && byte >= 0x30 && byte <= 0x39
    return refuse(isOtherVersion ? 'wire.unsupported_version' : 'wire.bad_request_line')
  }
  const position = start + versionPrefix.length
  if (position >= end) return incomplete
  const digit = (bytes[position] ?? 0) - 0x30
  if (digit !== 0 && digit !== 1) return refuse('wire.unsupported_version')
  head.minorVersion = digit
  return position + 1
}

/** Scans a response head that begins at `start`. */
export function scanResponseHead(
  head: Head,
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): ScanResult {
  head.reset(bytes, start)
  const lineEnd = scanStatusLine(head, bytes, start, end)
  const result = lineEnd < 0 ? lineEnd : scanFields(head, bytes, lineEnd, end)
  return withinSize(result, (result > 0 ? result : end) - start, limits)
}

function scanStatusLine(head: Head, bytes: Buffer, start: number, end: number): ScanResult {
  let position = scanVersion(head, bytes, start, end)
  if (position < 0) return position
  if (position + 4 > end) return incomplete
  if (bytes[position] !== SP) return refuse('wire.bad_request_line')
  let status = 0
  for (let index = 1; index <= 3; index++) {
    const digit = (bytes[position + index] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return refuse('wire.bad_request_line')
    status = status * 10 + digit
  }
  if (status < 100) return refuse('wire.bad_request_line')
  head.status = status
  position += 4
  if (position >= end) return incomplete
  // The space before an empty reason is often left out; nothing about that is ambiguous.
  if (bytes[position] === SP) position++
  else if (bytes[position] !== CR) return refuse('wire.bad_request_line')
  head.reasonStart = position
  while (position < end && fieldValueBytes[bytes[position] ?? 0] === 1) position++
  if (position >= end) return incomplete
  if (bytes[position] !== CR) return badLineEnding
  if (position + 1 >= end) return incomplete
  head.reasonEnd = position
  return bytes[position + 1] === LF ? position + 2 : badLineEnding
}

/** Field lines and the empty line (RFC 9112 §5). */
function scanFields(head: Head, bytes: Buffer, start: number, end: number): ScanResult {
  head.fieldsStart = start
  let position = start
  while (position < end) {
    if (bytes[position] === CR) {
      if (position + 1 >= end) return incomplete
      if (bytes[position + 1] !== LF) return badLineEnding
      head.fieldsEnd = position
      head.end = position + 2
      return position + 2
    }
    const nameStart = position
    let hash = 0
    let lower = tokenLower[bytes[position] ?? 0] ?? 0
    while (lower !== 0) {
      hash = hashStep(hash, lower)
      if (++position >= end) return incomplete
      lower = tokenLower[bytes[position] ?? 0] ?? 0
    }
    if (position === nameStart || bytes[position] !== COLON) {
      return refusalOfName(bytes[position] ?? 0, position === nameStart)
    }
    const nameEnd = position++
    while (position < end && isBlank(bytes[position] ?? 0)) position++
    const valueStart = position
    position = endOfValue(bytes, position, end)
    if (position + 1 >= end) {
      if (position < end && bytes[position] !== CR) return refusalOfValue(bytes[position] ?? 0)
      return incomplete
    }
    if (bytes[position] !== CR) return refusalOfValue(bytes[position] ?? 0)
    if (bytes[position + 1] !== LF) return badLineEnding
    let valueEnd = position
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] ?? 0)) valueEnd--
    if (head.fieldCount >= head.fieldCountMax) return refuse('wire.too_many_fields')
    const knownId = knownIdOf(bytes, nameStart, nameEnd, hash)
    head.addField(nameStart, nameEnd, valueStart, valueEnd, hash, knownId)
    position += 2
  }
  return incomplete
}

/** First byte from `start` on that may not stand in a field value; the hottest loop of the gateway. */
function endOfValue(bytes: Buffer, start: number, end: number): number {
  let position = start
  while (position < end) {
    const byte = bytes[position] ?? 0
    if ((byte < SP && byte !== HTAB) || byte === DEL) return position
    position++
  }
  return position
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB
}

function refusalOfName(byte: number, isLineStart: boolean): ScanResult {
  if (isLineStart && isBlank(byte)) return refuse('wire.folded_field')
  return byte === LF || byte === CR ? badLineEnding : badField
}

function refusalOfValue(byte: number): ScanResult {
  return byte === LF ? badLineEnding : badField
}
