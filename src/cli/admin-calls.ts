/** The calls of the admin API that commands make, and the shape of the answers as far as they read it. */
import { HeadgateError } from '../base/errors.ts'
import { s } from '../base/schema.ts'
import type { KindDefinition } from '../kinds/define-kind.ts'
import { kinds } from '../kinds/index.ts'
import type { AdminClient } from './admin-client.ts'
import { collectionOf } from './kind-names.ts'
import { didYouMean } from '../base/did-you-mean.ts'

const conditionView = s.looseObject({
  type: s.string(),
  status: s.string(),
  reason: s.string().optional(),
  message: s.string().optional(),
  since: s.string().optional(),
})

/** Loose, so that `-o json` shows members that a newer gateway adds. */
const objectView = s.looseObject({
  kind: s.string(),
  name: s.string(),
  labels: s.record(s.string(), s.string()).optional(),
  description: s.string().optional(),
  owner: s.string().optional(),
  spec: s.unknown(),
  revision: s.number().optional(),
  createdAt: s.string().optional(),
  updatedAt: s.string().optional(),
  managedBy: s.string().optional(),
  status: s.looseObject({ conditions: s.array(conditionView).optional() }).optional(),
})

export type ObjectView = s.infer<typeof objectView>

const objectPage = s.looseObject({ items: s.array(objectView), next: s.string().optional() })

const objectKey = s.object({ workspace: s.string(), kind: s.string(), name: s.string() })

const planView = s.looseObject({
  baseRevision: s.number(),
  changes: s.array(
    s.looseObject({
      action: s.enum(['create', 'change', 'delete']),
      key: objectKey,
      fields: s.array(
        s.looseObject({
          path: s.string(),
          before: s.unknown().optional(),
          after: s.unknown().optional(),
        }),
      ),
      effects: s.array(s.string()),
    }),
  ),
  counts: s.looseObject({
    create: s.number(),
    change: s.number(),
    delete: s.number(),
    unchanged: s.number(),
    onlyOnServer: s.number(),
  }),
  warnings: s.array(
    s.looseObject({
      object: s.string().optional(),
      path: s.array(s.union([s.string(), s.number()])).optional(),
      pointer: s.string().optional(),
      message: s.string(),
      suggestion: s.string().optional(),
    }),
  ),
})

export type PlanView = s.infer<typeof planView>
export type PlannedChangeView = PlanView['changes'][number]

/** What a plan asks for, in full: it travels in `plan.json` and is sent again by `apply`. */
export const changeBody = s.object({
  puts: s.array(
    s.object({
      kind: s.string(),
      name: s.string(),
      labels: s.record(s.string(), s.string()).optional(),
      description: s.string().optional(),
      owner: s.string().optional(),
      spec: s.unknown(),
    }),
  ),
  deletes: s.array(objectKey),
  prune: s.boolean(),
  managedBy: s.string(),
})

export type ChangeBody = s.infer<typeof changeBody>

export const planSchema = planView

export function planChange(admin: AdminClient, body: ChangeBody): Promise<PlanView> {
  return admin.json({ method: 'POST', path: '/api/v1/plan', json: body }, planView)
}

const applyAnswer = s.looseObject({ plan: planView, revision: s.number() })

export function applyChange(
  admin: AdminClient,
  body: ChangeBody & { baseRevision?: number; reason?: string },
): Promise<s.infer<typeof applyAnswer>> {
  return admin.json({ method: 'POST', path: '/api/v1/apply', json: body }, applyAnswer)
}

function objectPath(kind: KindDefinition, name: string): string {
  return `/api/v1/${kind.plural}/${encodeURIComponent(name)}`
}

const pageSize = 500
/** Far more objects than one apply may bring; a gateway that never ends its list must not hold us. */
const pagesMax = 1_000

/** All objects of a kind, page by page. */
export async function listObjects(admin: AdminClient, kind: KindDefinition): Promise<ObjectView[]> {
  const items: ObjectView[] = []
  let after: string | undefined
  for (let page = 0; page < pagesMax; page += 1) {
    const query = { limit: String(pageSize), after }
    const answer = await admin.json({ path: `/api/v1/${kind.plural}`, query }, objectPage)
    items.push(...answer.items)
    if (answer.next === undefined) return items
    after = answer.next
  }
  throw new HeadgateError('cli.server_unreachable', {
    message: `the list of ${kind.plural} does not end after ${items.length} objects`,
  })
}

/** Throws `admin.not_found` with the nearest name there is. */
export async function getObject(
  admin: AdminClient,
  kind: KindDefinition,
  name: string,
): Promise<ObjectView> {
  try {
    return await admin.json({ path: objectPath(kind, name) }, objectView)
  } catch (thrown) {
    if (!(thrown instanceof HeadgateError) || thrown.code !== 'admin.not_found') throw thrown
    const names = (await listObjects(admin, kind)).map((object) => object.name)
    throw notFound(kind, name, names)
  }
}

function notFound(kind: KindDefinition, name: string, names: readonly string[]): HeadgateError {
  const collection = collectionOf(kind)
  const meant = didYouMean(name, names)
  return new HeadgateError('admin.not_found', {
    message: `there is no ${kind.kind} \`${name}\``,
    detail: {
      todo:
        meant === undefined
          ? `headgate get ${collection}`
          : `headgate get ${collection} ${meant} (did you mean that?)`,
    },
  })
}

/** Runs an action such as `setSplit`; the answer is the action's own. */
export function actOn(
  admin: AdminClient,
  target: { kind: string; name: string; verb: string },
  input: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const kind = kinds.find((candidate) => candidate.kind === target.kind)
  const path = `/api/v1/${kind?.plural ?? target.kind}/${encodeURIComponent(target.name)}:${target.verb}`
  return admin.json({ method: 'POST', path, json: input }, s.record(s.string(), s.unknown()))
}

/** The definition as one YAML document. */
export async function exportDocument(admin: AdminClient): Promise<string> {
  const answer = await admin.send({ path: '/api/v1/export', accept: 'application/yaml' })
  return answer.text
}

const routeTestAnswer = s.looseObject({
  refused: s.looseObject({ code: s.string(), why: s.string() }).optional(),
  triedOmitted: s.number().optional(),
  answer: s
    .looseObject({ type: s.string(), status: s.number(), location: s.string().optional() })
    .optional(),
  matched: s
    .looseObject({ route: s.string(), parameters: s.record(s.string(), s.string()) })
    .optional(),
  tried: s.array(s.looseObject({ route: s.string(), isMatch: s.boolean(), why: s.string() })),
  policies: s.array(s.looseObject({ policy: s.string(), scope: s.string() })),
  upstream: s
    .looseObject({
      name: s.string(),
      version: s.string(),
      why: s.string(),
      endpoints: s.array(s.looseObject({ url: s.string(), weight: s.number() })),
      account: s.string().optional(),
      target: s.string(),
      host: s.string(),
    })
    .optional(),
})

export type RouteTestView = s.infer<typeof routeTestAnswer>

export function testRouteOnServer(admin: AdminClient, request: unknown): Promise<RouteTestView> {
  return admin.json({ method: 'POST', path: '/api/v1/route-test', json: request }, routeTestAnswer)
}
