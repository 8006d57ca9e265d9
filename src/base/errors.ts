/**
 * The one error class of Headgate and the catalogue of its codes.
 *
 * A code is part of the public interface: it stands in answers to callers, in problem documents of
 * the admin API, in CLI output and in call records, and each has a section in
 * `docs/reference/errors.md`, generated from the tables under `errors/`. Codes are added, never reused.
 */
import { adminErrors } from './errors/admin.ts'
import { configErrors } from './errors/config.ts'
import { exchangeErrors } from './errors/exchange.ts'
import { runtimeErrors } from './errors/runtime.ts'
import { wireErrors } from './errors/wire.ts'

export type ErrorSource = 'client' | 'upstream' | 'operator' | 'gateway'

export type ErrorDefinition = {
  /** HTTP status of an answer that carries this code (RFC 9110 §15). */
  readonly status: number
  /** Constant short text, the `title` of the problem document (RFC 9457 §3.1.3). */
  readonly title: string
  /** Whose fault it is. */
  readonly source: ErrorSource
  /** Whether the same request may succeed when sent again unchanged. */
  readonly retryable: boolean
  /** What the reader should do next: one or two sentences, shown in the reference. */
  readonly todo: string
}

export const errorCatalog = {
  ...adminErrors,
  ...configErrors,
  ...exchangeErrors,
  ...runtimeErrors,
  ...wireErrors,
} as const satisfies Record<string, ErrorDefinition>

export type ErrorCode = keyof typeof errorCatalog

export type ErrorDetail = Readonly<Record<string, unknown>>

export type HeadgateErrorOptions = {
  /** What went wrong here and what to do next; never holds a secret. Default: the code's title. */
  message?: string
  cause?: unknown
  detail?: ErrorDetail
}

export class HeadgateError extends Error {
  readonly code: ErrorCode
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, options: HeadgateErrorOptions = {}) {
    super(options.message ?? errorCatalog[code].title, { cause: options.cause })
    this.name = 'HeadgateError'
    this.code = code
    this.detail = options.detail ?? {}
  }

  get definition(): ErrorDefinition {
    return errorCatalog[this.code]
  }
}

/** Says whether `code` is one of ours, e.g. a code read back from an answer of the admin API. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalog, code)
}

/** The message of anything thrown, for wrapping: `cause` of unknown type to one line of text. */
export function messageOf(thrown: unknown): string {
  return textOf(thrown).replaceAll(/\s*\n\s*/g, ' ')
}

function textOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown === 'string' ? thrown : describe(thrown)
  if (thrown.message !== '') return thrown.message
  // Connecting to a name with several addresses fails with an error that has only parts.
  if (thrown instanceof AggregateError && thrown.errors.length > 0) {
    return thrown.errors.map(messageOf).join('; ')
  }
  return thrown.name
}

/** Anything can be thrown, even what cannot be turned into text. */
function describe(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return Object.prototype.toString.call(thrown)
  }
}

/**
 * Throws when a fact that only our own bug can break does not hold; kept in production.
 * Network input must never be able to reach one.
 */
export function assert(claim: unknown, message: string): asserts claim {
  if (!claim) throw new Error(`bug: ${message}`)
}

/** Ends a `switch` over a union: a compile error when a member is missing, a thrown bug otherwise. */
export function unreachable(value: never): never {
  throw new Error(`bug: unexpected value ${JSON.stringify(value)}`)
}
