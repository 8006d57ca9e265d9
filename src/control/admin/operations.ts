/** Every operation of the admin API, in the order in which the OpenAPI document lists them. */
import { changeOperations } from './change-operations.ts'
import { configJsonSchema } from '../json-schema.ts'
import type { AdminCounters } from './counters.ts'
import type { AdminDeps } from './deps.ts'
import { eventsOperation } from './events.ts'
import { historyOperations } from './history-operations.ts'
import { kindOperations } from './kind-operations.ts'
import { defineOperation, json, type Operation } from './operation.ts'
import { openApiDocument } from './openapi.ts'
import { noQuery } from './query.ts'
import { serviceOperations } from './service-operations.ts'

export function adminOperations(deps: AdminDeps, counters: AdminCounters): Operation[] {
  const operations = [
    ...deps.kinds.flatMap((definition) => kindOperations(deps, definition)),
    ...changeOperations(deps),
    ...historyOperations(deps),
    eventsOperation(deps, counters),
    ...serviceOperations(deps, counters),
  ]
  const described: Operation[] = [...operations, ...documentOperations(deps, () => described)]
  return described
}

function documentOperations(deps: AdminDeps, all: () => readonly Operation[]): Operation[] {
  // Built on the first call, which most gateways never see, and again when the policies change.
  let built:
    | { catalog: AdminDeps['catalog']; document: Readonly<Record<string, unknown>> }
    | undefined
  return [
    defineOperation({
      id: 'getOpenApi',
      method: 'GET',
      path: '/api/openapi.json',
      tag: 'documents',
      summary: 'This document.',
      access: 'Public',
      query: noQuery,
      responses: { 200: { description: 'OpenAPI 3.1.', schema: 'JsonDocument' } },
      handle() {
        const { kinds, catalog, version } = deps
        if (built?.catalog !== catalog) {
          built = {
            catalog,
            document: openApiDocument({ operations: all(), kinds, catalog, version }),
          }
        }
        return json(200, built.document)
      },
    }),
    defineOperation({
      id: 'getConfigSchema',
      method: 'GET',
      path: '/schema/v1.json',
      tag: 'documents',
      summary: 'The JSON Schema of configuration files (draft 7), for editors.',
      access: 'Public',
      query: noQuery,
      responses: {
        200: {
          description: 'JSON Schema.',
          mediaType: 'application/schema+json',
          schema: 'JsonDocument',
        },
      },
      handle: () =>
        json(200, configJsonSchema(deps.catalog, { draft: '7' }), {
          'content-type': 'application/schema+json; charset=utf-8',
        }),
    }),
  ]
}
