import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type FileLimits, type FileResult, runFiles } from './run-files.ts'

const limits: FileLimits = { testMs: 20_000, silenceMs: 20_000 }

async function runSource(
  t: TestContext,
  source: string,
  options: { limits?: FileLimits; signal?: AbortSignal } = {},
): Promise<FileResult> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-run-files-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'subject.test.ts')
  await writeFile(
    file,
    `import { describe, test } from 'node:test'\nimport { equal } from 'node:assert/strict'\n${source}`,
  )
  const results = await runFiles([file], {
    concurrency: 1,
    limits: options.limits ?? limits,
    signal: options.signal ?? AbortSignal.any([]),
    onResult: () => {},
  })
  const [result] = results
  ok(result)
  return result
}

test('each test is counted once, with the names of the suites around it', async (t) => {
  const result = await runSource(
    t,
    `test('good', () => equal(1, 1))
     describe('suite', () => { test('bad', () => equal(1, 2)) })
     test('parent', async (t) => { await t.test('child', () => equal(1, 3)) })`,
  )
  deepEqual(
    result.tests.map(({ name, outcome }) => [name, outcome]),
    [
      ['good', 'passed'],
      ['suite › bad', 'failed'],
      ['parent › child', 'failed'],
    ],
  )
  match(result.tests[1]?.error ?? '', /1 !== 2/)
  equal(result.problem, undefined)
})

test('a test that takes too long fails alone', async (t) => {
  const result = await runSource(
    t,
    `test('slow', () => new Promise((resolve) => setTimeout(resolve, 10_000).unref()))
     test('good', () => equal(1, 1))`,
    { limits: { testMs: 200, silenceMs: 20_000 } },
  )
  deepEqual(
    result.tests.map(({ outcome }) => outcome),
    ['failed', 'passed'],
  )
  match(result.tests[0]?.error ?? '', /timed out/)
})

test('a file that blocks its event loop is ended and fails', async (t) => {
  const result = await runSource(t, `test('loop', () => { for (;;) {} })`, {
    limits: { testMs: 100, silenceMs: 1_000 },
  })
  match(result.problem ?? '', /blocks the event loop/)
})

test('a file that leaves a timer running is ended and fails, and keeps what its tests said', async (t) => {
  const result = await runSource(t, `test('leaks', () => { setInterval(() => {}, 1_000) })`, {
    limits: { testMs: 5_000, silenceMs: 1_500 },
  })
  match(result.problem ?? '', /left open/)
  deepEqual(
    result.tests.map(({ outcome }) => outcome),
    ['passed'],
  )
})

test('a file that cannot be loaded fails with what it printed', async (t) => {
  const result = await runSource(t, `throw new Error('broken on purpose')`)
  match(result.problem ?? '', /exit code 1/)
  match(result.output, /broken on purpose/)
})

test('a file without tests fails', async (t) => {
  const result = await runSource(t, 'equal(1, 1); void test; void describe')
  equal(result.problem, 'it has no tests')
})

test('a skipped test is not a passed test', async (t) => {
  const result = await runSource(t, `test('later', { skip: true }, () => equal(1, 1))`)
  equal(result.tests[0]?.outcome, 'skipped')
})

test('children that a test forgot end with their file', async (t) => {
  const result = await runSource(
    t,
    `import { spawn } from 'node:child_process'
     test('starts a child', () => {
       const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
       child.unref()
       console.log('pid ' + child.pid)
     })`,
  )
  const pid = Number(/pid (\d+)/.exec(result.output)?.[1])
  ok(pid > 1)
  await waitUntilGone(pid)
  equal(result.tests[0]?.outcome, 'passed')
})

/** A killed process stays visible for a moment, until it has been reaped. */
async function waitUntilGone(pid: number): Promise<void> {
  const { readFile } = await import('node:fs/promises')
  for (let attempt = 0; attempt < 500; attempt++) {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    if (state === '' || /\) Z /.test(state)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`process ${pid} is still there`)
}
