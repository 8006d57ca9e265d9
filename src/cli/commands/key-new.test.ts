import { equal, match, ok } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { parse } from 'yaml'
import { app } from '../../kinds/app.ts'
import { runCaptured } from '../testing/run-captured.ts'

test('a new key comes with a line that the kind App accepts and that holds only its hash', async () => {
  const { exitCode, stdout } = await runCaptured(['key', 'new', 'ci'])
  equal(exitCode, 0)
  const [key = '', line = ''] = stdout.trimEnd().split('\n')
  match(key, /^hg_\w{20,}$/)
  ok(!line.includes(key))
  const keys: unknown = parse(line)
  ok(app.spec.safeParse({ keys }).success)
  ok(line.includes(`sha256:${createHash('sha256').update(key).digest('hex')}`))
})

test('with --quiet only the data is left, and -o json is one object', async () => {
  const { stderr } = await runCaptured(['key', 'new', '--quiet'])
  equal(stderr, '')
  const { stdout } = await runCaptured(['key', 'new', '-o', 'json'])
  equal(JSON.parse(stdout).name, 'default')
})
