/**
 * What a path means to the router. Matching works on segments in one canonical spelling, so that no
 * other spelling of a path (`//admin`, `/%61dmin`) can reach the upstream past the route that was
 * meant for it; what cannot be brought to one meaning is refused (`isAmbiguousPath`). The path that
 * goes to the upstream stays as the client sent it.
 */

const slash = 0x2f
const dot = 0x2e
const percent = 0x25
const hash = 0x23
const backslash = 0x5c

/**
 * The path as the router sees it: runs of slashes count as one, percent-encoded characters are
 * decoded where that cannot change the structure (RFC 3986 §6.2.2), other triplets are upper case.
 */
export function normalisePath(raw: string): string {
  let path = ''
  for (let start = firstAfterSlashes(raw, 0); ; ) {
    const slashAt = raw.indexOf('/', start)
    path += `/${normaliseSegment(raw.slice(start, slashAt === -1 ? raw.length : slashAt))}`
    if (slashAt === -1) return path
    start = firstAfterSlashes(raw, slashAt)
  }
}

/** Index of the first character from `from` on that is not a slash. */
export function firstAfterSlashes(path: string, from: number): number {
  let index = from
  while (path.charCodeAt(index) === slash) index++
  return index
}

/**
 * One segment in its canonical spelling. Every visible ASCII character is decoded but `/ ? # % \`,
 * also reserved ones: upstreams decode them too, so `/a%40b` must not dodge a route for `/a@b`.
 */
export function normaliseSegment(segment: string): string {
  let at = segment.indexOf('%')
  if (at === -1) return segment
  let text = segment.slice(0, at)
  while (at < segment.length) {
    if (segment.charCodeAt(at) !== percent) {
      const next = segment.indexOf('%', at)
      const end = next === -1 ? segment.length : next
      text += segment.slice(at, end)
      at = end
      continue
    }
    const byte = byteAt(segment, at)
    text +=
      byte !== -1 && isDecoded(byte)
        ? String.fromCharCode(byte)
        : segment.slice(at, at + 3).toUpperCase()
    at += 3
  }
  return text
}

function isDecoded(byte: number): boolean {
  if (byte <= 0x20 || byte >= 0x7f) return false
  return byte !== slash && byte !== 0x3f && byte !== hash && byte !== percent && byte !== backslash
}

/** Value of the percent-encoded byte at `at`, or -1 when two hexadecimal digits do not follow. */
function byteAt(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at + 1))
  const low = hexDigit(text.charCodeAt(at + 2))
  return high === -1 || low === -1 ? -1 : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/**
 * Whether servers disagree about what the path names: dot segments in any spelling (`/../`,
 * `/%2e%2E/`, `/..;x/`, `/..%2f`), backslashes, control characters, NUL, bytes that are not ASCII,
 * overlong UTF-8 and broken triplets. Callers answer 400 `wire.path_ambiguous`.
 */
export function isAmbiguousPath(raw: string): boolean {
  let before = 0
  for (let index = 0; index < raw.length; index++) {
    const code = raw.charCodeAt(index)
    if (code <= 0x20 || code >= 0x7f || code === backslash || code === hash) return true
    // Only these can begin trouble, so nearly all paths end after this one pass.
    if (code === percent || (code === dot && before === slash)) return isAmbiguousEncoding(raw)
    before = code
  }
  return false
}

function isAmbiguousEncoding(raw: string): boolean {
  let segment = ''
  for (let index = 0; index < raw.length; index++) {
    let code = raw.charCodeAt(index)
    if (code <= 0x20 || code >= 0x7f || code === backslash || code === hash) return true
    if (code === percent) {
      code = byteAt(raw, index)
      if (code === -1 || code < 0x20 || code === 0x7f || code === backslash) return true
      if (isOverlong(code, raw, index)) return true
      index += 2
    }
    if (code !== slash) {
      segment += String.fromCharCode(code)
      continue
    }
    if (isDotSegment(segment)) return true
    segment = ''
  }
  return isDotSegment(segment)
}

/** UTF-8 that is longer than it must be, a way to spell `.` and `/` (RFC 3629 §10). */
function isOverlong(byte: number, raw: string, at: number): boolean {
  if (byte === 0xc0 || byte === 0xc1) return true
  if (byte !== 0xe0 && byte !== 0xf0) return false
  const next = raw.charCodeAt(at + 3) === percent ? byteAt(raw, at + 3) : -1
  return next >= 0x80 && next < (byte === 0xe0 ? 0xa0 : 0x90)
}

/** `.` and `..`, also with path parameters behind, which some servers strip before resolving. */
function isDotSegment(segment: string): boolean {
  const semicolon = segment.indexOf(';')
  const name = semicolon === -1 ? segment : segment.slice(0, semicolon)
  return name === '.' || name === '..'
}
