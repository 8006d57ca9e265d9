/**
 * How a change comes about, in this order:
 *
 * 1. admit, resolve and compile the whole definition as it would be, and build it once as a worker
 *    would: nothing has happened yet, and whatever is wrong refuses the change;
 * 2. commit: definition, run-time state and audit in one transaction;
 * 3. publish to the workers.
 *
 * Killed between 2 and 3, the next start publishes what was committed. When a worker refuses in 3 in
 * spite of 1, the change is undone by a revision of its own, so that what is stored is what is served.
 * Publishing first would be simpler to undo, but could serve what a crash then forgets.
 */
import { assert, HeadgateError, messageOf } from '../base/errors.ts'
import type { Resource } from '../kinds/define-kind.ts'
import type { Snapshot } from '../proxy/snapshot.ts'
import type { AuditNote, Change, CommitInfo, StoredResource } from '../store/store.ts'
import { compile } from './compile/compile.ts'
import type { SlotTable } from './compile/slots.ts'
import {
  admitAll,
  type Externals,
  resolveExternals,
  type Written,
} from './controller-definition.ts'
import { throwIfAny } from './controller-problems.ts'
import {
  type Base,
  epochFloorName,
  readBase,
  refusalChange,
  type Served,
  type Session,
} from './controller-session.ts'
import { byObject, compareResources, type Difference } from './plan.ts'
import { storePolicySources } from './policy-sources.ts'
import type { Problem } from './problem.ts'
import { objectOf } from './references.ts'
import {
  type AssignmentPlan,
  planAssignments,
  type RuntimeSplit,
  upstreamsOf,
} from './runtime-state.ts'

/** A definition that has passed every check and could be committed. */
export type Prepared = {
  /** An operation leaves the definition alone, and says nothing about whether it is current. */
  readonly isOperation: boolean
  readonly base: Base
  readonly resources: readonly Resource[]
  readonly difference: Difference
  readonly traffic: AssignmentPlan
  readonly externals: Externals
  readonly snapshot: Snapshot
  readonly slots: SlotTable
  readonly warnings: readonly Problem[]
}

/** Step 1 for a whole definition. Throws `config.…`. */
export async function prepareDefinition(
  session: Session,
  base: Base,
  written: Written,
): Promise<Prepared> {
  const { deps, baseFolder, served } = session
  const admitted = await admitAll(written, deps, baseFolder)
  const difference = compareResources(base.resources, admitted.resources)
  const changed = new Set(difference.changes.map(({ subject }) => objectOf(subject)))
  const input = { admitted, baseFolder, changed, present: served?.externals }
  const externals = await resolveExternals(input, deps)
  const resources = keepUnchanged(base.resources, admitted.resources, changed)
  const prepared = compileAll(session, base, {
    resources,
    difference,
    externals,
    warnings: [...admitted.warnings, ...toleratedProblems(externals)],
  })
  throwIfAny(await deps.verifySnapshot(prepared.snapshot))
  return prepared
}

/** Step 1 for an operation: the definition stays, so only traffic is planned anew. */
export function prepareOperation(
  session: Session,
  base: Base,
  operations: ReadonlyMap<string, RuntimeSplit | undefined>,
): Prepared {
  const { served } = session
  if (served === undefined) throw new HeadgateError('gateway.draining')
  const { resources, externals, warnings } = served
  const difference = { changes: [], unchangedCount: resources.length }
  return compileAll(session, base, { resources, difference, externals, warnings, operations })
}

type Checked = Pick<Prepared, 'resources' | 'difference' | 'externals' | 'warnings'> & {
  readonly operations?: ReadonlyMap<string, RuntimeSplit | undefined>
}

function compileAll(session: Session, base: Base, checked: Checked): Prepared {
  const { resources, difference, externals, warnings, operations } = checked
  const isOperation = operations !== undefined
  const traffic = planAssignments({
    before: upstreamsOf(base.resources),
    after: upstreamsOf(resources),
    states: base.states,
    epochFloor: base.epochFloor,
    ...(operations && { operations }),
  })
  const { snapshot, slots } = compile({
    // The number that the commit will get: changes are serialised and the store has no other writer.
    revision: difference.changes.length > 0 ? base.revision + 1 : base.revision,
    resources,
    splits: traffic.assignments,
    catalog: externals.catalog,
    slots: session.slots,
    policyModules: externals.policyModules,
    policySources: externals.policySources,
    caPems: externals.caPems,
    appKeyHashes: externals.appKeyHashes,
    certificates: externals.certificates,
  })
  return { isOperation, base, resources, difference, traffic, externals, snapshot, slots, warnings }
}

/** An order of keys that means nothing is no change, so the stored form stays. */
function keepUnchanged(
  stored: readonly Resource[],
  admitted: readonly Resource[],
  changed: ReadonlySet<string>,
): Resource[] {
  const known = byObject(stored)
  return admitted.map((resource) => {
    const object = objectOf(resource)
    return changed.has(object) ? resource : (known.get(object) ?? resource)
  })
}

function toleratedProblems({ secretProblems, warnings }: Externals): Problem[] {
  const tolerated = [...secretProblems.values()]
  return [
    ...tolerated.map((problem) => ({ ...problem, severity: 'warning' as const })),
    ...warnings,
  ]
}

export type Commitment = {
  readonly info: CommitInfo
  readonly audit: AuditNote
  /** Owner of what is created or changed. */
  ownerOf(stored: StoredResource | undefined): string
  /** Named values to store in the same transaction. */
  readonly values?: ReadonlyMap<string, string | undefined>
}

/** Steps 2 and 3. Throws `admin.publish_refused` after having undone the change. */
export async function commitAndPublish(
  session: Session,
  prepared: Prepared,
  commitment: Commitment,
): Promise<number> {
  const { store } = session.deps
  const { traffic, snapshot, isOperation } = prepared
  const revision = await store.commit(changesOf(prepared, commitment), commitment.info, {
    runtime: [...traffic.runtimeChanges, ...(isOperation ? [] : [refusalChange(undefined)])],
    values: new Map([[epochFloorName, String(traffic.epochFloor)], ...(commitment.values ?? [])]),
    audit: [commitment.audit, ...droppedNotes(traffic)],
  })
  const number = revision?.number ?? prepared.base.revision
  assert(number === snapshot.revision, 'the store has another writer')
  try {
    await publish(session, prepared)
  } catch (thrown) {
    // A gateway that cannot run, say because its port is taken, says nothing about the definition.
    const isStart = session.served === undefined
    if (isStart && thrown instanceof HeadgateError && thrown.code.startsWith('run.')) throw thrown
    const end = await undone(session, prepared, thrown)
    throw new HeadgateError('admin.publish_refused', {
      message: `A worker refused revision ${number}: ${messageOf(thrown)}. ${end}`,
      cause: thrown,
    })
  }
  if (!isOperation) session.refusal = undefined
  return number
}

async function undone(session: Session, prepared: Prepared, cause: unknown): Promise<string> {
  try {
    await undo(session, prepared, cause)
    return 'The change was undone.'
  } catch (thrown) {
    const end = `The change could not be undone: ${messageOf(thrown)}.`
    session.deps.log(end)
    return end
  }
}

/** Named value: the last revision that all workers took. */
export const publishedRevisionName = 'control.publishedRevision'

/** Step 3 alone: at start, or when only secrets or policy files have changed. */
export async function publish(session: Session, prepared: Prepared): Promise<void> {
  const { deps } = session
  const { resources, traffic, externals, snapshot, warnings, slots } = prepared
  // Also when it fails: a worker may have counted under the new numbers already.
  session.slots = slots
  await deps.publish(snapshot, externals.leases, externals.keys)
  const { revision } = snapshot
  session.served = {
    revision,
    resources,
    assignments: traffic.assignments,
    externals,
    snapshot,
    warnings,
  }
  await notePublished(session, revision)
}

/** Only a start that finds a broken store reads it, so a failure to write it fails nothing. */
async function notePublished({ deps, served }: Session, revision: number): Promise<void> {
  try {
    await deps.store.setValue(publishedRevisionName, String(revision))
    await storePolicySources(deps.store, served?.externals.policySources)
  } catch (thrown) {
    deps.log(`revision ${revision} is served but could not be noted so: ${messageOf(thrown)}`)
  }
}

function changesOf({ base, difference }: Prepared, { ownerOf }: Commitment): Change[] {
  const stored = byObject(base.resources)
  return difference.changes.map(({ before, after, subject }): Change => {
    const present = before === undefined ? undefined : stored.get(objectOf(before))
    if (after !== undefined) {
      const expectedRevision = present?.revision ?? 'absent'
      return { type: 'put', resource: after, managedBy: ownerOf(present), expectedRevision }
    }
    const { workspace, kind, name } = subject
    const expected = present === undefined ? {} : { expectedRevision: present.revision }
    return { type: 'delete', key: { workspace, kind, name }, ...expected }
  })
}

function droppedNotes({ dropped }: AssignmentPlan): AuditNote[] {
  return dropped.map(({ upstream, weights, why }) => ({
    action: 'dropSplit',
    object: `Upstream/${upstream}`,
    detail: { weights, why },
  }))
}

/**
 * Puts back what was there before, as a change of its own: revisions and epochs only grow. The
 * workers get the snapshot that they had, because making it again could fail for the same reason.
 */
async function undo(session: Session, prepared: Prepared, cause: unknown): Promise<void> {
  const { deps, served } = session
  const present = await readBase(deps.store)
  const old = byObject(prepared.base.resources)
  const traffic = planAssignments({
    before: upstreamsOf(prepared.resources),
    after: upstreamsOf(prepared.base.resources),
    states: present.states,
    epochFloor: present.epochFloor,
    operations: oldSplits(prepared),
  })
  const changes = prepared.difference.changes.map(({ before, subject }): Change => {
    const { workspace, kind, name } = subject
    if (before === undefined) return { type: 'delete', key: { workspace, kind, name } }
    const managedBy = old.get(objectOf(before))?.managedBy ?? ''
    return { type: 'put', resource: before, managedBy }
  })
  const why = messageOf(cause)
  const revision = await deps.store.commit(
    changes,
    { actor: 'headgate', origin: 'control', note: `undone, because a worker refused it: ${why}` },
    {
      runtime: traffic.runtimeChanges,
      values: new Map([[epochFloorName, String(traffic.epochFloor)]]),
      audit: [{ action: 'undo', object: '', detail: { refused: prepared.snapshot.revision, why } }],
    },
  )
  // During a start nothing has been served yet; the start itself then looks for what can be.
  if (served === undefined) return
  await publishAgain(session, served, traffic, revision?.number ?? present.revision)
}

/** For every upstream whose run-time state the change touched: the split that it had before. */
function oldSplits({ traffic, base }: Prepared): ReadonlyMap<string, RuntimeSplit | undefined> {
  return new Map(
    traffic.runtimeChanges.map(({ key }) => [key.name, base.states.get(key.name)?.split]),
  )
}

async function publishAgain(
  session: Session,
  served: Served,
  traffic: AssignmentPlan,
  revision: number,
): Promise<void> {
  const { deps } = session
  const snapshot: Snapshot = {
    ...served.snapshot,
    revision,
    upstreams: served.snapshot.upstreams.map((upstream) => ({
      ...upstream,
      split: {
        ...upstream.split,
        epoch: traffic.assignments.get(upstream.name)?.epoch ?? upstream.split.epoch,
      },
    })),
  }
  session.served = { ...served, revision, snapshot, assignments: traffic.assignments }
  try {
    await deps.publish(snapshot, served.externals.leases, served.externals.keys)
    await notePublished(session, revision)
  } catch (thrown) {
    // Each worker still serves one of the two; the supervisor replaces those that cannot go on.
    deps.log(`a worker refused the definition that it was to go back to: ${messageOf(thrown)}`)
  }
}
