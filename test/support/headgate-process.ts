/** Runs the real `bin/headgate` as its users do, in a folder and an environment of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Far longer than anything takes, so that a test that waits in vain says for what. */
const sayMsMax = 30_000

const binary = fileURLToPath(new URL('../../bin/headgate', import.meta.url))

export type Ended = {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export type HeadgateProcess = {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Resolves with the match as soon as stdout or stderr matches; rejects when the process ends first. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<Ended>
}

export type Workbench = {
  readonly cwd: string
  write(name: string, text: string): Promise<void>
  start(argv: readonly string[], env?: Readonly<Record<string, string>>): HeadgateProcess
  /** Runs to the end with this on standard input. */
  run(
    argv: readonly string[],
    options?: { env?: Readonly<Record<string, string>>; input?: string },
  ): Promise<Ended>
}

/** A folder for one test; when the test ends, so do its processes. */
export async function workbench(t: TestContext): Promise<Workbench> {
  const cwd = await mkdtemp(join(tmpdir(), 'headgate-e2e-'))
  const started: HeadgateProcess[] = []
  t.after(async () => {
    for (const { child } of started) child.kill('SIGKILL')
    await Promise.all(started.map(({ ended }) => ended))
    await rm(cwd, { recursive: true, force: true })
  })
  const start: Workbench['start'] = (argv, env = {}) => {
    const process = follow(spawnHeadgate(argv, { cwd, env }))
    started.push(process)
    return process
  }
  return {
    cwd,
    write: (name, text) => writeFile(join(cwd, name), text),
    start,
    async run(argv, { env = {}, input = '' } = {}) {
      const { child, ended } = start(argv, env)
      child.stdin?.end(input)
      return await ended
    },
  }
}

/** Only what a program needs of our environment, so that a HEADGATE_ variable of ours changes nothing. */
function spawnHeadgate(
  argv: readonly string[],
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string>> },
): ChildProcess {
  const { PATH = '', HOME = '' } = process.env
  return spawn(binary, argv, { cwd, env: { PATH, HOME, ...env }, stdio: 'pipe' })
}

function follow(child: ChildProcess): HeadgateProcess {
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  const notify = () => {
    for (const listener of listeners) listener()
  }
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    notify()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    notify()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    said(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(`${stdout}\n${stderr}`)
          if (found === null) return
          listeners.delete(look)
          resolve(found)
        }
        listeners.add(look)
        look()
        const fail = (what: string) =>
          reject(new Error(`${what} before ${pattern}:\n${stdout}\n${stderr}`))
        void ended.then(({ exitCode }) => fail(`ended with ${exitCode}`))
        AbortSignal.timeout(sayMsMax).addEventListener('abort', () => fail('too much time went by'))
      })
    },
  }
}
