import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { HeadgateError } from '../../base/errors.ts'
import type { GatewayOptions } from '../../control/gateway-options.ts'
import { runCli } from '../program.ts'
import { controlWith, type FakeGateway, idleGateway } from '../testing/fake-gateway.ts'
import { runCaptured, type TestOptions, testTerminal } from '../testing/run-captured.ts'

/** Starts `run`, waits for its line, and hands over everything there is to look at. */
async function start(argv: string[], options: TestOptions & { gateway?: FakeGateway } = {}) {
  const { gateway = idleGateway(), ...rest } = options
  const seen: GatewayOptions[] = []
  const terminal = testTerminal({
    cwd: '/nowhere',
    ...rest,
    async startGateway(wanted) {
      seen.push(wanted)
      return gateway
    },
  })
  const ended = runCli(['run', ...argv], terminal)
  await terminal.said(/serves/)
  return { terminal, gateway, wanted: seen[0], ended }
}

test('run says in one line on stdout that it serves, and SIGTERM drains to exit code 0', async () => {
  const { terminal, gateway, ended } = await start(['--upstream', 'http://127.0.0.1:7001'])
  equal(
    terminal.stdoutText(),
    'headgate 9.9.9-test serves http://0.0.0.0:8080 · admin http://127.0.0.1:9090 · file mode (--upstream http://127.0.0.1:7001) · revision 3 · 1 worker\n',
  )
  ok(terminal.signal('SIGTERM'))
  equal(await ended, 0)
  deepEqual(gateway.stops, [30_000])
  equal(terminal.stdoutText().split('\n').length, 2)
})

test('a second signal ends at once with 130, however long the drain takes', async () => {
  const gateway = idleGateway({ stop: () => new Promise(() => undefined) })
  const { terminal, ended } = await start([], { gateway })
  terminal.signal('SIGINT')
  await terminal.said(/once more to stop at once/)
  terminal.signal('SIGINT')
  equal(await ended, 130)
})

test('the owner token is shown once, on stderr, even with --quiet', async () => {
  const gateway = idleGateway({ ownerToken: 'hgo_just-made' })
  const { terminal, ended } = await start(['--quiet'], { gateway })
  match(terminal.stderrText(), /owner token \(shown once\): hgo_just-made/)
  match(terminal.stderrText(), /\n {2}headgate get routes/)
  ok(!terminal.stdoutText().includes('hgo_just-made'))
  terminal.signal('SIGTERM')
  await ended
})

test('SIGHUP reloads; a refused file is told with what to try and keeps serving', async () => {
  let revision = 3
  const gateway = idleGateway({
    control: controlWith({
      async reload() {
        revision += 1
        if (revision > 4) throw new HeadgateError('config.syntax', { message: 'line 3: no' })
        return { revision }
      },
    }),
  })
  const { terminal, ended } = await start([], { gateway })
  terminal.signal('SIGHUP')
  await terminal.said(/SIGHUP: serving revision 4/)
  terminal.signal('SIGHUP')
  await terminal.said(/error: line 3: no .*\ntry: /)
  terminal.signal('SIGTERM')
  equal(await ended, 0)
})

test('a gateway that cannot go on ends with its reason and exit code 1', async () => {
  const { terminal, gateway, ended } = await start([])
  gateway.fail(new HeadgateError('run.worker_failed', { message: 'worker 0 crashed 10 times' }))
  equal(await ended, 1)
  match(terminal.stderrText(), /error: worker 0 crashed 10 times .*\ntry: /)
})

test('a gateway that cannot start ends with its reason and exit code', async () => {
  const cases: [HeadgateError, number][] = [
    [new HeadgateError('run.address_in_use', { message: '0.0.0.0:8080 is in use' }), 1],
    [new HeadgateError('config.invalid', { message: 'no' }), 3],
  ]
  for (const [error, expected] of cases) {
    const { exitCode, stdout, stderr } = await runCaptured(['run'], {
      startGateway: () => Promise.reject(error),
    })
    equal(exitCode, expected)
    equal(stdout, '')
    match(stderr, /\ntry: /)
  }
})

test('files that the gateway refuses are shown with line, column and excerpt', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'headgate-run-'))
  t.after(() => rm(cwd, { recursive: true }))
  await writeFile(join(cwd, 'headgate.yaml'), 'version: 1\nroutes:\n  - { name: a, to: nowhere }\n')
  const { exitCode, stderr } = await runCaptured(['run'], {
    cwd,
    startGateway: () => Promise.reject(new HeadgateError('config.invalid', { message: 'no' })),
  })
  equal(exitCode, 3)
  match(stderr, /\nheadgate\.yaml:3:\d+ {2}error .*nowhere[\s\S]*\n {4}3 \| [\s\S]*\ntry: /)
})

test('flags and variables say the same, and flags win', async () => {
  const env = {
    HEADGATE_LISTEN: '127.0.0.1:1',
    HEADGATE_ADMIN: '127.0.0.1:2',
    HEADGATE_DATA: 'state',
    HEADGATE_WORKERS: '3',
    HEADGATE_DRAIN: '5s',
    HEADGATE_CONFIG: 'conf',
    HEADGATE_OWNER_TOKEN: 'given-from-outside',
  }
  const byEnv = await start([], { env })
  deepEqual(byEnv.wanted?.listen, { host: '127.0.0.1', port: 1 })
  deepEqual(byEnv.wanted?.admin, { host: '127.0.0.1', port: 2 })
  equal(byEnv.wanted?.dataDir, '/nowhere/state')
  equal(byEnv.wanted?.workers, 3)
  equal(byEnv.wanted?.drainMs, 5_000)
  equal(byEnv.wanted?.ownerToken, 'given-from-outside')
  deepEqual(byEnv.wanted?.source, { type: 'files', path: '/nowhere/conf' })
  byEnv.terminal.signal('SIGTERM')
  await byEnv.ended
  const argv = ['--workers', '2', '--listen', ':81', '--upstream', 'http://127.0.0.1:7001']
  const byFlag = await start([...argv, '--new-owner-token'], { env })
  equal(byFlag.wanted?.workers, 2)
  deepEqual(byFlag.wanted?.listen, { host: '0.0.0.0', port: 81 })
  equal(byFlag.wanted?.source.type, 'document')
  equal(byFlag.wanted?.newOwnerToken, true)
  byFlag.terminal.signal('SIGTERM')
  await byFlag.ended
})

test('without -c and --upstream ./headgate.yaml decides between file mode and store mode', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'headgate-run-'))
  t.after(() => rm(cwd, { recursive: true }))
  const store = await start([], { cwd })
  deepEqual(store.wanted?.source, { type: 'store' })
  match(store.terminal.stdoutText(), /store mode \(\.headgate\)/)
  store.terminal.signal('SIGTERM')
  await store.ended
  await writeFile(join(cwd, 'headgate.yaml'), 'version: 1\n')
  const file = await start([], { cwd })
  deepEqual(file.wanted?.source, { type: 'files', path: join(cwd, 'headgate.yaml') })
  match(file.terminal.stdoutText(), /file mode \(headgate\.yaml\)/)
  file.terminal.signal('SIGTERM')
  await file.ended
})

test('-c and --upstream exclude each other', async () => {
  const argv = ['run', '-c', 'a.yaml', '--upstream', 'http://127.0.0.1:1']
  const { exitCode, stderr } = await runCaptured(argv)
  equal(exitCode, 1)
  match(stderr, /exclude each other/)
})
