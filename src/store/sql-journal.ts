/** Run-time state, events and audit in SQL. Everything runs inside the transaction of its caller. */
import { assert } from '../base/errors.ts'
import { auditBaseName, type ChainLink, chainHash, parseBase } from './audit-chain.ts'
import { decodeCursor, numberPosition, pageOf, pageSize } from './cursor.ts'
import { integer, json, keyOf, text } from './rows.ts'
import type { Row, Sql } from './sql.ts'
import { readRevision } from './sql-resources.ts'
import type {
  AuditEntry,
  Page,
  Paged,
  Revision,
  RuntimeChange,
  RuntimeState,
  StoreEvent,
} from './store.ts'

export function readRuntime(sql: Sql): RuntimeState[] {
  return sql.rows('SELECT * FROM runtime_state ORDER BY workspace, kind, name').map((row) => ({
    key: keyOf(row),
    state: json(row, 'state'),
    updatedAt: text(row, 'updated_at'),
    sequence: integer(row, 'sequence'),
  }))
}

/** Writes or forgets the state of one object; undefined when that changes nothing. */
export function writeRuntime(
  sql: Sql,
  { key, state }: RuntimeChange,
  at: string,
): StoreEvent | undefined {
  const id = [key.workspace, key.kind, key.name]
  const body = state === undefined ? undefined : JSON.stringify(state)
  const stored = sql.row(
    'SELECT state FROM runtime_state WHERE workspace = ? AND kind = ? AND name = ?',
    ...id,
  )
  if ((stored === undefined ? undefined : text(stored, 'state')) === body) return undefined
  sql.run(
    'INSERT INTO events (workspace, kind, name, state) VALUES (?, ?, ?, ?)',
    ...id,
    body ?? null,
  )
  const sequence = lastSequence(sql)
  if (body === undefined) {
    sql.run('DELETE FROM runtime_state WHERE workspace = ? AND kind = ? AND name = ?', ...id)
  } else {
    sql.run(
      `INSERT INTO runtime_state (workspace, kind, name, state, updated_at, sequence)
        VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at,
          sequence = excluded.sequence`,
      ...id,
      body,
      at,
      sequence,
    )
  }
  return { type: 'runtime', sequence, key, state }
}

export function writeRevisionEvent(sql: Sql, revision: Revision): StoreEvent {
  sql.run('INSERT INTO events (revision) VALUES (?)', revision.number)
  return { type: 'revision', sequence: lastSequence(sql), revision }
}

/** AUTOINCREMENT never gives a number twice, not even when the newest event has been dropped. */
function lastSequence(sql: Sql): number {
  return sql.integer("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'")
}

/**
 * The events after a sequence number. Undefined when they are not all kept any more, when there are
 * more than `countMax`, or when the number is from another database and has not been reached here.
 */
export function eventsAfter(
  sql: Sql,
  after: number,
  countMax: number,
): readonly StoreEvent[] | undefined {
  const last = lastSequence(sql)
  if (!Number.isInteger(after) || after < 0 || after > last || last - after > countMax) {
    return undefined
  }
  const rows = sql.rows('SELECT * FROM events WHERE sequence > ? ORDER BY sequence', after)
  // Numbers have no gaps, so a shorter list means that its beginning has been dropped.
  return rows.length < last - after ? undefined : rows.map((row) => eventOf(sql, row))
}

function eventOf(sql: Sql, row: Row): StoreEvent {
  const sequence = integer(row, 'sequence')
  if (row.revision === null) {
    const state = row.state === null ? undefined : json(row, 'state')
    return { type: 'runtime', sequence, key: keyOf(row), state }
  }
  const revision = readRevision(sql, integer(row, 'revision'))
  assert(revision !== undefined, 'a revision was dropped before its event')
  return { type: 'revision', sequence, revision }
}

export function forgetEvents(sql: Sql, countMax: number): void {
  sql.run('DELETE FROM events WHERE sequence <= ?', lastSequence(sql) - countMax)
}

export function writeAudit(sql: Sql, entry: Omit<AuditEntry, 'sequence' | 'hash'>): AuditEntry {
  const before = lastLink(sql)
  // Through JSON once, so that what is hashed is exactly what a reader gets back.
  const detail = JSON.stringify(entry.detail)
  const numbered = { ...entry, detail: JSON.parse(detail), sequence: before.sequence + 1 }
  const hash = chainHash(before.hash, numbered)
  sql.run(
    `INSERT INTO audit (sequence, at, actor, action, object, detail, hash)
      VALUES (?, ?, ?, ?, ?, ?, ?)`,
    numbered.sequence,
    entry.at,
    entry.actor,
    entry.action,
    entry.object,
    detail,
    hash,
  )
  return { ...numbered, hash }
}

function lastLink(sql: Sql): ChainLink {
  const row = sql.row('SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1')
  if (row !== undefined) return { sequence: integer(row, 'sequence'), hash: text(row, 'hash') }
  const base = parseBase(readValue(sql, auditBaseName))
  assert(base !== undefined, 'the audit has no start')
  return base
}

export function listAudit(sql: Sql, page: Page): Paged<AuditEntry> {
  const [before] =
    page.after === undefined ? [Number.MAX_SAFE_INTEGER] : decodeCursor(page.after, numberPosition)
  const limit = pageSize(page)
  const rows = sql.rows(
    'SELECT * FROM audit WHERE sequence < ? ORDER BY sequence DESC LIMIT ?',
    before,
    limit + 1,
  )
  const entries = rows.map((row) => ({
    sequence: integer(row, 'sequence'),
    at: text(row, 'at'),
    actor: text(row, 'actor'),
    action: text(row, 'action'),
    object: text(row, 'object'),
    detail: json(row, 'detail'),
    hash: text(row, 'hash'),
  }))
  return pageOf(entries, limit, (entry) => [entry.sequence])
}

/** Drops the oldest entries beyond `countMax` and keeps the link that the rest hangs on. */
export function forgetAudit(sql: Sql, countMax: number): void {
  const lastGone = lastLink(sql).sequence - countMax
  const row = sql.row('SELECT hash FROM audit WHERE sequence = ?', lastGone)
  if (row === undefined) return
  writeValue(sql, auditBaseName, `${lastGone}:${text(row, 'hash')}`)
  sql.run('DELETE FROM audit WHERE sequence <= ?', lastGone)
}

export function readValue(sql: Sql, name: string): string | undefined {
  const row = sql.row('SELECT value FROM named_values WHERE name = ?', name)
  return row === undefined ? undefined : text(row, 'value')
}

export function writeValue(sql: Sql, name: string, value: string | undefined): void {
  if (value === undefined) {
    sql.run('DELETE FROM named_values WHERE name = ?', name)
    return
  }
  sql.run(
    `INSERT INTO named_values (name, value) VALUES (?, ?)
      ON CONFLICT DO UPDATE SET value = excluded.value`,
    name,
    value,
  )
}
