/**
 * Everything that must hold before a change is committed: formatting, lint, types, tidy, reference
 * pages, tests. `bin/test` sets the machine up and starts this. The last line of the output is
 * `N passed, N failed`, in which each check counts like a test.
 *
 *   tools/test.ts                 all checks and all tests
 *   tools/test.ts FILE…           only the tests in these files
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type FileLimits, type FileResult, runFiles } from './test/run-files.ts'
import { type CheckResult, countOutcomes, renderFailures, renderFile } from './test/summary.ts'

const root = join(import.meta.dirname, '..')
const bin = join(root, 'node_modules', '.bin')
const testGlob = '{src,test,tools}/**/*.test.ts'

/**
 * A hang fails instead of blocking. Silence may last longer than a test, so that a test fails first,
 * also one that sets itself a `timeout` of up to two minutes.
 */
const limits: FileLimits = { testMs: 60_000, silenceMs: 150_000 }

type Check = { readonly name: string; readonly command: readonly string[] }

const checks: readonly Check[] = [
  { name: 'format', command: [join(bin, 'biome'), 'format', '.'] },
  { name: 'lint', command: [join(bin, 'biome'), 'lint', '--error-on-warnings', '.'] },
  { name: 'types', command: [join(bin, 'tsc'), '--noEmit', '-p', '.'] },
  { name: 'tidy', command: [process.execPath, 'tools/tidy.ts'] },
  { name: 'docs', command: [process.execPath, 'tools/docs.ts', '--check'] },
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { from: { type: 'string', default: process.cwd() } },
})
process.exitCode = await main(positionals.map((file) => resolve(values.from, file)))

/** Returns the exit code. */
async function main(chosen: readonly string[]): Promise<number> {
  const abort = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort())
  const checked = chosen.length === 0 ? await runChecks(checks) : []
  const files = chosen.length > 0 ? chosen : globSync(testGlob, { cwd: root }).sort()
  const results = await runFiles(
    files.map((file) => relative(root, resolve(root, file))),
    {
      concurrency: Math.min(availableParallelism(), 4),
      limits,
      signal: abort.signal,
      onResult: (result: FileResult) => print(renderFile(result)),
    },
  )
  print(renderFailures(checked, results))
  const { passed, failed, tests } = countOutcomes(checked, results)
  const isComplete = !abort.signal.aborted && tests > 0
  if (tests === 0) print('No test ran: the files hold none, or the names are wrong.')
  if (abort.signal.aborted) print('Interrupted.')
  print(`${passed} passed, ${isComplete ? failed : Math.max(failed, 1)} failed`)
  return isComplete && failed === 0 ? 0 : 1
}

async function runChecks(list: readonly Check[]): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  for (const check of list) {
    const result = await runCheck(check)
    print(`${result.isPassed ? 'ok  ' : 'FAIL'} ${check.name}`)
    results.push(result)
  }
  return results
}

function runCheck({ name, command: [program = '', ...args] }: Check): Promise<CheckResult> {
  return new Promise((resolveCheck) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.once('error', (error) =>
      resolveCheck({ name, isPassed: false, output: `${program}: ${error.message}` }),
    )
    child.once('close', (code) => resolveCheck({ name, isPassed: code === 0, output }))
  })
}

function print(text: string): void {
  if (text !== '') process.stdout.write(`${text}\n`)
}
