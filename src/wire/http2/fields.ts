/**
 * Between the fields of HTTP/2 (RFC 9113 §8) and heads as the gateway holds them. A request is
 * written out as an HTTP/1.1 head and scanned like any other, so that one set of rules judges both.
 */
import type { ErrorCode } from '../../base/errors.ts'
import { fieldValueBytes, tokenLower } from '../http1/characters.ts'
import type { HeadParts } from '../http1/compose.ts'
import type { FieldKey } from '../http1/fields.ts'
import type { Head } from '../http1/head.ts'

/** Fields of one connection, which HTTP/2 does not know (RFC 9113 §8.2.2). */
const connectionFields = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** What a trailer section may not change after the fact (RFC 9110 §6.5.1). */
const forbiddenTrailers = new Set([
  ...connectionFields,
  'host',
  'te',
  'trailer',
  'content-length',
  'content-encoding',
  'content-range',
  'content-type',
  'authorization',
  'cookie',
  'set-cookie',
])

export type RequestText =
  | { readonly ok: true; readonly text: string; readonly fieldCount: number }
  | { readonly ok: false; readonly code: ErrorCode }

/** Names and values in turn, as `node:http2` hands them over. */
export type RawFields = readonly string[]

/** The request as the text of an HTTP/1.1 head. `hasBody`: DATA frames will follow. */
export function requestText(raw: RawFields, hasBody: boolean): RequestText {
  let method = ''
  let path = ''
  let authority: string | undefined
  let host: string | undefined
  let cookie = ''
  let lines = ''
  let fieldCount = 1
  let hasLength = false
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const value = raw[index + 1] ?? ''
    if (!isValidName(name) || !isValidValue(value)) return { ok: false, code: 'wire.bad_field' }
    switch (name) {
      case ':method':
        method = value
        break
      case ':path':
        path = value
        break
      case ':authority':
        authority = value
        break
      case ':scheme':
        break
      case 'host':
        if (host !== undefined) return { ok: false, code: 'wire.bad_host' }
        host = value
        break
      case 'cookie':
        // In HTTP/2 each pair may be a field of its own (RFC 9113 §8.2.3).
        cookie = cookie === '' ? value : `${cookie}; ${value}`
        break
      default:
        if (name.startsWith(':') || !isAllowed(name, value))
          return { ok: false, code: 'wire.bad_field' }
        hasLength ||= name === 'content-length'
        lines += `${name}: ${value}\r\n`
        fieldCount++
    }
  }
  if (authority !== undefined && host !== undefined) {
    if (authority.toLowerCase() !== host.toLowerCase()) return { ok: false, code: 'wire.bad_host' }
  }
  const named = authority ?? host
  if (named === undefined) return { ok: false, code: 'wire.bad_host' }
  // Absolute form belongs to HTTP/1.1: here the authority stands in a field of its own.
  if (path.charCodeAt(0) !== 0x2f && path !== '*') return { ok: false, code: 'wire.bad_target' }
  if (cookie !== '') {
    lines += `cookie: ${cookie}\r\n`
    fieldCount++
  }
  if (hasBody && !hasLength) {
    lines += 'transfer-encoding: chunked\r\n'
    fieldCount++
  }
  return {
    ok: true,
    text: `${method} ${path} HTTP/1.1\r\nhost: ${named}\r\n${lines}\r\n`,
    fieldCount,
  }
}

function isAllowed(name: string, value: string): boolean {
  if (connectionFields.has(name)) return false
  return name !== 'te' || value.toLowerCase() === 'trailers'
}

/** Lower case is demanded (RFC 9113 §8.2.1); a colon may only begin the name. */
function isValidName(name: string): boolean {
  for (let index = name.startsWith(':') ? 1 : 0; index < name.length; index++) {
    const code = name.charCodeAt(index)
    if (tokenLower[code] !== code) return false
  }
  return name !== '' && name !== ':'
}

function isValidValue(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    if (fieldValueBytes[value.charCodeAt(index)] !== 1) return false
  }
  return true
}

/** `name: value\r\n` for the trailer fields that may pass on. */
export function trailerLines(raw: RawFields): string {
  let lines = ''
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? ''
    const value = raw[index + 1] ?? ''
    const isPassedOn = !name.startsWith(':') && !forbiddenTrailers.has(name)
    if (isPassedOn && isValidName(name) && isValidValue(value)) lines += `${name}: ${value}\r\n`
  }
  return lines
}

/** The trailer section of a chunked body as fields of HTTP/2. */
export function trailerFields(lines: string): Record<string, string[]> {
  const fields: Record<string, string[]> = {}
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).toLowerCase()
    if (forbiddenTrailers.has(name)) continue
    fields[name] ??= []
    fields[name].push(line.slice(colon + 1).trim())
  }
  return fields
}

/** Status and fields of a response head, names and values in turn. */
export function responseFields(parts: HeadParts): string[] {
  const lines = parts.text.split('\r\n')
  const fields = [':status', (lines[0] ?? '').slice(9, 12)]
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index] ?? ''
    const colon = line.indexOf(':')
    if (colon > 0) pushField(fields, line.slice(0, colon), line.slice(colon + 1).trim())
  }
  const { source, drop, removed } = parts
  if (source === undefined) return fields
  for (let index = 0; index < source.fieldCount; index++) {
    if (drop[source.idAt(index)] === 1 || isRemoved(source, index, removed)) continue
    pushField(fields, source.nameAt(index), source.valueAt(index))
  }
  return fields
}

function pushField(fields: string[], name: string, value: string): void {
  const lower = name.toLowerCase()
  if (!connectionFields.has(lower)) fields.push(lower, value)
}

function isRemoved(source: Head, index: number, removed: readonly FieldKey[]): boolean {
  const hash = source.hashAt(index)
  return removed.some((key) => key.hash === hash && source.indexOf(key, index) === index)
}
