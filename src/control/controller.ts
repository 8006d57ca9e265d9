/**
 * The control plane: the one place that writes to the store and publishes snapshots. Reading is
 * free; changes run one at a time through the queue, each in the order that `controller-change.ts`
 * describes.
 */
import { HeadgateError, messageOf } from '../base/errors.ts'
import { defaultWorkspace, type Resource } from '../kinds/define-kind.ts'
import { gateway } from '../kinds/gateway.ts'
import type { CommitInfo, StoredResource } from '../store/store.ts'
import type {
  ApplyResult,
  ControlApi,
  PlannedChange,
  ResourceView,
  RouteTestRequest,
} from './control-api.ts'
import { runAction } from './controller-actions.ts'
import {
  applyRequest,
  auditOf,
  fileOwned,
  keepOwner,
  planOf,
  planRequest,
} from './controller-apply.ts'
import { commitAndPublish, prepareDefinition } from './controller-change.ts'
import { baseFolderOf, policiesFolderOf, tlsPathsOf, writtenAs } from './controller-definition.ts'
import type { ControllerDeps, StartOutcome } from './controller-deps.ts'
import { reloadDefinition, startServing } from './controller-load.ts'
import { type ChangeQueue, createChangeQueue } from './controller-queue.ts'
import { openSession, readBase, type Session } from './controller-session.ts'
import { createStatusBook, gatewayAtDefaults, type StatusBook } from './controller-status.ts'
import { explainRoute } from './explain-route.ts'
import { toYaml } from './files/to-yaml.ts'
import { watchConfig, watchFiles, watchPolicies } from './files/watch.ts'
import { compareResources, describeChange } from './plan.ts'
import { indexReferences, objectOf } from './references.ts'
import { assignmentsNow, upstreamStates, upstreamsOf } from './runtime-state.ts'

export type Controller = ControlApi & {
  /** Loads the definition, publishes it, and in file mode begins to watch the files. */
  start(): Promise<StartOutcome>
  /** Ends the watch, lets a running change end, takes no other. The store stays open. */
  close(): Promise<void>
}

type Parts = {
  readonly session: Session
  readonly queue: ChangeQueue
  readonly book: StatusBook
  readonly startedAt: string
  policyWatch: { readonly folder: string; close(): void } | undefined
  tlsWatch: { readonly paths: string; close(): void } | undefined
}

export async function createController(deps: ControllerDeps): Promise<Controller> {
  const session = openSession(deps, await baseFolderOf(deps.source))
  const parts: Parts = {
    session,
    queue: createChangeQueue(),
    book: createStatusBook(deps.clock),
    startedAt: new Date(deps.clock.wallMs()).toISOString(),
    policyWatch: undefined,
    tlsWatch: undefined,
  }
  return { ...reading(parts), ...changing(parts), ...life(parts) }
}

type Reading = Omit<ControlApi, keyof ReturnType<typeof changing> | keyof ReturnType<typeof life>>

function reading({ session, book, startedAt }: Parts): Reading {
  const { deps } = session
  const { store } = deps
  const viewer = async () => {
    const states = upstreamStates(await store.runtime())
    return (resource: StoredResource): ResourceView => ({
      ...resource,
      status: book.statusOf(resource, { session, states }),
    })
  }
  return {
    mode: session.mode,
    async get(key) {
      const virtual = objectOf(key) === defaultGateway ? gatewayAtDefaults(startedAt) : undefined
      const stored = (await store.get(key)) ?? virtual
      return stored === undefined ? undefined : (await viewer())(stored)
    },
    async list(kind, page) {
      const { items, next } = await store.list({ workspace: defaultWorkspace, kind }, page)
      const isAtDefaults = kind === gateway.kind && items.length === 0 && page.after === undefined
      const view = await viewer()
      return {
        items: (isAtDefaults ? [gatewayAtDefaults(startedAt)] : items).map(view),
        ...(next !== undefined && { next }),
      }
    },
    plan: (request) => planRequest(session, request),
    revisions: (page) => store.revisions(page),
    revision: (number) => store.revision(number),
    diff: (from, to) => diffRevisions(session, from, to),
    audit: (page) => store.audit(page),
    exportYaml: async () => toYaml((await store.all(defaultWorkspace)).resources),
    async testRoute(request: RouteTestRequest) {
      if (session.served === undefined) throw new HeadgateError('gateway.draining')
      return explainRoute(session.served.snapshot, request)
    },
    workers: () => deps.workers(),
    watch: (onEvent, options) => store.watch(onEvent, options),
  }
}

const defaultGateway = objectOf({ kind: gateway.kind, name: 'default' })

function changing(parts: Parts) {
  const { session, queue } = parts
  /** One change at a time; conditions are looked at after each, whether it went well or not. */
  const change = <Result>(work: () => Promise<Result>): Promise<Result> =>
    queue.run(async () => {
      if (session.served === undefined) {
        throw new HeadgateError('gateway.draining', { message: 'the gateway has not started yet' })
      }
      try {
        return await work()
      } finally {
        followPolicies(parts)
        followCertificates(parts)
        await refreshStatus(parts)
      }
    })
  return {
    apply: (request, info) => change(() => applyRequest(session, request, info)),
    act: (key, verb, input, info) => change(() => runAction(session, { key, verb, input, info })),
    reload: (info) => change(() => reloadDefinition(session, info)),
    revert: (to, info) => change(() => revertTo(session, to, info)),
  } satisfies Partial<ControlApi>
}

function life(parts: Parts) {
  const { session, queue } = parts
  const { source, clock, workers } = session.deps
  let watch: { close(): void } | undefined
  let isClosed = false
  return {
    async start(): Promise<StartOutcome> {
      // Watched from before the first reading, so that no edit falls between the two. A change that
      // comes during the start waits in the queue behind it.
      if (source.type === 'files') {
        watch = watchConfig(source.path, () => void reloadFiles(parts), clock)
      }
      try {
        const outcome = await queue.run(() => startServing(session))
        followPolicies(parts)
        followCertificates(parts)
        await refreshStatus(parts)
        return outcome
      } catch (thrown) {
        watch?.close()
        throw thrown
      }
    },
    notReadyReason(): string | undefined {
      if (isClosed) return 'the gateway is shutting down'
      if (session.served === undefined) return 'no definition is served yet'
      return workers().some(({ state }) => state === 'serving') ? undefined : 'no worker is serving'
    },
    async close(): Promise<void> {
      isClosed = true
      watch?.close()
      await queue.close()
      parts.policyWatch?.close()
      parts.tlsWatch?.close()
    },
  }
}

/** Watches the folder of policies that is in use, or that the files would use if they were good. */
function followPolicies(parts: Parts): void {
  const { session, policyWatch } = parts
  const { clock } = session.deps
  const folder =
    session.namedPoliciesFolder ??
    policiesFolderOf(session.served?.resources ?? [], session.baseFolder)
  if (folder === policyWatch?.folder) return
  policyWatch?.close()
  parts.policyWatch = undefined
  if (folder === undefined) return
  const watch = watchPolicies(folder, () => void reloadFiles(parts), clock)
  parts.policyWatch = { folder, close: () => watch.close() }
}

/** Watches the files of certificates, keys and authorities that are in use. */
function followCertificates(parts: Parts): void {
  const { session, tlsWatch } = parts
  const list = tlsPathsOf(session.served?.resources ?? [], session.baseFolder)
  const paths = list.join('\n')
  if (paths === (tlsWatch?.paths ?? '')) return
  tlsWatch?.close()
  parts.tlsWatch = undefined
  if (list.length === 0) return
  const watch = watchFiles(list, () => void reloadFiles(parts), session.deps.clock)
  parts.tlsWatch = { paths, close: () => watch.close() }
}

async function reloadFiles(parts: Parts): Promise<void> {
  const { session } = parts
  try {
    await changing(parts).reload({ actor: 'file', origin: 'watch' })
  } catch (thrown) {
    // A refusal has been logged and noted where it was found; anything else has not.
    const isTold = thrown instanceof HeadgateError && session.refusal?.message === thrown.message
    if (!isTold) session.deps.log(`the files could not be reloaded: ${messageOf(thrown)}`)
  }
}

async function refreshStatus({ session, book, startedAt }: Parts): Promise<void> {
  const { store, log } = session.deps
  try {
    const { resources } = await store.all(defaultWorkspace)
    const hasGateway = resources.some((resource) => objectOf(resource) === defaultGateway)
    const all = hasGateway ? resources : [...resources, gatewayAtDefaults(startedAt)]
    book.refresh(all, { session, states: upstreamStates(await store.runtime()) })
  } catch (thrown) {
    // The change was made, or failed for a reason of its own; neither must be told otherwise.
    log(`conditions could not be brought up to date: ${messageOf(thrown)}`)
  }
}

async function resourcesAt(session: Session, revision: number): Promise<readonly Resource[]> {
  const resources = await session.deps.store.at(revision, defaultWorkspace)
  if (resources !== undefined) return resources
  const current = await session.deps.store.currentRevision()
  throw new HeadgateError('admin.not_found', {
    message: `There is no revision ${revision} any more, or not yet; the newest is ${current}.`,
  })
}

async function diffRevisions(session: Session, from: number, to: number): Promise<PlannedChange[]> {
  const [before, after] = await Promise.all([resourcesAt(session, from), resourcesAt(session, to)])
  const dealt = (resources: readonly Resource[]) =>
    assignmentsNow({ before: upstreamsOf(resources), states: new Map() })
  const context = {
    references: indexReferences(after),
    previous: dealt(before),
    assignments: dealt(after),
    dropped: [],
  }
  return compareResources(before, after).changes.map((one) => describeChange(one, context))
}

/** The definition becomes what it was, as a new revision; run-time splits follow the usual rule. */
async function revertTo(session: Session, to: number, info: CommitInfo): Promise<ApplyResult> {
  const resources = await resourcesAt(session, to)
  const base = await readBase(session.deps.store)
  const prepared = await prepareDefinition(session, base, writtenAs(resources))
  const plan = planOf(prepared, { puts: resources })
  const { changes } = prepared.difference
  if (changes.length === 0) return { plan, revision: base.revision }
  if (session.mode === 'file') throw fileOwned(changes)
  const note = auditOf(changes, 'revert')
  const revision = await commitAndPublish(session, prepared, {
    info,
    audit: { ...note, detail: { ...note.detail, to } },
    ownerOf: (stored) => keepOwner(stored, info),
  })
  return { plan, revision }
}
