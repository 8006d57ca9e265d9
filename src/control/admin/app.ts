/**
 * The admin API as a Hono app: every operation of `operations.ts` on its path, and around them what holds for
 * all answers. It needs no socket; `serve.ts` puts it on one.
 */
import { Hono } from 'hono'
import { suggestion } from '../../base/did-you-mean.ts'
import { HeadgateError } from '../../base/errors.ts'
import { finishAnswer, problemAnswer, requestIdOf } from './answers.ts'
import { countAnswer, createCounters } from './counters.ts'
import { type AdminDeps, type AdminEnv, adminLimits } from './deps.ts'
import { createGuard } from './guard.ts'
import { createIdempotencyCache } from './idempotency.ts'
import { adminOperations } from './operations.ts'
import { logUnexpected, registerOperations } from './register.ts'
import { createThrottle } from './throttle.ts'

/** Builds the admin API. */
export function createAdminApp(deps: AdminDeps): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>()
  const counters = createCounters()
  const guard = createGuard(deps, createThrottle(deps.clock, adminLimits), counters)
  const idempotency = createIdempotencyCache(deps.clock, adminLimits)
  const operations = adminOperations(deps, counters)

  app.use(async (context, next) => {
    const requestId = requestIdOf(context.req.raw.headers, deps.random)
    context.set('requestId', requestId)
    await next()
    finishAnswer(context.res, requestId)
    countAnswer(counters, context.res.status)
  })
  registerOperations(app, operations, { deps, guard, idempotency, counters })
  app.notFound((context) => {
    const error = pathNotFound(context.req.path, [...new Set(operations.map(({ path }) => path))])
    return problemAnswer(error, context.get('requestId'))
  })
  app.onError((thrown, context) => {
    logUnexpected(thrown, context.get('requestId'), deps)
    return problemAnswer(thrown, context.get('requestId'))
  })
  return app
}

function pathNotFound(path: string, known: readonly string[]): HeadgateError {
  const shown = path.slice(0, 256)
  const hint = suggestion(shown, known)
  return new HeadgateError('admin.not_found', {
    message: `There is nothing at \`${shown}\`${hint === undefined ? '; `/api/openapi.json` lists every path' : `; ${hint}`}`,
    ...(hint !== undefined && { detail: { suggestion: hint } }),
  })
}
