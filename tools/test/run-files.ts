/**
 * Runs test files, each in a process of its own, and collects what its tests say.
 *
 * node:test's own `run()` was refused: a file that blocks its event loop, or that leaves a socket
 * open after its last test, keeps it waiting for ever. Here a file that reports nothing for too long
 * is ended together with all that it started, and counts as failed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../src/base/errors.ts'
import type { TestLine } from './reporter.ts'

export type FileLimits = {
  /** Longest time of one test, unless it sets its own `timeout`. */
  readonly testMs: number
  /** Longest time in which a file may report nothing: no test starts, passes or fails. */
  readonly silenceMs: number
}

export type FileResult = {
  readonly file: string
  readonly tests: readonly TestLine[]
  /** What is wrong with the file as a whole, besides its failed tests. */
  readonly problem?: string
  /** The end of what it printed. */
  readonly output: string
  readonly ms: number
}

const outputCharsMax = 20_000
const reporterPath = join(import.meta.dirname, 'reporter.ts')

/** Runs `files`, `concurrency` at a time; `onResult` sees each as soon as it ends. */
export async function runFiles(
  files: readonly string[],
  options: {
    concurrency: number
    limits: FileLimits
    signal: AbortSignal
    onResult: (result: FileResult) => void
  },
): Promise<FileResult[]> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-tests-'))
  const waiting = [...files]
  const results: FileResult[] = []
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      if (options.signal.aborted) return
      const eventsPath = join(folder, `${files.indexOf(file)}.jsonl`)
      const result = await runFile(file, { ...options, eventsPath })
      results.push(result)
      options.onResult(result)
    }
  }
  try {
    await Promise.all(Array.from({ length: options.concurrency }, work))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return results
}

async function runFile(
  file: string,
  options: { limits: FileLimits; signal: AbortSignal; eventsPath: string },
): Promise<FileResult> {
  const { limits, signal, eventsPath } = options
  const startedMs = performance.now()
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      `--test-timeout=${limits.testMs}`,
      `--test-reporter=${reporterPath}`,
      `--test-reporter-destination=${eventsPath}`,
      file,
    ],
    // A process group of its own, so that what a hung test has started ends with it.
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  )
  const output = collectOutput(child)
  const silence = watchForSilence(eventsPath, limits.silenceMs, () => endGroup(child))
  const onAbort = () => endGroup(child)
  signal.addEventListener('abort', onAbort, { once: true })
  const exit = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`it could not be started: ${error.message}`))
    child.once('close', (code, killedBy) => resolve(describeExit(code, killedBy)))
  })
  signal.removeEventListener('abort', onAbort)
  const wasSilent = silence.end()
  // What a test has forgotten to stop must not disturb the next file.
  endGroup(child)
  const tests = await readLines(eventsPath)
  const problem = wasSilent ? silenceProblem(limits.silenceMs) : fileProblem(tests, exit)
  return {
    file,
    tests,
    ...(problem !== undefined && { problem }),
    output: output(),
    ms: performance.now() - startedMs,
  }
}

function silenceProblem(silenceMs: number): string {
  return `nothing was reported for ${silenceMs / 1_000} s, so it was ended. Either a test blocks the event loop, or a server, socket, timer or child was left open: close what the tests start.`
}

function fileProblem(tests: readonly TestLine[], exit: string): string | undefined {
  if (exit !== '' && !tests.some((line) => line.outcome === 'failed')) return exit
  if (tests.length === 0) return 'it has no tests'
  return undefined
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `it was ended by ${signal}`
  return code === 0 ? '' : `it ended with exit code ${code}`
}

/** Keeps the end of what the child prints: that is where the reason stands. */
function collectOutput(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-outputCharsMax)
    })
  }
  return () => text.trim()
}

/** Calls `onSilence` once when the file of events has not grown for `silenceMs`. */
function watchForSilence(path: string, silenceMs: number, onSilence: () => void) {
  let sizeSeen = 0
  let grownAtMs = performance.now()
  let wasSilent = false
  const timer = setInterval(async () => {
    // The child makes the file; until then its size is zero.
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    )
    if (size !== sizeSeen) {
      sizeSeen = size
      grownAtMs = performance.now()
    }
    if (wasSilent || performance.now() - grownAtMs < silenceMs) return
    wasSilent = true
    onSilence()
  }, 200)
  return {
    end(): boolean {
      clearInterval(timer)
      return wasSilent
    },
  }
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    // ESRCH is the good case: nothing of the group is left.
    if (!messageOf(error).includes('ESRCH')) throw error
  }
}

async function readLines(path: string): Promise<TestLine[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  // A child that was ended may have left half a line.
  const whole = text.split('\n').slice(0, -1)
  return whole.map(parseLine).filter((line) => line !== undefined)
}

function parseLine(text: string): TestLine | undefined {
  const value: unknown = JSON.parse(text)
  return isTestLine(value) ? value : undefined
}

/** The reporter also writes lines that only show life; they have no outcome. */
function isTestLine(value: unknown): value is TestLine {
  return typeof value === 'object' && value !== null && 'outcome' in value
}
