/**
 * The store in one SQLite file. Write-ahead log with `synchronous = FULL`: a commit that returned
 * is on the disk. The file is locked for as long as it is open, so that two gateways can never
 * serve from, and write to, the same data folder; the system drops the lock when the process dies.
 */
import { chmod, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HeadgateError, messageOf } from '../base/errors.ts'
import { makeFolder } from './make-folder.ts'
import { migrate } from './migrations.ts'
import { openSql, type Sql } from './sql.ts'
import { createSqlStore, type StoreOptions } from './sql-store.ts'
import type { Store } from './store.ts'

const inMemory = ':memory:'

/** Time that a predecessor gets to let go of the file, as in a restart. The wait blocks the thread. */
const lockWaitMs = 500

/**
 * Opens or creates the database at `path`, with its folder. Throws `run.data_dir_unusable`,
 * `run.data_dir_locked` or `store.newer_version`.
 */
export async function openSqliteStore(path: string, options: StoreOptions): Promise<Store> {
  if (path !== inMemory) await preparePrivateFile(path)
  const sql = openSql(path, { busyTimeoutMs: lockWaitMs })
  try {
    if (path !== inMemory) lockForGood(sql, path)
    migrate(sql, path)
    return createSqlStore(sql, options)
  } catch (thrown) {
    sql.close()
    throw thrown
  }
}

/** SQLite gives the log beside the file the same mode as the file, so this covers both. */
async function preparePrivateFile(path: string): Promise<void> {
  try {
    await makeFolder(dirname(path))
    const file = await open(path, 'a', 0o600)
    await file.close()
    // A file that is there already keeps its mode through `open`.
    await chmod(path, 0o600)
  } catch (thrown) {
    throw new HeadgateError('run.data_dir_unusable', {
      message: `${path} cannot be opened for writing: ${messageOf(thrown)}; check the permissions, or choose another folder with \`--data\``,
      cause: thrown,
      detail: { path },
    })
  }
}

/** The mode must be set before the log is first used; the first write then takes the lock and keeps it. */
function lockForGood(sql: Sql, path: string): void {
  try {
    sql.script('PRAGMA locking_mode = EXCLUSIVE')
    sql.script('PRAGMA journal_mode = WAL')
    sql.script('PRAGMA synchronous = FULL')
    sql.script('BEGIN EXCLUSIVE; COMMIT')
  } catch (thrown) {
    if (!(thrown instanceof HeadgateError) || thrown.code !== 'run.data_dir_locked') throw thrown
    throw new HeadgateError('run.data_dir_locked', {
      message: `${dirname(path)} is in use by another Headgate; stop it, or give this one its own folder with \`--data\``,
      cause: thrown,
      detail: { path },
    })
  }
}
