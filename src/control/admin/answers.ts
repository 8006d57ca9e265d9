/** What every answer of the admin API carries, whether it went well or not. */
import { type HeadgateError, messageOf } from '../../base/errors.ts'
import { problemMediaType, problemOf } from '../../base/problem.ts'
import type { Random } from '../../base/random.ts'

/** An API for programs: nothing may be guessed, framed, cached or run by a browser. */
const securityFields: readonly (readonly [string, string])[] = [
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['x-content-type-options', 'nosniff'],
  ['cache-control', 'no-store'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-resource-policy', 'same-origin'],
]

/** Adds request id and security fields. */
export function finishAnswer(response: Response, requestId: string): void {
  for (const [name, value] of securityFields) response.headers.set(name, value)
  response.headers.set('x-request-id', requestId)
}

/** The answer to anything thrown. */
export function problemAnswer(thrown: unknown, requestId: string): Response {
  const document = problemOf(thrown, { requestId, isForOperator: true })
  const headers = new Headers({ 'content-type': problemMediaType })
  if (document.status === 401) headers.set('www-authenticate', 'Bearer realm="headgate"')
  if (typeof document.retryAfter === 'number') headers.set('retry-after', `${document.retryAfter}`)
  if (Array.isArray(document.allowed)) headers.set('allow', document.allowed.join(', '))
  return new Response(JSON.stringify(document), { status: document.status, headers })
}

/** One line for the log about something thrown that nobody expected; newlines would forge lines. */
export function logLineOf(thrown: unknown, place: string): string {
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown)
  return `admin API: ${place}: ${text}`.replaceAll(/\s*\n\s*/g, ' | ')
}

/** Whether the operator has to look at the log: our bug, or a store that fails. */
export function isWorthLogging(error: HeadgateError): boolean {
  return error.definition.status >= 500 && error.definition.source !== 'client'
}

/**
 * The id of a request: the caller's own, if it is harmless in logs and URIs, or its trace id
 * (https://www.w3.org/TR/trace-context/#traceparent-header), or a new one.
 */
export function requestIdOf(headers: Headers, random: Random): string {
  const given = headers.get('x-request-id') ?? ''
  if (/^[A-Za-z0-9._-]{1,128}$/.test(given)) return given
  const trace = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(
    headers.get('traceparent') ?? '',
  )?.[1]
  if (trace !== undefined && !/^0+$/.test(trace)) return trace
  return `req_${Buffer.from(random.secretBytes(12)).toString('base64url')}`
}
