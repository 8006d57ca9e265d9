/**
 * Binds operations to paths of a Hono app. One call runs through: guard, query, idempotency, handler;
 * whatever is thrown becomes a problem document.
 */
import { createHash } from 'node:crypto'
import type { Context, Hono } from 'hono'
import { HeadgateError } from '../../base/errors.ts'
import { logLineOf, problemAnswer, isWorthLogging } from './answers.ts'
import { readBytes } from './body.ts'
import type { AdminCounters } from './counters.ts'
import type { AdminDeps, AdminEnv } from './deps.ts'
import type { Guard } from './guard.ts'
import type { IdempotencyCache, KeptAnswer } from './idempotency.ts'
import type { Call, Operation } from './operation.ts'
import { noQuery, parseQuery } from './query.ts'

export type Machinery = {
  readonly deps: AdminDeps
  readonly guard: Guard
  readonly idempotency: IdempotencyCache
  readonly counters: AdminCounters
}

/** Never aborts: for calls that come without a server. */
const neverClosing = new AbortController().signal

/** Registers all operations, and on each of their paths the refusal of other methods. */
export function registerOperations(
  app: Hono<AdminEnv>,
  operations: readonly Operation[],
  machinery: Machinery,
): void {
  const methodsByPath = new Map<string, string[]>()
  for (const operation of operations) {
    const path = honoPath(operation.path)
    methodsByPath.set(path, [...(methodsByPath.get(path) ?? []), operation.method])
    app.on(operation.method, path, (context) => runOperation(context, operation, machinery))
  }
  for (const [path, methods] of methodsByPath) {
    const allowed = methods.includes('GET') ? [...methods, 'HEAD'] : methods
    app.all(path, (context) => {
      throw new HeadgateError('admin.method_not_allowed', {
        message: `\`${context.req.method}\` is not for this path; it takes ${allowed.join(', ')}.`,
        detail: { allowed },
      })
    })
  }
}

/**
 * `/a/{name}:verb` becomes `/a/:name{[^/:]+:verb}`: Hono's parameters are whole segments. Names never
 * hold a colon, so the two forms of a last segment cannot be confused.
 */
function honoPath(path: string): string {
  return path.replaceAll(
    /\{(\w+)\}(:\w+)?/g,
    (_, name: string, verb = '') => `:${name}{[^/:]+${verb}}`,
  )
}

async function runOperation(
  context: Context<AdminEnv>,
  operation: Operation,
  machinery: Machinery,
): Promise<Response> {
  const identity = await machinery.guard.admit(context, operation.access)
  const url = new URL(context.req.url)
  let bytes: Promise<Uint8Array> | undefined
  const call: Call = {
    request: context.req.raw,
    requestId: context.get('requestId'),
    identity,
    parameters: Object.fromEntries(
      Object.entries(context.req.param()).map(([name, value]) => [name, value.replace(/:.*$/, '')]),
    ),
    query: parseQuery(operation.query ?? noQuery, url),
    bytes: () => {
      bytes ??= readBytes(context.req.raw)
      return bytes
    },
    closing: context.env?.closing ?? neverClosing,
    disconnect: () => void context.env?.incoming?.socket.destroy(),
  }
  const key = context.req.header('idempotency-key')
  if (operation.method !== 'POST' || key === undefined) return operation.handle(call)
  return runOnce(key, call, operation, machinery)
}

/** Runs the operation unless the same request ran before under this key. */
async function runOnce(
  key: string,
  call: Call,
  operation: Operation,
  { deps, idempotency, counters }: Machinery,
): Promise<Response> {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    const message = 'must be 1 to 255 visible ASCII characters without spaces'
    throw new HeadgateError('admin.invalid_request', {
      message: `\`Idempotency-Key\` ${message}.`,
      detail: { errors: [{ parameter: 'Idempotency-Key', code: 'config.bad_value', message }] },
    })
  }
  const url = new URL(call.request.url)
  const fingerprint = createHash('sha256')
    .update(`${url.pathname}\n${url.search}\n${call.request.headers.get('content-type') ?? ''}\n`)
    .update(await call.bytes())
    .digest('hex')
  const { answer, isReplay } = await idempotency.run(
    `${call.identity.name}\n${key}`,
    fingerprint,
    async () => keep(await answerOf(call, operation, deps)),
  )
  if (isReplay) counters.idempotentReplays += 1
  const headers = new Headers(
    answer.headers.map(([name, value]): [string, string] => [name, value]),
  )
  if (isReplay) headers.set('idempotency-replayed', 'true')
  return new Response(answer.body, { status: answer.status, headers })
}

async function answerOf(call: Call, operation: Operation, deps: AdminDeps): Promise<Response> {
  try {
    return await operation.handle(call)
  } catch (thrown) {
    logUnexpected(thrown, call.requestId, deps)
    return problemAnswer(thrown, call.requestId)
  }
}

/** Logs what is not the caller's doing. */
export function logUnexpected(thrown: unknown, requestId: string, deps: AdminDeps): void {
  if (thrown instanceof HeadgateError && !isWorthLogging(thrown)) return
  deps.log(logLineOf(thrown, requestId))
}

async function keep(response: Response): Promise<KeptAnswer> {
  return {
    status: response.status,
    headers: [...response.headers],
    body: await response.text(),
  }
}
