/**
 * The schema of the database, as numbered steps that only go forward. A step that has been released
 * is never edited; the next change of the schema is the next step. `PRAGMA user_version` holds the
 * number of the last step taken, `application_id` marks the file as ours.
 */
import { HeadgateError } from '../base/errors.ts'
import type { Sql } from './sql.ts'

type Migration = { readonly number: number; readonly sql: string }

/** `HdGt` in ASCII: tells our files from other SQLite files. */
const applicationId = 0x48644774

const migrations: readonly Migration[] = [
  {
    number: 1,
    sql: `
      CREATE TABLE resources (
        workspace TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        body TEXT NOT NULL,
        revision INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        managed_by TEXT NOT NULL,
        PRIMARY KEY (workspace, kind, name)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE revisions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        origin TEXT NOT NULL,
        note TEXT
      ) STRICT;

      CREATE TABLE revision_changes (
        revision INTEGER NOT NULL,
        position INTEGER NOT NULL,
        workspace TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        before TEXT,
        after TEXT,
        PRIMARY KEY (revision, position)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE runtime_state (
        workspace TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (workspace, kind, name)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        revision INTEGER,
        workspace TEXT,
        kind TEXT,
        name TEXT,
        state TEXT
      ) STRICT;

      CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        object TEXT NOT NULL,
        detail TEXT NOT NULL,
        hash TEXT NOT NULL
      ) STRICT;

      CREATE TABLE named_values (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
]

export const schemaVersion = migrations.length

/**
 * Brings the database to the present schema. Refuses a file that another program made and one that
 * a newer Headgate has migrated, because both would be damaged by writing to them.
 */
export function migrate(sql: Sql, path: string): void {
  const version = sql.integer('PRAGMA user_version')
  const owner = sql.integer('PRAGMA application_id')
  const isEmpty = sql.integer('SELECT count(*) FROM sqlite_schema') === 0
  if (!isEmpty && owner !== applicationId) {
    throw new HeadgateError('run.data_dir_unusable', {
      message: `${path} is a database of another program; choose another folder with \`--data\``,
      detail: { path },
    })
  }
  if (version > schemaVersion) {
    throw new HeadgateError('store.newer_version', {
      message: `${path} has schema ${version}, this Headgate knows up to ${schemaVersion}; run the newer Headgate, or choose another folder with \`--data\``,
      detail: { path, found: version, known: schemaVersion },
    })
  }
  for (const step of migrations.filter(({ number }) => number > version)) {
    sql.transaction(`migrate to schema ${step.number}`, () => {
      sql.script(step.sql)
      // Pragmas take no parameters; both numbers are our own constants.
      sql.script(`PRAGMA user_version = ${step.number}; PRAGMA application_id = ${applicationId}`)
    })
  }
}
