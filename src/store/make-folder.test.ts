import { equal, rejects } from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeFolder } from './make-folder.ts'

test('a folder is made with those above it, for this user alone, and may exist already', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'headgate-folder-'))
  t.after(() => rm(root, { recursive: true }))
  const path = join(root, 'a', 'b', 'c')
  await makeFolder(path)
  await makeFolder(path)
  equal((await stat(path)).mode & 0o777, 0o700)
})

test('a file in the way is an error', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'headgate-folder-'))
  t.after(() => rm(root, { recursive: true }))
  await writeFile(join(root, 'a'), '')
  await rejects(makeFolder(join(root, 'a')), { code: 'EEXIST' })
  await rejects(makeFolder(join(root, 'a', 'b')), { code: 'ENOTDIR' })
})

test('a place that takes no folders is an error, not an endless loop', async () => {
  await rejects(makeFolder('/proc/headgate/data'))
})
