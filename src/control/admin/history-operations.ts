/** Revisions (list, read, compare, go back to) and the audit. */
import { HeadgateError } from '../../base/errors.ts'
import { s } from '../../base/schema.ts'
import type { Page, Revision, RevisionChange } from '../../store/store.ts'
import { checkBody, mediaTypeOf, mediaTypes, parseJson } from './body.ts'
import { type AdminDeps, adminLimits } from './deps.ts'
import { type Call, commitInfo, defineOperation, json, type Operation } from './operation.ts'
import { dryRunParameter, noQuery, pageQuery, revisionNumber } from './query.ts'
import { inTermsOfBody, planView } from './resource-body.ts'
import { reasonBody } from './schemas.ts'

const tag = 'history'

export function historyOperations(deps: AdminDeps): Operation[] {
  return [...readOperations(deps), revertOperation(deps), auditOperation(deps)]
}

function readOperations(deps: AdminDeps): Operation[] {
  const { control } = deps
  return [
    defineOperation({
      id: 'listRevisions',
      method: 'GET',
      path: '/api/v1/revisions',
      tag,
      summary: 'Lists revisions, newest first, with the names of what each changed.',
      access: 'read',
      query: pageQuery,
      responses: { 200: { description: 'A page.', schema: 'RevisionPage' } },
      async handle({ query }) {
        const { items, next } = await control.revisions(pageOf(query))
        return json(200, { items: items.map(withoutContents), next })
      },
    }),
    defineOperation({
      id: 'getRevision',
      method: 'GET',
      path: '/api/v1/revisions/{number}',
      tag,
      summary: 'Reads one revision with each changed object before and after.',
      access: 'read',
      query: noQuery,
      responses: { 200: { description: 'The revision.', schema: 'Revision' } },
      async handle(call) {
        const revision = await revisionOf(deps, call)
        return json(200, { ...revision, changes: revision.changes.map(withAction) })
      },
    }),
    defineOperation({
      id: 'diffRevisions',
      method: 'GET',
      path: '/api/v1/revisions/{number}/diff',
      tag,
      summary: 'Says what leads from one revision to this one.',
      access: 'read',
      query: s.strictObject({
        against: revisionNumber
          .optional()
          .describe('The revision to compare with. Default: the one before.'),
      }),
      responses: { 200: { description: 'The changes.', schema: 'RevisionDiff' } },
      async handle(call) {
        const to = numberOf(call)
        const from = call.query.against ?? Math.max(to - 1, 0)
        return json(200, { from, to, changes: await control.diff(from, to) })
      },
    }),
  ]
}

function revertOperation(deps: AdminDeps): Operation {
  const { control } = deps
  return defineOperation({
    id: 'revertRevision',
    method: 'POST',
    path: '/api/v1/revisions/{number}:revert',
    tag,
    summary: 'Makes a new revision that equals this one.',
    access: 'write',
    query: s.strictObject({ dryRun: dryRunParameter }),
    headers: {
      'Idempotency-Key': 'Repeated with the same key, the first answer is given again.',
    },
    body: { content: { 'application/json': 'ReasonBody' }, isRequired: false },
    responses: {
      200: {
        description: 'Done; with `dryRun`: the changes it would make.',
        schema: 'RevertResult',
      },
    },
    async handle(call) {
      mediaTypeOf(call.request, mediaTypes.json)
      const { reason } = checkBody(reasonBody, parseJson(await call.bytes(), {}))
      const { number } = await revisionOf(deps, call)
      if (call.query.dryRun === true) {
        const from = (await control.revisions({ limit: 1 })).items[0]?.number ?? 0
        const changes = await control.diff(from, number)
        return json(200, { dryRun: true, from, to: number, changes })
      }
      try {
        const { plan, revision } = await control.revert(number, commitInfo(call, reason))
        return json(200, { revision, plan: planView(plan, () => undefined) })
      } catch (thrown) {
        throw inTermsOfBody(thrown, () => undefined)
      }
    },
  })
}

function auditOperation({ control }: AdminDeps): Operation {
  return defineOperation({
    id: 'listAudit',
    method: 'GET',
    path: '/api/v1/audit',
    tag,
    summary: 'Lists who did what, newest first; each entry proves the one before.',
    access: 'read',
    query: pageQuery,
    responses: { 200: { description: 'A page.', schema: 'AuditPage' } },
    async handle({ query }) {
      return json(200, { ...(await control.audit(pageOf(query))) })
    },
  })
}

function pageOf(query: { limit?: number | undefined; after?: string | undefined }): Page {
  const { limit = adminLimits.pageSizeDefault, after } = query
  return after === undefined ? { limit } : { limit, after }
}

async function revisionOf(deps: AdminDeps, call: Call): Promise<Revision> {
  const number = numberOf(call)
  const revision = await deps.control.revision(number)
  if (revision !== undefined) return revision
  throw new HeadgateError('admin.not_found', { message: `There is no revision ${number}.` })
}

function numberOf(call: Call): number {
  const text = call.parameters.number ?? ''
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new HeadgateError('admin.not_found', {
    message: 'Revisions are named by their number, such as `/api/v1/revisions/12`.',
  })
}

function withAction(change: RevisionChange) {
  const { before, after } = change
  const action = before === undefined ? 'create' : after === undefined ? 'delete' : 'change'
  return { action, ...change }
}

/** A page of revisions with all contents could be a hundred times the definition. */
function withoutContents(revision: Revision) {
  const changes = revision.changes.map((change) => ({
    action: withAction(change).action,
    key: change.key,
  }))
  return { ...revision, changes }
}
