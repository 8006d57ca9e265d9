/** Calls the admin API of a running gateway, and turns its problem documents back into our errors. */
import { type ErrorCode, HeadgateError, isErrorCode, messageOf } from '../base/errors.ts'
import { s } from '../base/schema.ts'
import type { ServerInput } from './define-command.ts'
import type { CliDeps } from './deps.ts'

export type AdminCall = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Beginning with `/`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: unknown
  readonly accept?: string
}

export type AdminAnswer = { readonly text: string; readonly etag: string | undefined }

export type AdminClient = {
  readonly server: string
  /** The body as text; throws the error that a problem document stands for. */
  send(call: AdminCall): Promise<AdminAnswer>
  /** The body read as JSON and checked. */
  json<Answer>(call: AdminCall, schema: s.ZodType<Answer>): Promise<Answer>
}

export function openAdminClient(input: ServerInput, deps: CliDeps): AdminClient {
  const send = (call: AdminCall) => sendCall(call, input, deps)
  return {
    server: input.server,
    send,
    async json(call, schema) {
      const { text } = await send(call)
      const result = schema.safeParse(parseJson(text))
      if (result.success) return result.data
      throw new HeadgateError('cli.server_unreachable', {
        message: `${input.server} does not answer like a Headgate of this version`,
        cause: new Error(s.prettifyError(result.error)),
      })
    },
  }
}

async function sendCall(call: AdminCall, input: ServerInput, deps: CliDeps): Promise<AdminAnswer> {
  const controller = new AbortController()
  const timer = deps.clock.after(input.timeout, () => controller.abort())
  try {
    const response = await deps.fetch(urlOf(call, input), {
      method: call.method ?? 'GET',
      headers: headersOf(call, input),
      signal: controller.signal,
      redirect: 'error',
      ...(call.json !== undefined && { body: JSON.stringify(call.json) }),
    })
    const text = await response.text()
    if (!response.ok) throw errorOf(response.status, text, input)
    return { text, etag: response.headers.get('etag') ?? undefined }
  } catch (thrown) {
    throw explain(thrown, { input, isTimeout: controller.signal.aborted })
  } finally {
    timer.cancel()
  }
}

function urlOf(call: AdminCall, input: ServerInput): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) query.set(name, value)
  }
  const suffix = query.size === 0 ? '' : `?${query}`
  return `${input.server}${call.path}${suffix}`
}

function headersOf(call: AdminCall, input: ServerInput): Record<string, string> {
  return {
    accept: call.accept ?? 'application/json',
    ...(call.json !== undefined && { 'content-type': 'application/json' }),
    ...(input.token !== undefined && { authorization: `Bearer ${input.token}` }),
    ...call.headers,
  }
}

function explain(thrown: unknown, at: { input: ServerInput; isTimeout: boolean }): HeadgateError {
  if (thrown instanceof HeadgateError) return thrown
  if (at.isTimeout) {
    return new HeadgateError('cli.timed_out', {
      message: `${at.input.server} did not answer within ${at.input.timeout} ms`,
    })
  }
  // `fetch` says "fetch failed"; what happened stands in its cause.
  const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown
  return new HeadgateError('cli.server_unreachable', {
    message: `no gateway answers at ${at.input.server}`,
    cause,
  })
}

/** RFC 9457 with our extensions. */
const problemDocument = s.object({
  type: s.string().optional(),
  code: s.string().optional(),
  title: s.string().optional(),
  detail: s.string().optional(),
  todo: s.string().optional(),
  errors: s.array(s.unknown()).optional(),
  patch: s.string().optional(),
})

function errorOf(status: number, text: string, input: ServerInput): HeadgateError {
  const problem = problemDocument.safeParse(parseJson(text)).data
  if (problem === undefined || (problem.type === undefined && problem.code === undefined)) {
    return new HeadgateError('cli.server_unreachable', {
      message: `${input.server} answered ${status} and is not the admin API of a Headgate`,
    })
  }
  const code = codeOf(problem) ?? fallbackCode(status)
  const message = problem.detail ?? problem.title ?? `the gateway answered ${status}`
  const todo =
    code === 'admin.unauthenticated' && input.token === undefined
      ? 'set HEADGATE_TOKEN to the owner token; `headgate run --new-owner-token` makes another'
      : code === 'admin.invalid_request' && problem.errors !== undefined
        ? // The gateway's own words point at members of the answer, which is not shown here.
          'correct what stands above and run the command again'
        : problem.todo
  return new HeadgateError(code, {
    message,
    detail: {
      ...(problem.errors !== undefined && { problems: problem.errors }),
      ...(problem.patch !== undefined && { patch: problem.patch }),
      ...(todo !== undefined && { todo }),
    },
  })
}

/** From `code`, or from the last part of the address in `type`. */
function codeOf(problem: s.infer<typeof problemDocument>): ErrorCode | undefined {
  const last = problem.type?.split(/[/#]/).at(-1)
  return [problem.code, last].find(
    (candidate): candidate is ErrorCode => candidate !== undefined && isErrorCode(candidate),
  )
}

/** For a code that a newer gateway has and this command line does not know. */
function fallbackCode(status: number): ErrorCode {
  if (status === 401) return 'admin.unauthenticated'
  if (status === 403) return 'admin.forbidden'
  if (status === 404) return 'admin.not_found'
  if (status === 409 || status === 412) return 'admin.conflict'
  return status >= 500 ? 'gateway.internal' : 'admin.invalid_request'
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (thrown) {
    // Whatever is not JSON fails the schema that comes next; the text itself may be a page of HTML.
    return { notJson: messageOf(thrown) }
  }
}
