/** Value types that recur in resources. Each says in its message what to write instead. */
import * as z from 'zod'
import { isCidr, isIpAddress } from './cidr.ts'
import { parseDuration, parseRate, parseShare, parseSize } from './units.ts'

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Identity of a resource: a DNS label (RFC 1123 §2.1), so it fits in paths, hosts and metrics. */
export function name() {
  const error = 'must be a name of lower-case letters, digits and hyphens, as in `books-v2`'
  return z.string({ error }).max(63, 'must be at most 63 characters long').regex(namePattern, error)
}

/** Text with a grammar of its own; the message says the form also when the type is wrong. */
function textForm(options: {
  charactersMax: number
  accepts: (text: string) => boolean
  error: string
  format: string
  examples: string[]
}) {
  const { error, format, examples } = options
  return z
    .string({ error })
    .max(options.charactersMax, error)
    .refine(options.accepts, { error })
    .meta({ format, examples })
}

export function duration() {
  return textForm({
    charactersMax: 32,
    accepts: (text) => parseDuration(text) !== undefined,
    error: 'must be a duration such as `250ms`, `30s` or `1h30m`',
    format: 'headgate-duration',
    examples: ['250ms', '30s', '1h30m'],
  })
}

export function size() {
  return textForm({
    charactersMax: 32,
    accepts: (text) => parseSize(text) !== undefined,
    error: 'must be a size such as `512B`, `64KiB` or `10MiB`',
    format: 'headgate-size',
    examples: ['64KiB', '10MiB'],
  })
}

export function rate() {
  return textForm({
    charactersMax: 32,
    accepts: (text) => parseRate(text) !== undefined,
    error: 'must be a rate such as `10/s`, `100/min` or `20/30s`',
    format: 'headgate-rate',
    examples: ['10/s', '100/min'],
  })
}

/** A share of traffic: `"5%"`, or a whole number of basis points (10000 is all). */
export function share() {
  const error =
    'must be a share such as `5%` or `0.25%`, at most `100%`, or a whole number of basis points from 0 to 10000'
  const percent = textForm({
    charactersMax: 8,
    accepts: (text) => parseShare(text) !== undefined,
    error,
    format: 'headgate-share',
    examples: ['5%', '0.25%'],
  })
  return z.union([percent, z.int().min(0).max(10_000)], { error })
}

export function cidr() {
  return textForm({
    charactersMax: 49,
    accepts: isCidr,
    error: 'must be an address or a network such as `10.0.0.0/8` or `2001:db8::/32`',
    format: 'headgate-cidr',
    examples: ['10.0.0.0/8', '::1'],
  })
}

export function address() {
  return textForm({
    charactersMax: 45,
    accepts: isIpAddress,
    error: 'must be an IP address such as `10.0.0.1` or `::1`',
    format: 'headgate-address',
    examples: ['10.0.0.1', '::1'],
  })
}

/** A field name (RFC 9110 §5.1), kept in lower case. */
export function fieldName() {
  const error = 'must be a header field name such as `x-api-key`'
  return z
    .string({ error })
    .min(1, error)
    .max(128, 'must be at most 128 characters long')
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, error)
    .transform((text) => text.toLowerCase())
}

/** A literal field value: printable ASCII, so that nothing can end the line (RFC 9110 §5.5). */
export function fieldValue({ charactersMax }: { charactersMax: number }) {
  const error = 'must be printable ASCII without line breaks and without spaces at either end'
  return z
    .string({ error: 'must be text; put numbers in quotes' })
    .max(charactersMax)
    .regex(/^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/, error)
}

/** An `http:` or `https:` URL without user, query or fragment. */
export function httpUrl() {
  const form = textForm({
    charactersMax: 2_048,
    accepts: isPlainHttpUrl,
    error:
      'must be an http:// or https:// address without user, query or fragment, such as `http://127.0.0.1:7001`',
    format: 'headgate-http-url',
    examples: ['http://127.0.0.1:7001', 'https://books.internal/api'],
  })
  return form.refine((text) => !hasCredentials(text), {
    error: 'must not hold a user or password: name an `account` for that',
    params: { code: 'config.secret_inline' },
  })
}

function hasCredentials(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username !== '' || password !== ''
}

function isPlainHttpUrl(text: string): boolean {
  // The URL parser forgives spaces, tabs and line breaks; a configuration should not have them.
  return /^https?:\/\/[^\s/]/i.test(text) && !/[\s\\?#]/.test(text) && URL.canParse(text)
}

/** A reference to a secret, never the secret: `env:NAME` or `file:/path`. */
export function secretRef() {
  const error =
    'must be a reference, `env:NAME` or `file:/path`; secrets are never written into configuration'
  const pattern = /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/
  return z
    .string({ error })
    .max(1_024, error)
    .refine((text) => pattern.test(text), { error, params: { code: 'config.secret_inline' } })
    .meta({
      format: 'headgate-secret-ref',
      pattern: pattern.source,
      examples: ['env:BOOKS_KEY', 'file:/run/secrets/books'],
    })
}

/** A free map with at most `entriesMax` entries; JSON Schema and the reference learn the limit. */
export function map<Key extends z.core.$ZodRecordKey, Value extends z.core.SomeType>(
  key: Key,
  value: Value,
  { entriesMax, error }: { entriesMax: number; error?: string },
) {
  const message = error ?? `must have at most ${entriesMax} entries`
  return z
    .record(key, value)
    .refine((entries) => Object.keys(entries).length <= entriesMax, { error: message })
    .meta({ maxProperties: entriesMax })
}

/** Any JSON value up to a size, counted as it is written without spaces. */
export function json({ bytesMax }: { bytesMax: number }) {
  const error = `must be a JSON value of at most ${bytesMax} bytes`
  return z
    .unknown()
    .refine((value) => jsonBytes(value) <= bytesMax, { error })
    .meta({ isBounded: true })
}

function jsonBytes(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value) ?? '').length
}
