import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { simulatedClock } from '../base/clock.ts'
import { HeadgateError } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { defaultWorkspace } from '../kinds/define-kind.ts'
import { verifyAudit } from './audit-chain.ts'
import { schemaVersion } from './migrations.ts'
import { openSqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'

const info = { actor: 'ann', origin: 'test' }
const childPath = join(import.meta.dirname, '__fixtures__', 'commit-forever.ts')

async function inFolder(run: (folder: string, path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-sqlite-'))
  try {
    await run(folder, join(folder, 'data', 'headgate.db'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

const open = (path: string): Promise<Store> =>
  openSqliteStore(path, { clock: simulatedClock(), random: seededRandom(1) })

const hasCode = (code: string, text: RegExp) => (thrown: unknown) => {
  ok(thrown instanceof HeadgateError)
  equal(thrown.code, code)
  match(thrown.message, text)
  return true
}

test('what was committed is there after the file is opened again', () =>
  inFolder(async (_, path) => {
    const store = await open(path)
    const key = { workspace: defaultWorkspace, kind: 'App', name: 'mobile' }
    await store.commit(
      [{ type: 'put', resource: { ...key, labels: { a: 'b' }, spec: {} }, managedBy: 'cli' }],
      info,
    )
    await store.setRuntime(key, { epoch: 3 }, info)
    await store.setValue('mode', 'file')
    await store.close()
    const again = await open(path)
    deepEqual((await again.get(key))?.labels, { a: 'b' })
    deepEqual((await again.runtime())[0]?.state, { epoch: 3 })
    equal(await again.getValue('mode'), 'file')
    deepEqual(await verifyAudit(again), { ok: true, entryCount: 2 })
    const heard: number[] = []
    equal(again.watch((event) => heard.push(event.sequence), { after: 0 }).isComplete, true)
    await new Promise((resolve) => setImmediate(resolve))
    deepEqual(heard, [1, 2])
    await again.close()
  }))

test('only the owner may read folder and files', () =>
  inFolder(async (folder, path) => {
    const store = await open(path)
    await store.setValue('a', 'b')
    equal((await stat(join(folder, 'data'))).mode & 0o777, 0o700)
    for (const file of await readdir(join(folder, 'data'))) {
      equal((await stat(join(folder, 'data', file))).mode & 0o777, 0o600, file)
    }
    await store.close()
    await chmod(path, 0o644)
    await (await open(path)).close()
    equal((await stat(path)).mode & 0o777, 0o600)
  }))

test('a second opener is refused while the first has the file, and let in afterwards', () =>
  inFolder(async (_, path) => {
    const child = spawn(process.execPath, [childPath, path])
    try {
      await firstOutput(child)
      await rejects(open(path), hasCode('run.data_dir_locked', /in use by another Headgate/))
    } finally {
      // It commits for ever, so a test that failed would otherwise never end.
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await (await open(path)).close()
  }))

test('a database of a newer version is refused and left alone', () =>
  inFolder(async (_, path) => {
    await (await open(path)).close()
    const database = new DatabaseSync(path)
    database.exec(`PRAGMA user_version = ${schemaVersion + 1}`)
    database.close()
    await rejects(open(path), hasCode('store.newer_version', /run the newer Headgate/))
  }))

test('files that are not ours are refused with the reason', () =>
  inFolder(async (folder) => {
    const foreign = join(folder, 'foreign.db')
    const database = new DatabaseSync(foreign)
    database.exec('CREATE TABLE recipes (title TEXT)')
    database.close()
    await rejects(open(foreign), hasCode('run.data_dir_unusable', /of another program/))
    const garbage = join(folder, 'garbage.db')
    await writeFile(garbage, 'not a database '.repeat(1_000))
    await rejects(open(garbage), hasCode('store.failed', /damaged or not a database/))
    await writeFile(join(folder, 'file'), '')
    await rejects(
      open(join(folder, 'file', 'headgate.db')),
      hasCode('run.data_dir_unusable', /--data/),
    )
  }))

test('an audit entry that was altered, removed or moved in breaks the chain', () =>
  inFolder(async (_, path) => {
    const tamperings = [
      "UPDATE audit SET actor = 'eve' WHERE sequence = 3",
      'UPDATE audit SET detail = \'{"n":7}\' WHERE sequence = 2',
      'DELETE FROM audit WHERE sequence = 3',
      'DELETE FROM audit WHERE sequence = 1',
      "UPDATE named_values SET value = '0:' || printf('%064d', 1) WHERE name = 'audit.base'",
    ]
    for (const tampering of tamperings) {
      await rm(path, { force: true })
      const store = await open(path)
      for (let n = 0; n < 5; n++) {
        await store.appendAudit({ actor: 'ann', action: 'put', object: '', detail: { n } })
      }
      equal((await verifyAudit(store)).ok, true)
      await store.close()
      const database = new DatabaseSync(path)
      database.exec(tampering)
      database.close()
      const again = await open(path)
      const verdict = await verifyAudit(again)
      equal(verdict.ok, false, tampering)
      const isGap = tampering.includes('sequence = 3') && tampering.startsWith('DELETE')
      if (isGap) match(verdict.ok ? '' : verdict.reason, /between 2 and 4 are missing/)
      await again.close()
    }
  }))

test('killed at any moment, the store has whole commits only and loses none it confirmed', () =>
  inFolder(async (_, path) => {
    const random = seededRandom(7)
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [childPath, path])
      const confirmed = readConfirmed(child)
      await firstOutput(child)
      // The child never stops, so a kill after a varying number of commits hits varying moments.
      const enough = confirmed() + Math.floor(random.fraction() * 40)
      const ended = once(child, 'exit')
      while (confirmed() < enough) {
        await Promise.race([once(child.stdout ?? child, 'data'), ended])
        equal(child.exitCode, null, 'the child failed by itself')
      }
      child.kill('SIGKILL')
      await ended
      await checkWhole(path, confirmed())
    }
  }))

/** Each commit of the child writes the same number into two resources, a value, a state and the audit. */
async function checkWhole(path: string, confirmed: number): Promise<void> {
  const store = await open(path)
  const { revision, resources } = await store.all(defaultWorkspace)
  ok(revision >= confirmed, `revision ${revision} is there, ${confirmed} was confirmed`)
  const numbers = resources.map(({ spec }) => JSON.stringify(spec))
  deepEqual(numbers, [`{"number":${revision}}`, `{"number":${revision}}`])
  equal(await store.getValue('number'), String(revision))
  deepEqual((await store.runtime())[0]?.state, { number: revision })
  deepEqual(await verifyAudit(store), { ok: true, entryCount: revision })
  equal((await store.at(revision, defaultWorkspace))?.length, 2)
  await store.close()
}

function firstOutput(child: ChildProcess): Promise<unknown> {
  const { stdout, stderr } = child
  ok(stdout !== null && stderr !== null)
  const failed = once(stderr, 'data').then(([chunk]) => {
    throw new Error(`the child failed: ${chunk}`)
  })
  return Promise.race([once(stdout, 'data'), failed])
}

/** The highest number that the child has printed whole. */
function readConfirmed(child: ChildProcess): () => number {
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  return () => Math.max(0, ...output.split('\n').slice(0, -1).map(Number))
}
