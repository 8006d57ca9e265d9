/** The gateway itself: health, metrics, workers, reload, explaining a request, who the caller is. */
import { HeadgateError } from '../../base/errors.ts'
import { defaultWorkspace } from '../../kinds/define-kind.ts'
import type { RouteTestRequest } from '../control-api.ts'
import { checkBody, mediaTypeOf, mediaTypes, parseJson } from './body.ts'
import { type AdminCounters, withCounters } from './counters.ts'
import type { AdminDeps } from './deps.ts'
import { commitInfo, defineOperation, json, type Operation } from './operation.ts'
import { noQuery, verboseQuery } from './query.ts'
import { inTermsOfBody } from './resource-body.ts'
import { reasonBody, routeTestBody } from './schemas.ts'

const tag = 'gateway'
const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

export function serviceOperations(deps: AdminDeps, counters: AdminCounters): Operation[] {
  return [
    ...healthOperations(deps, counters),
    ...stateOperations(deps),
    reloadOperation(deps),
    routeTestOperation(deps),
  ]
}

function healthOperations(deps: AdminDeps, counters: AdminCounters): Operation[] {
  return [
    defineOperation({
      id: 'getLiveness',
      method: 'GET',
      path: '/livez',
      tag,
      summary: 'Answers as long as the process works.',
      access: 'Public',
      query: verboseQuery,
      responses: { 200: { description: 'Alive.', schema: 'Liveness' } },
      handle: () => json(200, { alive: true }),
    }),
    defineOperation({
      id: 'getReadiness',
      method: 'GET',
      path: '/readyz',
      tag,
      summary: 'Says whether traffic can be sent here: 200 or 503.',
      access: 'Public',
      query: verboseQuery,
      responses: { 200: { description: 'Ready.', schema: 'Readiness' } },
      handle({ query }) {
        const reason = deps.control.notReadyReason()
        const verbose = query.verbose === true ? { checks: checksOf(deps) } : {}
        if (reason === undefined) return json(200, { ready: true, ...verbose })
        throw new HeadgateError('admin.not_ready', { message: reason, detail: verbose })
      },
    }),
    defineOperation({
      id: 'getMetrics',
      method: 'GET',
      path: '/metrics',
      tag,
      summary: 'All metrics as OpenMetrics text.',
      access: 'Public',
      query: noQuery,
      responses: {
        200: { description: 'Metrics.', mediaType: 'application/openmetrics-text' },
      },
      async handle() {
        const text = withCounters(await deps.metrics(), counters)
        return new Response(text, { headers: { 'content-type': openMetricsType } })
      },
    }),
  ]
}

/** One entry per thing that readiness depends on. */
function checksOf({ control, version }: AdminDeps): Record<string, unknown>[] {
  const reason = control.notReadyReason()
  const workers = control.workers()
  const serving = workers.filter(({ state }) => state === 'serving').length
  return [
    {
      name: 'configuration',
      isOk: reason === undefined,
      message: reason ?? `${control.mode} mode`,
    },
    {
      name: 'workers',
      isOk: serving > 0,
      message: `${serving} of ${workers.length} serving`,
    },
    { name: 'version', isOk: true, message: version },
  ]
}

function stateOperations(deps: AdminDeps): Operation[] {
  const { control } = deps
  return [
    defineOperation({
      id: 'getWhoami',
      method: 'GET',
      path: '/api/v1/whoami',
      tag,
      summary: 'Says whose token this is and what it allows, and which gateway answers.',
      access: 'AnyToken',
      query: noQuery,
      responses: { 200: { description: 'The caller.', schema: 'WhoAmI' } },
      handle({ identity }) {
        return json(200, {
          name: identity.name,
          scopes: identity.scopes,
          workspace: defaultWorkspace,
          mode: control.mode,
          version: deps.version,
        })
      },
    }),
    defineOperation({
      id: 'listWorkers',
      method: 'GET',
      path: '/api/v1/workers',
      tag,
      summary: 'Lists the workers and the revision each serves.',
      access: 'read',
      query: noQuery,
      responses: { 200: { description: 'All workers.', schema: 'WorkerPage' } },
      handle: () => json(200, { items: control.workers() }),
    }),
    defineOperation({
      id: 'exportConfiguration',
      method: 'GET',
      path: '/api/v1/export',
      tag,
      summary: 'The whole definition as one YAML document, as files and `apply` take it.',
      access: 'read',
      query: noQuery,
      responses: { 200: { description: 'The definition.', mediaType: 'application/yaml' } },
      async handle() {
        const headers = { 'content-type': 'application/yaml; charset=utf-8' }
        return new Response(await control.exportYaml(), { headers })
      },
    }),
  ]
}

function reloadOperation({ control }: AdminDeps): Operation {
  return defineOperation({
    id: 'reload',
    method: 'POST',
    path: '/api/v1/reload',
    tag,
    summary: 'Reads the configuration files again (file mode).',
    access: 'operate',
    query: noQuery,
    headers: {
      'Idempotency-Key': 'Repeated with the same key, the first answer is given again.',
    },
    body: { content: { 'application/json': 'ReasonBody' }, isRequired: false },
    responses: { 200: { description: 'The revision served now.', schema: 'ReloadResult' } },
    async handle(call) {
      mediaTypeOf(call.request, mediaTypes.json)
      const { reason } = checkBody(reasonBody, parseJson(await call.bytes(), {}))
      try {
        return json(200, await control.reload(commitInfo(call, reason)))
      } catch (thrown) {
        // The problems are in files; their `location` says where.
        throw inTermsOfBody(thrown, () => undefined)
      }
    },
  })
}

function routeTestOperation({ control }: AdminDeps): Operation {
  return defineOperation({
    id: 'testRoute',
    method: 'POST',
    path: '/api/v1/route-test',
    tag,
    summary: 'Explains what the gateway would do with a request, without sending it.',
    access: 'read',
    query: noQuery,
    body: { content: { 'application/json': 'RouteTestRequest' }, isRequired: true },
    responses: { 200: { description: 'The explanation.', schema: 'RouteTestAnswer' } },
    async handle(call) {
      mediaTypeOf(call.request, mediaTypes.json)
      const body = checkBody(routeTestBody, parseJson(await call.bytes()))
      const request: RouteTestRequest = {
        method: body.method ?? 'GET',
        url: body.url,
        headers: Array.isArray(body.headers) ? body.headers : Object.entries(body.headers ?? {}),
        clientAddress: body.clientAddress ?? '127.0.0.1',
        ...(body.app !== undefined && { app: body.app }),
      }
      return json(200, { ...(await control.testRoute(request)) })
    },
  })
}
