/**
 * `bin/headgate` on machines of all kinds, each a temporary folder: its `npm` and its system `node` are
 * small scripts, so that the tests need no network and see exactly what was called.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  access,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

const realBin = join(import.meta.dirname, '..', 'bin')

type Machine = {
  readonly root: string
  /** How often `npm ci` ran to its end. */
  npmRuns(): Promise<number>
  write(path: string, text: string): Promise<void>
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>
}
type RunOptions = { command?: string; cwd?: string; onOutput?: (text: string, pid: number) => void }
type RunResult = {
  code: number | null
  signal: string | null
  out: string
  err: string
  pid: number
}

type MachineOptions = {
  /** What the system's `node --version` says; undefined for no Node at all. */
  systemNode?: string
  /** Lines of the fake `npm ci` after it has noted that it ran. */
  npm?: string
  /** Folder of the checkout below the temporary folder. */
  folder?: string
}

/** npm that brings the `node` package, as the real one does. */
const npmBringsNode = `mkdir -p node_modules/node/bin
ln -sf '${process.execPath}' node_modules/node/bin/node`

const printArguments = `const shown: string[] = process.argv.slice(2)
console.log(JSON.stringify({ shown, cwd: process.cwd(), flags: process.execArgv }))
`

async function machine(t: TestContext, options: MachineOptions = {}): Promise<Machine> {
  const { systemNode = 'v20.0.0', npm = npmBringsNode, folder = 'repo' } = options
  const home = await mkdtemp(join(tmpdir(), 'headgate-bin-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const root = join(home, folder)
  const write = async (path: string, text: string, mode = 0o644) => {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
    await chmod(join(root, path), mode)
  }
  await cp(realBin, join(root, 'bin'), { recursive: true })
  await write('package-lock.json', '{"lockfileVersion":3}')
  await write('package.json', '{"type":"module"}')
  await write('src/main.ts', printArguments)
  const path = join(home, 'path')
  await mkdir(path)
  const executable = async (name: string, script: string) => {
    await writeFile(join(path, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(path, name), 0o755)
  }
  await executable('npm', `echo "$@" >> '${home}/npm.log'\n${npm}`)
  await executable('node', `[ "$1" = --version ] && { echo ${systemNode}; exit; }\nexit 99`)
  return {
    root,
    write,
    npmRuns: async () =>
      (await readFile(join(home, 'npm.log'), 'utf8').catch(() => '')).split('\n').length - 1,
    run: (args, runOptions = {}) => run(args, { root, path, ...runOptions }),
  }
}

function run(
  args: readonly string[],
  options: RunOptions & { root: string; path: string },
): Promise<RunResult> {
  const { root, path, cwd = root, command = join(root, 'bin', 'headgate'), onOutput } = options
  const child = spawn(command, args, { cwd, env: { PATH: `${path}:/usr/bin:/bin` } })
  const pid = child.pid ?? 0
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    onOutput?.(text, pid)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, out, err, pid }))
  })
}

test('a fresh checkout installs once, on stderr, and then starts at once', async (t) => {
  const { run: headgate, npmRuns } = await machine(t, { npm: `echo from npm; ${npmBringsNode}` })
  const first = await headgate(['get', 'a b', '*'])
  equal(first.code, 0, first.err)
  deepEqual(JSON.parse(first.out).shown, ['get', 'a b', '*'])
  match(first.err, /installing dependencies/)
  match(first.err, /from npm/)
  const second = await headgate(['version'])
  equal(second.err, '')
  equal(await npmRuns(), 1)
})

test('a changed lock file is installed again', async (t) => {
  const { run: headgate, npmRuns, write } = await machine(t)
  await headgate([])
  await write('package-lock.json', '{"lockfileVersion":3,"changed":true}')
  equal((await headgate([])).code, 0)
  equal(await npmRuns(), 2)
})

test('dependencies that somebody installed with npm are taken as they are', async (t) => {
  const { run: headgate, npmRuns, write, root } = await machine(t)
  await mkdir(join(root, 'node_modules/node/bin'), { recursive: true })
  await symlink(process.execPath, join(root, 'node_modules/node/bin/node'))
  await write('node_modules/.package-lock.json', '{}')
  equal((await headgate([])).code, 0)
  equal(await npmRuns(), 0)
})

test('several that start at the same time install once', async (t) => {
  const { run: headgate, npmRuns, root } = await machine(t, { npm: `sleep 0.5; ${npmBringsNode}` })
  const results = await Promise.all(['1', '2', '3'].map((word) => headgate([word])))
  deepEqual(
    results.map(({ code, out }) => [code, JSON.parse(out).shown]),
    [
      [0, ['1']],
      [0, ['2']],
      [0, ['3']],
    ],
  )
  equal(await npmRuns(), 1)
  ok(!(await exists(join(root, '.install.lock'))), 'the lock is gone')
})

test('the lock of a process that died is inherited by one of those who wait', async (t) => {
  const { run: headgate, npmRuns, root } = await machine(t)
  const dead = await run([], { root, path: '', command: '/bin/true', cwd: root })
  await mkdir(join(root, '.install.lock'))
  await writeFile(join(root, '.install.lock/pid'), `${dead.pid}\n`)
  const results = await Promise.all([headgate([]), headgate([])])
  deepEqual(
    results.map(({ code }) => code),
    [0, 0],
  )
  equal(await npmRuns(), 1)
})

test('a failed installation says so, leaves no lock and is tried again', async (t) => {
  const { run: headgate, npmRuns, root } = await machine(t, { npm: 'echo no network >&2; exit 7' })
  for (const attempt of [1, 2]) {
    const result = await headgate([])
    equal(result.code, 1)
    equal(result.out, '')
    match(result.err, /no network/)
    match(result.err, /npm ci failed/)
    equal(await npmRuns(), attempt)
  }
  ok(!(await exists(join(root, '.install.lock'))))
})

test('an npm package `node` without its binary is explained', async (t) => {
  const { run: headgate } = await machine(t, { npm: 'mkdir -p node_modules/node' })
  const result = await headgate([])
  equal(result.code, 1)
  match(result.err, /needs Node 24 or newer; the system has v20\.0\.0/)
  match(result.err, /install script did not run/)
})

test('a system Node that is new enough is used', async (t) => {
  const { run: headgate } = await machine(t, {
    systemNode: 'v26.1.0',
    npm: 'mkdir -p node_modules',
  })
  const result = await headgate([])
  equal(result.code, 99, 'the code of the fake node')
})

test('it can be called through links and from any folder', async (t) => {
  const { run: headgate, root } = await machine(t, { folder: 'a folder' })
  await symlink(join(root, 'bin', 'headgate'), join(root, 'absolute'))
  await symlink('absolute', join(root, 'relative'))
  const result = await headgate(['x'], { command: join(root, 'relative'), cwd: tmpdir() })
  equal(result.code, 0, result.err)
  const { shown, cwd } = JSON.parse(result.out)
  deepEqual(shown, ['x'])
  equal(await realpath(cwd), await realpath(tmpdir()), 'the working folder stays the caller’s')
})

test('an installed package without a lock file runs as it is, types and all', async (t) => {
  const {
    run: headgate,
    root,
    npmRuns,
    write,
  } = await machine(t, {
    folder: 'app/node_modules/headgate',
  })
  await rm(join(root, 'package-lock.json'))
  await mkdir(join(root, '../node/bin'), { recursive: true })
  await symlink(process.execPath, join(root, '../node/bin/node'))
  await write('src/part.ts', 'export const part: string = "typed"')
  await write(
    'src/main.ts',
    "import { part } from './part.ts'\nconst text: string = part\nconsole.log(text)",
  )
  const result = await headgate([])
  equal(result.code, 0, result.err)
  equal(result.out, 'typed\n')
  equal(await npmRuns(), 0)
})

test('a signal goes straight to Node, which has taken the place of the script', async (t) => {
  const { run: headgate, write } = await machine(t)
  await write(
    'src/main.ts',
    `setInterval(() => {}, 1_000)
     process.on('SIGTERM', () => { console.log('drained'); process.exit(5) })
     console.log('ready ' + process.pid)`,
  )
  const result = await headgate([], {
    onOutput(text, pid) {
      if (text.includes(`ready ${pid}`)) process.kill(pid, 'SIGTERM')
    },
  })
  equal(result.code, 5)
  match(result.out, /drained/)
})

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
