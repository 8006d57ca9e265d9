/** Resources and their revisions in SQL. Everything here runs inside the transaction of its caller. */
import { assert, HeadgateError } from '../base/errors.ts'
import type { Resource } from '../kinds/define-kind.ts'
import { decodeCursor, keyPosition, numberPosition, pageOf, pageSize } from './cursor.ts'
import {
  integer,
  keyOf,
  optionalText,
  resource,
  resourceText,
  storedResource,
  text,
} from './rows.ts'
import type { Row, Sql } from './sql.ts'
import type {
  Change,
  CommitInfo,
  Page,
  Paged,
  ResourceKey,
  Revision,
  RevisionChange,
  StoredResource,
} from './store.ts'

export function readResource(sql: Sql, key: ResourceKey): StoredResource | undefined {
  const row = sql.row(
    'SELECT * FROM resources WHERE workspace = ? AND kind = ? AND name = ?',
    key.workspace,
    key.kind,
    key.name,
  )
  return row === undefined ? undefined : storedResource(row)
}

export function listResources(
  sql: Sql,
  filter: { workspace: string; kind?: string },
  page: Page | undefined,
): Paged<StoredResource> {
  const [kind, name] = page?.after === undefined ? ['', ''] : decodeCursor(page.after, keyPosition)
  const limit = pageSize(page)
  const rows = sql.rows(
    `SELECT * FROM resources
      WHERE workspace = ? AND (? IS NULL OR kind = ?) AND (kind, name) > (?, ?)
      ORDER BY kind, name LIMIT ?`,
    filter.workspace,
    filter.kind ?? null,
    filter.kind ?? null,
    kind,
    name,
    limit + 1,
  )
  return pageOf(rows.map(storedResource), limit, (item) => [item.kind, item.name])
}

export function allResources(sql: Sql, workspace: string): StoredResource[] {
  return sql
    .rows('SELECT * FROM resources WHERE workspace = ? ORDER BY kind, name', workspace)
    .map(storedResource)
}

export function currentRevision(sql: Sql): number {
  return sql.integer('SELECT coalesce(max(number), 0) FROM revisions')
}

/** A change that is one: the expectation held and the stored text will be another. */
type RealChange = { readonly row: RevisionChange; readonly managedBy: string }

/**
 * Writes the changes as one revision; undefined when nothing differs from what is stored. Throws
 * before anything is written when an expectation does not hold.
 */
export function writeRevision(
  sql: Sql,
  changes: readonly Change[],
  info: CommitInfo,
  at: string,
): Revision | undefined {
  const keys = new Set(changes.map((change) => JSON.stringify(targetOf(change).key)))
  assert(keys.size === changes.length, 'a commit names an object twice')
  const real = changes.map((change) => realChange(sql, change)).filter((one) => one !== undefined)
  if (real.length === 0) return undefined
  sql.run(
    'INSERT INTO revisions (at, actor, origin, note) VALUES (?, ?, ?, ?)',
    at,
    info.actor,
    info.origin,
    info.note ?? null,
  )
  const number = currentRevision(sql)
  for (const [position, { row, managedBy }] of real.entries()) {
    insertChange(sql, number, position, row)
    applyChange(sql, number, at, row, managedBy)
  }
  const { actor, origin, note } = info
  return {
    number,
    at,
    actor,
    origin,
    ...(note !== undefined && { note }),
    changes: real.map(({ row }) => row),
  }
}

function realChange(sql: Sql, change: Change): RealChange | undefined {
  const { key, after } = targetOf(change)
  const stored = readResource(sql, key)
  checkExpectation(key, change.expectedRevision, stored?.revision)
  const before = stored === undefined ? undefined : withoutBookkeeping(stored)
  const isSame =
    before === undefined || after === undefined
      ? before === after
      : resourceText(before) === resourceText(after)
  if (isSame) return undefined
  return {
    row: { key, ...(before && { before }), ...(after && { after }) },
    managedBy: change.type === 'put' ? change.managedBy : '',
  }
}

function targetOf(change: Change): { key: ResourceKey; after: Resource | undefined } {
  if (change.type === 'delete') return { key: change.key, after: undefined }
  const { workspace, kind, name } = change.resource
  return { key: { workspace, kind, name }, after: change.resource }
}

function checkExpectation(
  key: ResourceKey,
  expected: number | 'absent' | undefined,
  actual: number | undefined,
): void {
  if (expected === undefined || expected === (actual ?? 'absent')) return
  const state = actual === undefined ? 'it does not exist' : `it is at revision ${actual}`
  const wanted =
    expected === 'absent' ? 'it was expected not to exist' : `revision ${expected} was expected`
  throw new HeadgateError('admin.precondition_failed', {
    message: `${key.kind}/${key.name}: ${wanted}, but ${state}`,
    detail: { object: `${key.kind}/${key.name}`, expected, actual: actual ?? 'absent' },
  })
}

function withoutBookkeeping(stored: StoredResource): Resource {
  const { revision, createdAt, updatedAt, managedBy, ...rest } = stored
  return rest
}

function insertChange(sql: Sql, revision: number, position: number, row: RevisionChange): void {
  sql.run(
    `INSERT INTO revision_changes (revision, position, workspace, kind, name, before, after)
      VALUES (?, ?, ?, ?, ?, ?, ?)`,
    revision,
    position,
    row.key.workspace,
    row.key.kind,
    row.key.name,
    row.before === undefined ? null : resourceText(row.before),
    row.after === undefined ? null : resourceText(row.after),
  )
}

function applyChange(
  sql: Sql,
  revision: number,
  at: string,
  { key, after }: RevisionChange,
  managedBy: string,
): void {
  if (after === undefined) {
    sql.run(
      'DELETE FROM resources WHERE workspace = ? AND kind = ? AND name = ?',
      key.workspace,
      key.kind,
      key.name,
    )
    return
  }
  sql.run(
    `INSERT INTO resources
      (workspace, kind, name, body, revision, created_at, updated_at, managed_by)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET body = excluded.body, revision = excluded.revision,
        updated_at = excluded.updated_at, managed_by = excluded.managed_by`,
    key.workspace,
    key.kind,
    key.name,
    resourceText(after),
    revision,
    at,
    at,
    managedBy,
  )
}

export function listRevisions(sql: Sql, page: Page): Paged<Revision> {
  const [before] =
    page.after === undefined ? [Number.MAX_SAFE_INTEGER] : decodeCursor(page.after, numberPosition)
  const limit = pageSize(page)
  const rows = sql.rows(
    'SELECT * FROM revisions WHERE number < ? ORDER BY number DESC LIMIT ?',
    before,
    limit + 1,
  )
  return pageOf(
    rows.map((row) => revisionOf(sql, row)),
    limit,
    (item) => [item.number],
  )
}

export function readRevision(sql: Sql, number: number): Revision | undefined {
  const row = sql.row('SELECT * FROM revisions WHERE number = ?', number)
  return row === undefined ? undefined : revisionOf(sql, row)
}

function revisionOf(sql: Sql, row: Row): Revision {
  const number = integer(row, 'number')
  const note = optionalText(row, 'note')
  return {
    number,
    at: text(row, 'at'),
    actor: text(row, 'actor'),
    origin: text(row, 'origin'),
    ...(note !== undefined && { note }),
    changes: sql
      .rows('SELECT * FROM revision_changes WHERE revision = ? ORDER BY position', number)
      .map(changeOf),
  }
}

function changeOf(row: Row): RevisionChange {
  return {
    key: keyOf(row),
    ...(row.before !== null && { before: resource(row, 'before') }),
    ...(row.after !== null && { after: resource(row, 'after') }),
  }
}

/** Walks back from the present: every later change is undone, the newest first. */
export function resourcesAt(sql: Sql, revision: number, workspace: string): Resource[] | undefined {
  const oldest = sql.integer('SELECT coalesce(min(number), 1) FROM revisions')
  const isKnown =
    Number.isInteger(revision) && revision >= oldest - 1 && revision <= currentRevision(sql)
  if (!isKnown) return undefined
  const found = new Map<string, Resource>()
  for (const stored of allResources(sql, workspace)) {
    found.set(`${stored.kind}/${stored.name}`, withoutBookkeeping(stored))
  }
  const later = sql.rows(
    `SELECT * FROM revision_changes WHERE revision > ? AND workspace = ?
      ORDER BY revision DESC, position DESC`,
    revision,
    workspace,
  )
  for (const { key, before } of later.map(changeOf)) {
    if (before === undefined) found.delete(`${key.kind}/${key.name}`)
    else found.set(`${key.kind}/${key.name}`, before)
  }
  return [...found.values()].sort(byKindAndName)
}

function byKindAndName(left: Resource, right: Resource): number {
  if (left.kind !== right.kind) return left.kind < right.kind ? -1 : 1
  return left.name < right.name ? -1 : 1
}

/** Drops the oldest revisions beyond `countMax`; `resourcesAt` reaches as far back as they do. */
export function forgetRevisions(sql: Sql, countMax: number): void {
  const lastGone = currentRevision(sql) - countMax
  if (lastGone <= 0) return
  sql.run('DELETE FROM revision_changes WHERE revision <= ?', lastGone)
  sql.run('DELETE FROM revisions WHERE number <= ?', lastGone)
}
