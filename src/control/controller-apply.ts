/** Requests to change the definition: what they mean, what they would do, and doing it. */
import { HeadgateError } from '../base/errors.ts'
import type { AuditNote, CommitInfo, StoredResource } from '../store/store.ts'
import type { ApplyResult, ChangeRequest, Plan, ResourceInput } from './control-api.ts'
import { commitAndPublish, type Prepared, prepareDefinition } from './controller-change.ts'
import { writtenAs } from './controller-definition.ts'
import { type Base, readBase, type Session } from './controller-session.ts'
import { toYaml } from './files/to-yaml.ts'
import { byObject, describeChange, type ResourceChange } from './plan.ts'
import { indexReferences, objectOf } from './references.ts'

/** Owner of everything in file mode; in store mode, of what the files have left behind. */
export const fileOwner = 'file'

/** Objects that an audit entry names; more are counted. */
const auditObjectsMax = 100

/** Every check of `applyRequest`; changes nothing. */
export async function planRequest(session: Session, request: ChangeRequest): Promise<Plan> {
  const base = await readBase(session.deps.store)
  return planOf(await prepareRequest(session, base, request), request)
}

/** Checks, commits and publishes. Call it one at a time. In file mode it throws `admin.file_owned`. */
export async function applyRequest(
  session: Session,
  request: ChangeRequest,
  info: CommitInfo,
): Promise<ApplyResult> {
  const base = await readBase(session.deps.store)
  const prepared = await prepareRequest(session, base, request)
  const plan = planOf(prepared, request)
  if (plan.changes.length === 0) return { plan, revision: base.revision }
  if (session.mode === 'file') throw fileOwned(prepared.difference.changes)
  const revision = await commitAndPublish(session, prepared, {
    info,
    audit: auditOf(prepared.difference.changes),
    ownerOf: () => request.managedBy,
  })
  return { plan, revision }
}

async function prepareRequest(
  session: Session,
  base: Base,
  request: ChangeRequest,
): Promise<Prepared> {
  checkExpectations(base, request)
  const deleted = deletedObjects(base, request)
  const documents = documentsAfter(base, request, deleted)
  return prepareDefinition(session, base, writtenAs(documents, deleted))
}

function checkExpectations(base: Base, { baseRevision, expected, deletes }: ChangeRequest): void {
  if (baseRevision !== undefined && baseRevision !== base.revision) {
    throw new HeadgateError('admin.plan_outdated', {
      message: `The plan is for revision ${baseRevision}, the store is at ${base.revision}; plan again`,
      detail: { baseRevision, currentRevision: base.revision },
    })
  }
  const stored = byObject(base.resources)
  for (const [object, wanted] of expected ?? []) {
    const actual = stored.get(object)?.revision ?? 'absent'
    // Revision 0 is what a singleton shows that stands at its defaults and is stored nowhere.
    if (actual === (wanted === 0 ? 'absent' : wanted)) continue
    throw new HeadgateError('admin.precondition_failed', {
      message:
        actual === 'absent'
          ? `${object} does not exist any more; read it again`
          : `${object} is at revision ${actual}, not ${wanted === 'absent' ? 'absent' : wanted}; read it again`,
      detail: { object, expected: wanted, actual },
    })
  }
  for (const key of deletes) {
    if (!stored.has(objectOf(key))) {
      throw new HeadgateError('admin.not_found', { message: `There is no ${objectOf(key)}.` })
    }
  }
}

/** What the request deletes: what it names, and with `prune` what it owns and does not name. */
function deletedObjects(base: Base, request: ChangeRequest): ReadonlySet<string> {
  const deleted = new Set(request.deletes.map(objectOf))
  const put = new Set(request.puts.map(objectOf))
  if (request.prune === true) {
    for (const resource of base.resources) {
      if (!put.has(objectOf(resource)) && isOwned(resource, request.managedBy)) {
        deleted.add(objectOf(resource))
      }
    }
  }
  for (const object of put) deleted.delete(object)
  return deleted
}

/** Files that no longer decide own nothing: whoever prunes next may clear up after them. */
function isOwned(resource: StoredResource, managedBy: string): boolean {
  return resource.managedBy === managedBy || resource.managedBy === fileOwner
}

/** The whole definition as it would be. */
function documentsAfter(
  base: Base,
  request: ChangeRequest,
  deleted: ReadonlySet<string>,
): ResourceInput[] {
  const put = new Set(request.puts.map(objectOf))
  const staying = base.resources.filter((resource) => {
    const object = objectOf(resource)
    return !deleted.has(object) && !put.has(object)
  })
  return [...staying, ...request.puts]
}

/** The plan of what is prepared, seen from a request: what it does not name is only on the server. */
export function planOf(prepared: Prepared, request: Pick<ChangeRequest, 'puts'>): Plan {
  const { base, difference, warnings } = prepared
  const context = {
    references: indexReferences(prepared.resources),
    previous: prepared.traffic.previous,
    assignments: prepared.traffic.assignments,
    dropped: prepared.traffic.dropped,
  }
  const changes = difference.changes.map((change) => describeChange(change, context))
  const count = (action: ResourceChange['action']) =>
    changes.filter((change) => change.action === action).length
  const put = new Set(request.puts.map(objectOf))
  const touched = new Set(changes.map(({ key }) => objectOf(key)))
  return {
    baseRevision: base.revision,
    changes,
    counts: {
      create: count('create'),
      change: count('change'),
      delete: count('delete'),
      unchanged: [...put].filter((object) => !touched.has(object)).length,
      onlyOnServer: base.resources.filter((resource) => {
        const object = objectOf(resource)
        return !put.has(object) && !touched.has(object)
      }).length,
    },
    warnings,
  }
}

/** `admin.file_owned` with the YAML to write into the files, and what to take out of them. */
export function fileOwned(changes: readonly ResourceChange[]): HeadgateError {
  const written = changes.flatMap(({ after }) => (after === undefined ? [] : [after]))
  const removed = changes.filter(({ after }) => after === undefined)
  const objects = removed.map(({ subject }) => objectOf(subject))
  const steps = [
    ...(written.length > 0 ? ['write what `patch` holds into them'] : []),
    ...(objects.length > 0 ? [`take ${objects.join(', ')} out of them`] : []),
  ]
  return new HeadgateError('admin.file_owned', {
    message: `The definition is kept in files: ${steps.join(' and ')}.`,
    detail: {
      patch: written.length > 0 ? toYaml(written) : '',
      ...(objects.length > 0 && { remove: objects }),
    },
  })
}

/** Who owns an object that is changed without being taken over: never the files, which do not decide here. */
export function keepOwner(stored: StoredResource | undefined, info: CommitInfo): string {
  return stored === undefined || stored.managedBy === fileOwner ? info.origin : stored.managedBy
}

/** One entry for the whole change; the revision holds before and after of each object. */
export function auditOf(changes: readonly ResourceChange[], action = 'apply'): AuditNote {
  const [first] = changes
  if (first !== undefined && changes.length === 1 && action === 'apply') {
    const verb = first.action === 'delete' ? 'delete' : 'put'
    return { action: verb, object: objectOf(first.subject), detail: { change: first.action } }
  }
  const objects = changes.map((change) => `${change.action} ${objectOf(change.subject)}`)
  return {
    action,
    object: '',
    detail: { changeCount: objects.length, changes: objects.slice(0, auditObjectsMax) },
  }
}
