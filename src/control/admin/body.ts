/** Request bodies: read within limits, decoded and parsed once, every refusal saying what is wrong. */
import { HeadgateError } from '../../base/errors.ts'
import { jsonPointer } from '../../base/problem.ts'
import type { s } from '../../base/schema.ts'
import { checkValue } from '../../base/schema-check.ts'
import { adminLimits } from './deps.ts'
import { findJsonFault } from './json-syntax.ts'

export const mediaTypes = {
  json: ['application/json'],
  mergePatch: ['application/merge-patch+json', 'application/json'],
  yaml: ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'],
} as const

/** Reads the whole body; throws `admin.body_too_large` as soon as it is clear that it is. */
export async function readBytes(request: Request): Promise<Uint8Array> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > adminLimits.bodyBytesMax) throw tooLarge()
  if (request.body === null) return new Uint8Array()
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of request.body) {
      size += part.byteLength
      if (size > adminLimits.bodyBytesMax) throw tooLarge()
      parts.push(part)
    }
  } catch (thrown) {
    if (thrown instanceof HeadgateError) throw thrown
    // The connection broke, so nobody reads the answer; but it is no failure of ours either.
    const message = 'The connection broke off before the body was complete.'
    throw new HeadgateError('admin.invalid_request', { message, cause: thrown })
  }
  return Buffer.concat(parts)
}

function tooLarge(): HeadgateError {
  const limitBytes = adminLimits.bodyBytesMax
  return new HeadgateError('admin.body_too_large', {
    message: `The body has more than ${limitBytes / 1_048_576} MiB.`,
    detail: { limitBytes },
  })
}

/**
 * The media type of the body, without parameters. Throws `admin.unsupported_media_type` unless it is
 * one of `allowed`; a missing type counts as the first of them.
 */
export function mediaTypeOf(request: Request, allowed: readonly string[]): string {
  const coding = request.headers.get('content-encoding') ?? 'identity'
  const [type = '', ...parameters] = (request.headers.get('content-type') ?? '').split(';')
  const mediaType = type.trim().toLowerCase() || (allowed[0] ?? '')
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"\s]+)"?\s*$/i.exec(parameter)?.[1])
    .find((value) => value !== undefined)
  const isUtf8 = charset === undefined || /^utf-?8$/i.test(charset)
  if (allowed.includes(mediaType) && isUtf8 && coding.toLowerCase() === 'identity') return mediaType
  throw new HeadgateError('admin.unsupported_media_type', {
    message: `Send ${allowed.map((name) => `\`${name}\``).join(' or ')}, in UTF-8 and without Content-Encoding.`,
    detail: { supported: allowed },
  })
}

/** Decodes UTF-8; throws `admin.invalid_request` for anything else. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new HeadgateError('admin.invalid_request', { message: 'The body is not UTF-8.', cause })
  }
}

/** Parses JSON; an empty body is `whenEmpty`, or refused when that is undefined. */
export function parseJson(bytes: Uint8Array, whenEmpty?: unknown): unknown {
  const text = decodeText(bytes)
  if (text.trim() === '' && whenEmpty !== undefined) return whenEmpty
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // V8's own message quotes the body, which must not come back; the fault is found anew.
    throw syntaxError(text)
  }
  if (isNestedDeeper(value, adminLimits.nestingMax)) {
    const message = `The body nests objects and lists more than ${adminLimits.nestingMax} deep.`
    throw new HeadgateError('admin.invalid_request', { message })
  }
  return value
}

function syntaxError(text: string): HeadgateError {
  const fault = findJsonFault(text) ?? { line: 1, column: 1, message: 'expected JSON' }
  const { line, column, message } = fault
  const location = { file: 'body', line, column }
  return new HeadgateError('admin.invalid_request', {
    message: `The body is not valid JSON: line ${line}, column ${column}: ${message}.`,
    detail: { errors: [{ pointer: '', code: 'config.syntax', message, location }] },
  })
}

/** Level by level instead of recursive: the depth of the body must not become that of our stack. */
function isNestedDeeper(value: unknown, depthMax: number): boolean {
  let level = [value].filter(isContainer)
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= depthMax) return true
    level = level.flatMap((container) => Object.values(container).filter(isContainer))
  }
  return false
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Checks a parsed body; throws `admin.invalid_request` with every flaw and its pointer. */
export function checkBody<Type>(schema: s.ZodType<Type>, value: unknown): Type {
  const checked = checkValue(schema, value)
  if (checked.ok) return checked.value
  const errors = checked.flaws.map(({ path, code, message, suggestion }) => ({
    pointer: jsonPointer(path),
    code,
    message,
    ...(suggestion !== undefined && { suggestion }),
  }))
  const [first] = errors
  throw new HeadgateError('admin.invalid_request', {
    message: `The body is not valid: \`${first?.pointer ?? ''}\` ${first?.message ?? ''}${errors.length > 1 ? `, and ${errors.length - 1} more` : ''}.`,
    detail: { errors },
  })
}
