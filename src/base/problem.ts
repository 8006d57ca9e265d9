/**
 * The one place that turns what was thrown into a problem document (RFC 9457). The admin API and the
 * data plane both answer with it, and the command line and the console read it, so it is portable.
 */
import { type ErrorCode, type ErrorDetail, errorCatalog, HeadgateError } from './errors.ts'

export const problemMediaType = 'application/problem+json'

/** Where the reference describes each code; part of the public interface, so it never changes. */
const problemTypeBase = 'https://headgate.dev/errors/'

/** Entries of `errors` that one document carries; the rest is counted in `errorsOmitted`. */
export const problemEntriesMax = 1_000

export type ProblemDocument = {
  readonly type: string
  readonly title: string
  readonly status: number
  /** What went wrong here. */
  readonly detail: string
  /** The id of the request, as in `X-Request-Id` and in the log. */
  readonly instance: string
  readonly code: ErrorCode
  /** What to do next; only for those who operate the gateway. */
  readonly todo?: string
  readonly errors?: readonly ProblemEntry[]
} & Readonly<Record<string, unknown>>

/** One thing that is wrong with a document or a query. */
export type ProblemEntry = {
  /** JSON Pointer (RFC 6901) into the body that was sent. */
  readonly pointer?: string
  /** Name of the query parameter or header field, instead of `pointer`. */
  readonly parameter?: string
  readonly code: string
  readonly message: string
  readonly suggestion?: string
  /** `Route/books`. */
  readonly object?: string
  /** JSON Pointer inside `object`, where that is not part of the body. */
  readonly objectPointer?: string
  readonly location?: { readonly file: string; readonly line: number; readonly column: number }
}

/** What `detail.problems` of an error holds; `control/problem.ts` is the full form. */
export type ProblemLike = {
  readonly severity?: string
  readonly code: string
  readonly path: readonly (string | number)[]
  readonly message: string
  readonly suggestion?: string
  readonly object?: string
  readonly location?: { readonly file: string; readonly line: number; readonly column: number }
}

export type ProblemOptions = {
  readonly requestId: string
  /** Instead of the status of the code, e.g. chosen by a policy. */
  readonly status?: number
  /** Adds `todo`; leave it out of answers to consumers, who cannot follow such advice. */
  readonly isForOperator?: boolean
}

/** Members that the detail of an error must not replace. */
const ownMembers = new Set([
  'type',
  'title',
  'status',
  'detail',
  'instance',
  'code',
  'todo',
  'errors',
  'problems',
])

/** The `type` of the problem documents of a code. */
export function problemTypeOf(code: ErrorCode): string {
  return problemTypeBase + code
}

/**
 * Describes anything thrown. The detail of a `HeadgateError` becomes members of the document, its
 * `problems` become `errors`. Anything else is a bug of ours: nothing of it is shown.
 */
export function problemOf(thrown: unknown, options: ProblemOptions): ProblemDocument {
  if (!(thrown instanceof HeadgateError)) {
    const message =
      'Something went wrong inside the gateway; its log has more under this request id.'
    return problemOf(new HeadgateError('gateway.internal', { message }), options)
  }
  const { code, detail } = thrown
  const definition = errorCatalog[code]
  return {
    type: problemTypeOf(code),
    title: definition.title,
    status: options.status ?? definition.status,
    detail: thrown.message,
    instance: options.requestId,
    code,
    ...(options.isForOperator === true && { todo: todoOf(thrown) }),
    ...entriesOf(detail),
    ...extensionsOf(detail),
  }
}

/** Writes a path as JSON Pointer (RFC 6901 §3): `['paths', '/a']` to `/paths/~1a`. */
export function jsonPointer(path: readonly (string | number)[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** Absent means unset, so `undefined` and `null` are left out. */
function extensionsOf(detail: ErrorDetail): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(detail).filter(
      ([name, value]) => !ownMembers.has(name) && value !== undefined && value !== null,
    ),
  )
}

/** An error may know a better next step than its code does. */
function todoOf({ detail, definition }: HeadgateError): string {
  return typeof detail.todo === 'string' ? detail.todo : definition.todo
}

function entriesOf(detail: ErrorDetail): {
  errors?: ProblemEntry[]
  warnings?: ProblemEntry[]
  errorsOmitted?: number
} {
  const problems = listOf(detail.problems).filter(isProblemLike)
  const entries = [
    ...listOf(detail.errors).filter(isProblemEntry),
    ...problems.filter((problem) => problem.severity !== 'warning').map(problemEntry),
  ]
  const warnings = problems.filter((problem) => problem.severity === 'warning').map(problemEntry)
  const omitted = entries.length - problemEntriesMax
  return {
    ...(entries.length > 0 && { errors: entries.slice(0, problemEntriesMax) }),
    ...(warnings.length > 0 && { warnings: warnings.slice(0, problemEntriesMax) }),
    ...(omitted > 0 && { errorsOmitted: omitted }),
  }
}

/** One problem as it stands in `errors` of a problem document or in `warnings` of an answer. */
export function problemEntry(problem: ProblemLike): ProblemEntry {
  const { path, code, message, suggestion, object, location } = problem
  return {
    pointer: jsonPointer(path),
    code,
    message,
    ...(suggestion !== undefined && { suggestion }),
    ...(object !== undefined && { object }),
    ...(location !== undefined && { location }),
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Whether something found in a detail is a problem. */
export function isProblemLike(value: unknown): value is ProblemLike {
  return isProblemEntry(value) && 'path' in value && Array.isArray(value.path)
}

function isProblemEntry(value: unknown): value is ProblemEntry {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'message' in value &&
    typeof value.message === 'string'
  )
}
