/** `POST /api/v1/<plural>/<name>:<verb>` for every action of a kind. */
import { s } from '../../base/schema.ts'
import { defaultWorkspace, type KindDefinition } from '../../kinds/define-kind.ts'
import { checkBody, mediaTypeOf, mediaTypes, parseJson } from './body.ts'
import type { AdminDeps } from './deps.ts'
import { commitInfo, defineOperation, json, type Operation } from './operation.ts'
import { noQuery } from './query.ts'

const reasonOnly = s.looseObject({ reason: s.string().max(1_024).optional() })

/** Name of the schema of an action's body among the components. */
export function actionSchemaName(kind: string, verb: string): string {
  return `${kind}${verb.charAt(0).toUpperCase()}${verb.slice(1)}Input`
}

/**
 * Actions take no `dryRun`: the control plane cannot rehearse them, and an unknown parameter is
 * refused rather than ignored.
 */
export function actionOperations(deps: AdminDeps, definition: KindDefinition): Operation[] {
  const { kind, plural } = definition
  return definition.actions.map(({ verb, summary, input }) =>
    defineOperation({
      id: `${verb}${kind}`,
      method: 'POST',
      path: `/api/v1/${plural}/{name}:${verb}`,
      tag: plural,
      summary,
      access: 'operate',
      query: noQuery,
      headers: {
        'Idempotency-Key': 'Repeated with the same key, the first answer is given again.',
      },
      body: {
        content: { 'application/json': actionSchemaName(kind, verb) },
        isRequired: false,
        description: '`reason` is kept in the audit.',
      },
      responses: { 200: { description: 'Done.', schema: 'ActionResult' } },
      async handle(call) {
        mediaTypeOf(call.request, mediaTypes.json)
        const { reason, ...body } = checkBody(reasonOnly, parseJson(await call.bytes(), {}))
        // Checked here for its pointers and passed on as written: the controller parses it for itself.
        checkBody(input, body)
        const name = call.parameters.name ?? ''
        const key = { workspace: defaultWorkspace, kind, name }
        const info = commitInfo(call, reason)
        return json(200, { ...(await deps.control.act(key, verb, body, info)) })
      },
    }),
  )
}
