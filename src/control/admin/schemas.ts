/**
 * The bodies that are not resources. Those of requests are checked against these schemas; those of
 * answers are described by them, and the tests hold every answer against its description.
 */
import { s } from '../../base/schema.ts'
import { scopes } from './tokens.ts'

const text = () => s.string()
const time = () => s.string().meta({ format: 'date-time' })
const count = () => s.int().min(0)
const anyMap = () => s.record(s.string(), s.unknown())

export const reasonBody = s.strictObject({
  reason: s.string().max(1_024).optional().describe('Why; kept in revision and audit.'),
})

const fieldValue = s.string().max(8_192)

export const routeTestBody = s.strictObject({
  method: s
    .string()
    .max(32)
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be a method such as `GET`')
    .optional()
    .describe('Default GET.'),
  url: s.string().min(1).max(8_192).describe('Absolute, or a path, with `host` among the headers.'),
  headers: s
    .union([
      s.array(s.tuple([s.fieldName(), fieldValue])).max(200),
      s.record(s.fieldName(), fieldValue),
    ])
    .optional()
    .describe('A map, or a list of pairs where a field stands more than once.'),
  clientAddress: s.address().optional().describe('Default 127.0.0.1.'),
  app: s.name().optional().describe('As if this app had authenticated.'),
})

const problemEntry = s.object({
  pointer: text().optional().describe('JSON Pointer (RFC 6901) into the body.'),
  parameter: text().optional().describe('Query parameter or header field.'),
  code: text(),
  message: text(),
  suggestion: text().optional(),
  object: text().optional().describe('Such as `Route/books`.'),
  objectPointer: text()
    .optional()
    .describe('Place inside `object`, where that is not in the body.'),
  location: s.object({ file: text(), line: s.int().min(1), column: s.int().min(1) }).optional(),
})

const problem = s
  .looseObject({
    type: s.url().describe('Names the code; a page of the reference.'),
    title: text(),
    status: s.int().min(400).max(599),
    detail: text(),
    instance: text().describe('The request id.'),
    code: text(),
    todo: text().describe('What to do next.'),
    errors: s.array(problemEntry).optional(),
    retryAfter: count().optional().describe('Seconds.'),
  })
  .describe('RFC 9457.')

const key = s.object({ workspace: text(), kind: text(), name: text() })
const action = s.enum(['create', 'change', 'delete'])

const condition = s.object({
  type: text(),
  status: s.enum(['True', 'False', 'Unknown']),
  reason: text().describe('For machines.'),
  message: text().describe('For people.'),
  since: time(),
})

const resourceStatus = s.looseObject({
  observedRevision: count(),
  conditions: s.array(condition),
})

const plannedChange = s.object({
  action,
  key,
  fields: s.array(
    s.object({ path: text(), before: s.unknown().optional(), after: s.unknown().optional() }),
  ),
  effects: s.array(text()).describe('What it does to callers.'),
})

const plan = s.object({
  baseRevision: count(),
  changes: s.array(plannedChange),
  counts: s.object({
    create: count(),
    change: count(),
    delete: count(),
    unchanged: count(),
    onlyOnServer: count(),
  }),
  warnings: s.array(problemEntry),
})

const applied = s.object({ revision: count(), plan })
const rehearsed = s.object({ dryRun: s.literal(true), plan })
const diff = s.object({ from: count(), to: count(), changes: s.array(plannedChange) })

const revisionHead = {
  number: count(),
  at: time(),
  actor: text(),
  origin: text(),
  note: text().optional(),
}

const revision = s.object({
  ...revisionHead,
  changes: s.array(
    s.object({ action, key, before: anyMap().optional(), after: anyMap().optional() }),
  ),
})

const revisionSummary = s.object({ ...revisionHead, changes: s.array(s.object({ action, key })) })

const auditEntry = s.object({
  sequence: count(),
  at: time(),
  actor: text(),
  action: text(),
  object: text(),
  detail: anyMap(),
  hash: text().describe('SHA-256 over the hash of the entry before and this one.'),
})

const worker = s.object({
  index: count(),
  state: s.enum(['starting', 'serving', 'draining', 'gone']),
  revision: count(),
  restarts: count(),
  tunnels: s
    .array(s.object({ revision: count(), count: count() }))
    .describe('Upgraded connections that are open, by the revision they began with.'),
})

const routeTestAnswer = s.object({
  refused: s.object({ code: text(), why: text() }).optional(),
  matched: s.object({ route: text(), parameters: s.record(s.string(), text()) }).optional(),
  tried: s.array(s.object({ route: text(), isMatch: s.boolean(), why: text() })),
  triedOmitted: s.int().optional(),
  answer: s
    .object({
      type: s.enum(['redirect', 'respond']),
      status: s.int(),
      location: text().optional(),
    })
    .optional(),
  policies: s.array(s.object({ policy: text(), scope: text() })),
  upstream: s
    .object({
      name: text(),
      version: text(),
      why: text(),
      endpoints: s.array(s.object({ url: text(), weight: s.number() })),
      account: text().optional(),
      target: text(),
      host: text(),
    })
    .optional(),
})

const event = s.union([
  s.object({
    type: s.literal('revision'),
    sequence: count(),
    revision: revisionSummary,
    changesOmitted: count().optional().describe('Changed objects that are not listed.'),
  }),
  s.object({ type: s.literal('runtime'), sequence: count(), key, state: anyMap().optional() }),
  s.object({ type: s.literal('reset') }),
])

/** A page of `items`; `next` is absent on the last one. */
export function pageOf(item: s.ZodType): s.ZodType {
  return s.object({ items: s.array(item), next: text().optional().describe('For `after`.') })
}

/** What every resource answers with, besides its own spec. */
export function resourceAnswer(kind: string, spec: s.ZodType): s.ZodType {
  return s.object({
    kind: s.literal(kind),
    name: text(),
    workspace: text(),
    labels: s.record(s.string(), text()),
    description: text().optional(),
    owner: text().optional(),
    spec,
    revision: count().describe('The `ETag`, without quotes.'),
    createdAt: time(),
    updatedAt: time(),
    managedBy: text(),
    status: resourceStatus,
    warnings: s.array(problemEntry).optional(),
  })
}

/** Components of the OpenAPI document by name, besides those of the kinds. */
export const commonSchemas: Readonly<Record<string, s.ZodType>> = {
  Problem: problem,
  ProblemEntry: problemEntry,
  ResourceKey: key,
  Condition: condition,
  ResourceStatus: resourceStatus,
  PlannedChange: plannedChange,
  Plan: plan,
  DryRun: rehearsed,
  ApplyResult: s.union([applied, rehearsed]),
  RevisionDiff: diff,
  RevertResult: s.union([applied, diff.extend({ dryRun: s.literal(true) })]),
  ReloadResult: s.object({ revision: count() }),
  Revision: revision,
  RevisionSummary: revisionSummary,
  RevisionPage: pageOf(revisionSummary),
  AuditEntry: auditEntry,
  AuditPage: pageOf(auditEntry),
  Worker: worker,
  WorkerPage: pageOf(worker),
  RouteTestRequest: routeTestBody,
  RouteTestAnswer: routeTestAnswer,
  ReasonBody: reasonBody,
  MergePatch: anyMap().describe('JSON Merge Patch (RFC 7396).'),
  ActionResult: anyMap(),
  JsonDocument: anyMap(),
  Event: event,
  WhoAmI: s.object({
    name: text(),
    scopes: s.array(s.enum(scopes)),
    workspace: text(),
    mode: s.enum(['file', 'store']),
    version: text(),
  }),
  Liveness: s.object({ alive: s.literal(true) }),
  Readiness: s.object({
    ready: s.literal(true),
    checks: s.array(s.object({ name: text(), isOk: s.boolean(), message: text() })).optional(),
  }),
}
