/**
 * Loading the definition at start and on reload. A definition that is refused changes nothing: the
 * last good one, which is what the store holds, keeps serving, also across a restart.
 */
import { HeadgateError } from '../base/errors.ts'
import { formatShare } from '../base/units.ts'
import { defaultWorkspace } from '../kinds/define-kind.ts'
import type { PolicySources } from '../proxy/policies/source-digest.ts'
import type { CommitInfo } from '../store/store.ts'
import { auditOf, fileOwner, keepOwner } from './controller-apply.ts'
import {
  commitAndPublish,
  type Prepared,
  prepareDefinition,
  publishedRevisionName,
} from './controller-change.ts'
import {
  policiesFolderOf,
  readSource,
  sourceName,
  type Written,
  writtenAs,
} from './controller-definition.ts'
import type { StartOutcome } from './controller-deps.ts'
import { furtherLinesOf, lineOf, problemsKeptMax, problemsOf } from './controller-problems.ts'
import { type Base, readBase, refusalChange, type Session } from './controller-session.ts'
import type { ResourceChange } from './plan.ts'
import { storedPolicySources } from './policy-sources.ts'
import { objectOf } from './references.ts'

/** Named value: what the definition in the store was last loaded from. */
const sourceValueName = 'control.source'

const startInfo: CommitInfo = { actor: 'headgate', origin: 'start' }

/** Brings the gateway to serve. Throws when there is nothing that it could serve. */
export async function startServing(session: Session): Promise<StartOutcome> {
  const base = await readBase(session.deps.store)
  const loadedFrom = await session.deps.store.getValue(sourceValueName)
  if (session.mode === 'store') return startFromStore(session, base, loadedFrom)
  checkMode(base)
  try {
    const { prepared, revision } = await loadFiles(session, base, startInfo, 'start')
    return outcomeOf(session, prepared, { revision, serving: 'Current', problems: [], notices: [] })
  } catch (thrown) {
    const isLastGoodOfThis = loadedFrom === sourceName(session.deps.source)
    if (!isRefusal(thrown) || base.revision === 0 || !isLastGoodOfThis) throw thrown
    return startFromLastGood(session, thrown)
  }
}

/** Loads the definition again and serves it. Call it one at a time. Throws what refuses it. */
export async function reloadDefinition(
  session: Session,
  info: CommitInfo,
): Promise<{ revision: number }> {
  const { log, store } = session.deps
  const base = await readBase(store)
  try {
    const { prepared, revision } =
      session.mode === 'file'
        ? await loadFiles(session, base, info, 'reload')
        : await serveStored(session, base, { info, action: 'reload' })
    log(`reloaded: revision ${revision} (${countsOf(prepared.difference.changes)})`)
    return { revision }
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown
    const serving = `refused, revision ${session.served?.revision ?? 0} keeps serving`
    log(`${serving}: ${thrown.message}${furtherLinesOf(problemsOf(thrown))}`)
    await recordRefusal(session, thrown, info)
    throw thrown
  }
}

type Loaded = { readonly prepared: Prepared; readonly revision: number }

async function loadFiles(
  session: Session,
  base: Base,
  info: CommitInfo,
  action: string,
): Promise<Loaded> {
  const { source, env } = session.deps
  const written = source.type === 'store' ? writtenAs([]) : readSource(source, env)
  session.namedPoliciesFolder = policiesFolderOf(written.documents, session.baseFolder)
  return serve(session, base, { written, info, action, ownerOf: () => fileOwner })
}

async function serveStored(
  session: Session,
  base: Base,
  { info, action, policySources }: StoredOptions,
): Promise<Loaded> {
  // Nothing differs, unless a newer Headgate writes the canonical form in another way.
  const written = { ...writtenAs(base.resources), policySources }
  const ownerOf = session.mode === 'file' ? () => fileOwner : undefined
  return serve(session, base, { written, info, action, ...(ownerOf && { ownerOf }) })
}

type StoredOptions = {
  readonly info: CommitInfo
  readonly action: string
  /** As they were when it was served last, instead of what the folder holds now. */
  readonly policySources?: PolicySources | undefined
}

type ServeOptions = {
  readonly written: Written
  readonly info: CommitInfo
  readonly action: string
  readonly ownerOf?: () => string
}

async function serve(
  session: Session,
  base: Base,
  { written, info, action, ownerOf }: ServeOptions,
): Promise<Loaded> {
  const prepared = await prepareDefinition(session, base, written)
  if (prepared.resources.length === 0 && base.resources.length > 0) throw emptied(base)
  const revision = await commitAndPublish(session, prepared, {
    info,
    audit: auditOf(prepared.difference.changes, action),
    ownerOf: ownerOf ?? ((stored) => keepOwner(stored, info)),
    values: new Map([[sourceValueName, sourceName(session.deps.source)]]),
  })
  return { prepared, revision }
}

/** A file that was cut to nothing while it was saved, or a mount that is not there yet. */
function emptied({ resources }: Base): HeadgateError {
  return new HeadgateError('config.emptied', {
    message: `The files hold nothing, so all that they defined before would be deleted (objects: ${resources.length})`,
  })
}

function isRefusal(thrown: unknown): thrown is HeadgateError {
  if (!(thrown instanceof HeadgateError)) return false
  return thrown.code.startsWith('config.') || thrown.code === 'admin.publish_refused'
}

/** What store mode has made must not vanish because somebody started with a file. */
function checkMode(base: Base): void {
  const others = base.resources.filter(({ managedBy }) => managedBy !== fileOwner)
  if (others.length === 0) return
  const shown = others.slice(0, 3).map(objectOf).join(', ')
  const more = others.length > 3 ? ` and ${others.length - 3} more` : ''
  throw new HeadgateError('run.mode_conflict', {
    message: `The data folder holds ${others.length} ${others.length === 1 ? 'definition' : 'definitions'} made in store mode (${shown}${more}), and files would replace them. Use another folder with \`--data\`; or start without a file, save them with \`headgate export\`, and use that file with a new folder.`,
    detail: { objects: others.slice(0, problemsKeptMax).map(objectOf) },
  })
}

async function startFromLastGood(session: Session, refused: HeadgateError): Promise<StartOutcome> {
  const { deps } = session
  const loaded = await serveLastGood(session, refused)
  // Starting anew with what was refused is not the same as serving it: the condition says so.
  await deps.store.setValue(sourceValueName, sourceName(deps.source))
  await recordRefusal(session, refused, startInfo)
  const problems = problemsOf(refused)
  const [first] = problems
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  const notice = `The definition is refused: ${first === undefined ? refused.message : lineOf(first)}${more}. The last good one, revision ${loaded.revision}, is served until it is corrected.${furtherLinesOf(problems)}`
  const { revision, prepared } = loaded
  return outcomeOf(session, prepared, {
    revision,
    serving: 'LastGood',
    problems,
    notices: [notice],
  })
}

/** What the store holds; when that cannot be served either, the last revision that all workers took. */
async function serveLastGood(session: Session, refused: HeadgateError): Promise<Loaded> {
  const { store } = session.deps
  const base = await readBase(store)
  const policySources = await storedPolicySources(store)
  try {
    return await serveStored(session, base, { info: startInfo, action: 'start', policySources })
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown
    const published = Number((await store.getValue(publishedRevisionName)) ?? 0)
    const resources = await store.at(published, defaultWorkspace)
    const isOlder = published > 0 && published < base.revision && resources !== undefined
    // The first reason is the one to mend.
    if (!isOlder) throw refused
    const note = `revision ${base.revision} cannot be served; back to revision ${published}`
    return serve(session, await readBase(store), {
      written: { ...writtenAs(resources), policySources },
      info: { ...startInfo, note },
      action: 'revert',
      ...(session.mode === 'file' && { ownerOf: () => fileOwner }),
    })
  }
}

async function startFromStore(
  session: Session,
  base: Base,
  loadedFrom: string | undefined,
): Promise<StartOutcome> {
  const notices = adoptionNotices(base, loadedFrom)
  try {
    const { prepared, revision } = await serveStored(session, base, {
      info: startInfo,
      action: 'start',
    })
    return outcomeOf(session, prepared, { revision, serving: 'Current', problems: [], notices })
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown
    const { prepared, revision } = await serveLastGood(session, thrown)
    const problems = problemsOf(thrown)
    const notice = `Revision ${base.revision} cannot be served (${thrown.message}); went back to an older one as revision ${revision}.`
    notices.push(notice)
    return outcomeOf(session, prepared, { revision, serving: 'LastGood', problems, notices })
  }
}

function adoptionNotices(base: Base, loadedFrom: string | undefined): string[] {
  const adopted = base.resources.filter(({ managedBy }) => managedBy === fileOwner)
  if (adopted.length === 0 || loadedFrom === undefined || loadedFrom === 'store') return []
  return [
    `${adopted.length} definitions that were loaded from ${loadedFrom} are adopted: from now on the store decides, and changes go through the admin API. \`headgate export\` writes them to a file.`,
  ]
}

function outcomeOf(
  session: Session,
  prepared: Prepared,
  result: Pick<StartOutcome, 'revision' | 'serving' | 'problems' | 'notices'>,
): StartOutcome {
  const held = [...prepared.traffic.assignments].filter(([, { source }]) => source === 'RunTime')
  return {
    mode: session.mode,
    ...result,
    warnings: prepared.warnings,
    notices: [
      ...result.notices,
      ...prepared.traffic.dropped.map(
        ({ upstream, weights, why }) =>
          `The run-time split of \`${upstream}\` (${sharesOf(weights)}) was dropped, because ${why}.`,
      ),
      ...held.map(
        ([upstream, { weights }]) =>
          `A run-time split of \`${upstream}\` is in force: ${sharesOf(weights)}.`,
      ),
    ],
  }
}

function sharesOf(weights: Readonly<Record<string, number>>): string {
  return Object.entries(weights)
    .map(([version, weight]) => `${version} ${formatShare(weight).replace('%', ' %')}`)
    .join(', ')
}

function countsOf(changes: readonly ResourceChange[]): string {
  const count = (action: ResourceChange['action']) =>
    changes.filter((change) => change.action === action).length
  return changes.length === 0
    ? 'nothing changed'
    : `${count('create')} created, ${count('change')} changed, ${count('delete')} deleted`
}

/**
 * Notes why the definition is refused: in the audit, as a condition of the gateway, and as an event.
 * The same refusal again, as from an editor that saves twice, is not noted again.
 */
async function recordRefusal(
  session: Session,
  refused: HeadgateError,
  info: CommitInfo,
): Promise<void> {
  const { code, message } = refused
  if (session.refusal?.code === code && session.refusal.message === message) return
  const refusal = { at: new Date(session.deps.clock.wallMs()).toISOString(), code, message }
  const lines = problemsOf(refused).map(lineOf)
  const { key, state } = refusalChange(refusal)
  await session.deps.store.setRuntime(key, state, info, {
    action: 'reload-refused',
    object: '',
    detail: { code, problemCount: lines.length, problems: lines.slice(0, problemsKeptMax) },
  })
  session.refusal = refusal
}
