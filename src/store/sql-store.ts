/** The `Store` on an open SQLite database, in a file or in memory: one implementation for both. */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { auditBaseName } from './audit-chain.ts'
import type { Sql } from './sql.ts'
import {
  eventsAfter,
  forgetAudit,
  forgetEvents,
  listAudit,
  readRuntime,
  readValue,
  writeAudit,
  writeRevisionEvent,
  writeRuntime,
  writeValue,
} from './sql-journal.ts'
import {
  allResources,
  currentRevision,
  forgetRevisions,
  listResources,
  listRevisions,
  readResource,
  readRevision,
  resourcesAt,
  writeRevision,
} from './sql-resources.ts'
import type {
  AuditNote,
  Change,
  CommitExtras,
  CommitInfo,
  Revision,
  Store,
  StoreEvent,
} from './store.ts'
import { createWatchers } from './watchers.ts'

export type StoreOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly limits?: Partial<StoreLimits>
}

/** What is kept at most; older entries are dropped in the transaction that adds the new one. */
export type StoreLimits = {
  readonly revisionsMax: number
  /** Not more than `revisionsMax`: an event refers to its revision. */
  readonly eventsMax: number
  /** Events that a returning watcher gets; one that missed more reads everything afresh. */
  readonly replayMax: number
  readonly auditMax: number
}

const limitsByDefault: StoreLimits = {
  revisionsMax: 10_000,
  eventsMax: 10_000,
  replayMax: 1_000,
  auditMax: 200_000,
}

/** Takes over `sql`, already migrated, and closes it with the store. */
export function createSqlStore(sql: Sql, options: StoreOptions): Store {
  const limits = { ...limitsByDefault, ...options.limits }
  const watchers = createWatchers()
  const now = () => new Date(options.clock.wallMs()).toISOString()
  beginAudit(sql, options.random)

  const commitSync = (changes: readonly Change[], info: CommitInfo, extras: CommitExtras = {}) => {
    const { revision, events } = sql.transaction('commit a change', () =>
      writeAll(sql, { changes, info, extras, at: now(), limits }),
    )
    watchers.tell(events)
    return revision
  }

  // The database calls are synchronous; `async` turns what they throw into a rejected promise.
  return {
    get: async (key) => readResource(sql, key),
    list: async (filter, page) => listResources(sql, filter, page),
    all: async (workspace) => ({
      revision: currentRevision(sql),
      resources: allResources(sql, workspace),
    }),
    commit: async (changes, info, extras) => commitSync(changes, info, extras),
    currentRevision: async () => currentRevision(sql),
    revisions: async (page) => listRevisions(sql, page),
    revision: async (number) => readRevision(sql, number),
    at: async (revision, workspace) => resourcesAt(sql, revision, workspace),
    runtime: async () => readRuntime(sql),
    setRuntime: async (key, state, info, audit) => {
      const note = audit ?? {
        action: 'setRuntime',
        object: `${key.kind}/${key.name}`,
        detail: { state },
      }
      commitSync([], info, { runtime: [{ key, state }], audit: [note] })
    },
    appendAudit: async (entry) =>
      sql.transaction('append to the audit', () => {
        const written = writeAudit(sql, { ...entry, at: now() })
        forgetAudit(sql, limits.auditMax)
        return written
      }),
    audit: async (page) => listAudit(sql, page),
    getValue: async (name) => readValue(sql, name),
    setValue: async (name, value) =>
      sql.transaction('set a value', () => writeValue(sql, name, value)),
    watch(onEvent, { after } = {}) {
      const missed = after === undefined ? [] : eventsAfter(sql, after, limits.replayMax)
      return watchers.add(onEvent, missed)
    },
    close: async () => {
      watchers.close()
      sql.close()
    },
  }
}

/** The chain begins at a random link, so that entries of one database do not fit into another. */
function beginAudit(sql: Sql, random: Random): void {
  if (readValue(sql, auditBaseName) !== undefined) return
  const link = Buffer.from(random.secretBytes(32)).toString('hex')
  sql.transaction('begin the audit', () => writeValue(sql, auditBaseName, `0:${link}`))
}

type Commit = {
  readonly changes: readonly Change[]
  readonly info: CommitInfo
  readonly extras: CommitExtras
  readonly at: string
  readonly limits: StoreLimits
}

function writeAll(
  sql: Sql,
  { changes, info, extras, at, limits }: Commit,
): { revision: Revision | undefined; events: StoreEvent[] } {
  const revision = writeRevision(sql, changes, info, at)
  const events = revision === undefined ? [] : [writeRevisionEvent(sql, revision)]
  for (const change of extras.runtime ?? []) {
    const event = writeRuntime(sql, change, at)
    if (event !== undefined) events.push(event)
  }
  for (const [name, value] of extras.values ?? []) writeValue(sql, name, value)
  for (const note of extras.audit ?? ordinaryNotes(revision, events)) {
    writeAudit(sql, { at, actor: info.actor, ...note, detail: fullDetail(note, info, revision) })
  }
  forgetEvents(sql, limits.eventsMax)
  forgetRevisions(sql, limits.revisionsMax)
  forgetAudit(sql, limits.auditMax)
  return { revision, events }
}

function ordinaryNotes(revision: Revision | undefined, events: readonly StoreEvent[]): AuditNote[] {
  if (events.length === 0) return []
  const objects = (revision?.changes ?? []).map(({ key }) => `${key.kind}/${key.name}`)
  return [
    {
      action: 'commit',
      object: objects.length === 1 ? (objects[0] ?? '') : '',
      detail: { objects },
    },
  ]
}

function fullDetail(note: AuditNote, info: CommitInfo, revision: Revision | undefined) {
  return {
    ...note.detail,
    origin: info.origin,
    ...(info.note !== undefined && { note: info.note }),
    ...(revision !== undefined && { revision: revision.number }),
  }
}
