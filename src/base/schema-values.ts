/** Value types that recur in resources. Each says in its message what to write instead. */
import * as z from 'zod'
import { isCidr, isIpAddress } from './cidr.ts'
import { parseDuration, parseRate, parseShare, parseSize } from './units.ts'

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Identity of a resource: a DNS label (RFC 1123 §2.1), so it fits in paths, hosts and metrics. */
export function name() {
  return z
    .string()
    .max(63, 'must be at most 63 characters')
    .regex(namePattern, 'must be lower-case letters, digits and hyphens, as in `books-v2`')
}

export function duration() {
  return z
    .string()
    .max(32)
    .refine(
      (text) => parseDuration(text) !== undefined,
      'must be a duration such as `250ms`, `30s` or `1h30m`',
    )
    .meta({ format: 'headgate-duration', examples: ['250ms', '30s', '1h30m'] })
}

export function size() {
  return z
    .string()
    .max(32)
    .refine(
      (text) => parseSize(text) !== undefined,
      'must be a size such as `512B`, `64KiB` or `10MiB`',
    )
    .meta({ format: 'headgate-size', examples: ['64KiB', '10MiB'] })
}

export function rate() {
  return z
    .string()
    .max(32)
    .refine(
      (text) => parseRate(text) !== undefined,
      'must be a rate such as `10/s`, `100/min` or `20/30s`',
    )
    .meta({ format: 'headgate-rate', examples: ['10/s', '100/min'] })
}

/** A share of traffic: `"5%"`, or a whole number of basis points (10000 is all). */
export function share() {
  return z.union([
    z
      .string()
      .max(8)
      .refine(
        (text) => parseShare(text) !== undefined,
        'must be a share such as `5%` or `0.25%`, at most `100%`',
      )
      .meta({ format: 'headgate-share', examples: ['5%', '0.25%'] }),
    z.int().min(0).max(10_000),
  ])
}

export function cidr() {
  return z
    .string()
    .max(49)
    .refine(isCidr, 'must be an address or a network such as `10.0.0.0/8` or `2001:db8::/32`')
    .meta({ format: 'headgate-cidr', examples: ['10.0.0.0/8', '::1'] })
}

export function address() {
  return z.string().max(45).refine(isIpAddress, 'must be an IP address')
}

/** A field name (RFC 9110 §5.1), kept in lower case. */
export function fieldName() {
  return z
    .string()
    .min(1)
    .max(128)
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be a header field name such as `x-api-key`')
    .transform((text) => text.toLowerCase())
}

/** An `http:` or `https:` URL without user, query or fragment. */
export function httpUrl() {
  return z.string().max(2_048).refine(isPlainHttpUrl, {
    message:
      'must be an http:// or https:// address without user, query or fragment, such as `http://127.0.0.1:7001`',
  })
}

function isPlainHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const isHttp = url.protocol === 'http:' || url.protocol === 'https:'
  return (
    isHttp && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  )
}

/** A reference to a secret, never the secret: `env:NAME` or `file:/path`. */
export function secretRef() {
  return z
    .string()
    .max(1_024)
    .regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, {
      message:
        'must be a reference, `env:NAME` or `file:/path`; secrets are never written into configuration',
    })
    .meta({ format: 'headgate-secret-ref', examples: ['env:BOOKS_KEY', 'file:/run/secrets/books'] })
}
