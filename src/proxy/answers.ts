/** Responses that the gateway itself gives: problems, redirects, static answers, answers of policies. */
import { STATUS_CODES } from 'node:http'
import { type ErrorCode, errorCatalog, HeadgateError } from '../base/errors.ts'
import { problemMediaType, problemOf } from '../base/problem.ts'
import type { FieldLine } from './policies/define-policy.ts'

export type Answer = {
  readonly status: number
  /** Names in lower case. */
  readonly fields: readonly FieldLine[]
  readonly body: Buffer
}

export type ProblemAnswerOptions = {
  readonly requestId: string
  readonly status?: number | undefined
  readonly message?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
  readonly fields?: readonly FieldLine[] | undefined
}

/** The problem document (RFC 9457) of `code`. */
export function problemAnswer(code: ErrorCode, options: ProblemAnswerOptions): Answer {
  const error = new HeadgateError(code, {
    ...(options.message !== undefined && { message: options.message }),
    ...(options.detail !== undefined && { detail: options.detail }),
  })
  const document = problemOf(error, {
    requestId: options.requestId,
    ...(options.status !== undefined && { status: options.status }),
  })
  return {
    status: document.status,
    fields: [
      ['content-type', problemMediaType],
      // Which of the two answered is the first question of whoever reads an error (gateway or upstream).
      ['headgate-error', code],
      ...retryAfterOf(code),
      ...(options.fields ?? []),
    ],
    body: Buffer.from(`${JSON.stringify(document)}\n`),
  }
}

/** For our own 503s: the soonest that a retry makes sense. A policy brings its own. */
function retryAfterOf(code: ErrorCode): readonly FieldLine[] {
  const { status, retryable } = errorCatalog[code]
  return status === 503 && retryable ? [['retry-after', '1']] : []
}

export function textAnswer(
  status: number,
  fields: readonly FieldLine[],
  body: string | Uint8Array,
): Answer {
  return { status, fields, body: typeof body === 'string' ? Buffer.from(body) : Buffer.from(body) }
}

const okLine = 'HTTP/1.1 200 OK\r\n'

export function statusLine(status: number, reason = STATUS_CODES[status] ?? ''): string {
  if (status === 200 && reason === 'OK') return okLine
  return `HTTP/1.1 ${status} ${reason}\r\n`
}
