/** A thin, typed face of `node:sqlite`: prepared statements are kept, errors are ours. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { assert, HeadgateError, messageOf } from '../base/errors.ts'

/** One result row, not yet trusted; `text` and `integer` of `rows.ts` read its columns. */
export type Row = Readonly<Record<string, unknown>>

export type Sql = {
  /** Runs one statement without a result. */
  run(text: string, ...values: SQLInputValue[]): void
  /** Runs several statements, none with parameters. */
  script(text: string): void
  row(text: string, ...values: SQLInputValue[]): Row | undefined
  rows(text: string, ...values: SQLInputValue[]): Row[]
  /** The first column of the first row, which must be there and be a whole number. */
  integer(text: string, ...values: SQLInputValue[]): number
  /** All of `work` or nothing of it. Not nested. `what` says in errors what was being done. */
  transaction<Result>(what: string, work: () => Result): Result
  close(): void
}

/** Statements are written in this room and few, but the map gets a bound like every other. */
const statementCountMax = 256

/** Opens the file, waiting up to `busyTimeoutMs` for a lock that another process holds. */
export function openSql(path: string, options: { busyTimeoutMs: number }): Sql {
  const database = attempt('open the database', () => {
    return new DatabaseSync(path, { timeout: options.busyTimeoutMs })
  })
  const statements = new Map<string, StatementSync>()
  const prepared = (text: string): StatementSync => {
    const known = statements.get(text)
    if (known !== undefined) return known
    assert(statements.size < statementCountMax, 'SQL text is built per call')
    const statement = database.prepare(text)
    statements.set(text, statement)
    return statement
  }
  const row = (text: string, ...values: SQLInputValue[]) =>
    attempt('read', () => prepared(text).get(...values))
  return {
    run: (text, ...values) => attempt('write', () => void prepared(text).run(...values)),
    script: (text) => attempt('write', () => database.exec(text)),
    row,
    rows: (text, ...values) => attempt('read', () => prepared(text).all(...values)),
    integer(text, ...values) {
      const value = Object.values(row(text, ...values) ?? {})[0]
      assert(typeof value === 'number', `no whole number from: ${text}`)
      return value
    },
    transaction(what, work) {
      attempt(what, () => database.exec('BEGIN IMMEDIATE'))
      try {
        const result = work()
        attempt(what, () => database.exec('COMMIT'))
        return result
      } finally {
        // Still open here means that `work` or COMMIT threw: nothing of it may stay.
        if (database.isTransaction) attempt(what, () => database.exec('ROLLBACK'))
      }
    },
    close: () => {
      if (database.isOpen) attempt('close the database', () => database.close())
    },
  }
}

/** SQLite's primary result codes that have a meaning of their own here (sqlite.org/rescode.html). */
const sqliteBusy = 5
const sqliteNotADatabase = 26

function attempt<Result>(what: string, work: () => Result): Result {
  try {
    return work()
  } catch (thrown) {
    if (thrown instanceof HeadgateError) throw thrown
    const code = primaryResultCode(thrown)
    if (code === sqliteBusy) throw new HeadgateError('run.data_dir_locked', { cause: thrown })
    const hint = code === sqliteNotADatabase ? '; the file is damaged or not a database' : ''
    throw new HeadgateError('store.failed', {
      message: `Could not ${what}: ${messageOf(thrown)}${hint}`,
      cause: thrown,
    })
  }
}

/** `errcode` may be an extended code; its low byte is the primary one. */
function primaryResultCode(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('errcode' in thrown)) return undefined
  return typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined
}
