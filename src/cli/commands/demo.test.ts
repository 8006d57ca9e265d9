import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { HeadgateError } from '../../base/errors.ts'
import { systemClock } from '../../base/clock.ts'
import { summarise } from '../demo/callers.ts'
import { runCli } from '../program.ts'
import { type FakeGateway, startFakeGateway } from '../testing/fake-gateway.ts'
import { runCaptured, testTerminal } from '../testing/run-captured.ts'

/** Time runs twenty times as fast for what repeats, so that the test does not wait. */
const quickClock = () => {
  const clock = systemClock()
  return {
    ...clock,
    every: (periodMs: number, run: () => void) => clock.every(periodMs / 20, run),
  }
}

test('the demo serves real traffic, and its keys upgrade, break and roll back', async () => {
  const gateways: FakeGateway[] = []
  const terminal = testTerminal({
    clock: quickClock(),
    async startGateway(options) {
      const gateway = await startFakeGateway(options)
      gateways.push(gateway)
      return gateway
    },
  })
  const ended = runCli(['demo', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'], terminal)
  await terminal.said(/errors 0\.0 %.*v1 100 %/)
  const banner = terminal.stdoutText()
  const [, key = '', url = ''] = /curl -H 'x-api-key: (\S+)' (\S+)/.exec(banner) ?? []
  const answer = await fetch(url, { headers: { 'x-api-key': key } })
  equal(answer.status, 200)
  equal(answer.headers.get('x-bookshop-version'), 'v1')
  match(banner, /owner-token-of-the-test/)

  terminal.stdin.write('u\nu\nu\nu\n')
  for (const percent of [5, 25, 50, 100]) {
    await terminal.said(new RegExp(`${percent} % of the traffic goes to v2 now`))
  }
  await terminal.said(/v1 0 % {2}v2 100 % \(set 0\/100\)/)
  terminal.stdin.write('u\n')
  await terminal.said(/v2 has all the traffic already/)
  const renamed = await fetch(url, { headers: { 'x-api-key': key } })
  match(await renamed.text(), /"amount":/)

  terminal.stdin.write('b\n')
  await terminal.said(/v2 is broken now/)
  await terminal.said(/errors (?!0\.0)\d.*v2 is broken/)
  terminal.stdin.write('b\nr\n')
  await terminal.said(/v2 is mended/)
  await terminal.said(/all traffic is back on v1/)
  await terminal.said(/v1 100 % {2}v2 0 % \(set 100\/0\)/)
  terminal.stdin.write('q\n')
  equal(await ended, 0)
  deepEqual(
    gateways[0]?.acts.map(({ verb }) => verb),
    ['setSplit', 'setSplit', 'setSplit', 'setSplit', 'setSplit'],
  )
  equal(terminal.stderrText(), '')
})

test('--for ends the demo by itself, and an unknown key explains the keys', async () => {
  const terminal = testTerminal({ clock: quickClock(), startGateway: startFakeGateway })
  const ended = runCli(['demo', '--for', '300ms'], terminal)
  terminal.stdin.write('x\n')
  equal(await ended, 0)
  ok(terminal.stdoutText().split('Press u').length >= 3)
})

test('on a terminal single keys work, one line is redrawn within its width, and Ctrl-C quits', async () => {
  const terminal = testTerminal({
    clock: quickClock(),
    startGateway: startFakeGateway,
    isTTY: true,
    env: { NO_COLOR: '1' },
  })
  const ended = runCli(['demo'], terminal)
  await terminal.said(/\r\u001b\[2K\d/)
  terminal.stdin.write('uB')
  await terminal.said(/5 % of the traffic goes to v2 now\n/)
  await terminal.said(/v2 is broken now/)
  await terminal.said(/errors (?!0\.0)\d/)
  terminal.stdin.write('\u0003')
  equal(await ended, 0)
  deepEqual(terminal.rawModes, [true, false])
  const redrawn = terminal.stdoutText().split('\r\u001b[2K').slice(1)
  for (const line of redrawn) ok(line.trimEnd().length <= 99, line)
})

test('a port that is taken is told with how to choose another', async () => {
  const { exitCode, stderr } = await runCaptured(['demo'], {
    startGateway: () =>
      Promise.reject(
        new HeadgateError('run.address_in_use', { message: '127.0.0.1:8080 is in use' }),
      ),
  })
  equal(exitCode, 1)
  match(stderr, /127\.0\.0\.1:8080 is in use/)
  match(stderr, /try: headgate demo --listen 127\.0\.0\.1:18080/)
})

test('experience adds up by version, and an empty window is no error', () => {
  const call = (durationMs: number, version: string, error?: string) => ({
    atMs: 0,
    durationMs,
    version,
    error,
  })
  const calls = [call(10, 'v1'), call(20, 'v1'), call(30, 'v2', 'status 500'), call(40, 'v2')]
  const experience = summarise(calls, 2_000)
  equal(experience.requestsPerSecond, 2)
  equal(experience.errorShare, 0.25)
  equal(experience.p95Ms, 40)
  equal(experience.lastError, 'status 500')
  deepEqual(experience.versions.get('v2'), { share: 0.5, errorShare: 0.5, p95Ms: 40 })
  equal(summarise([], 0).errorShare, 0)
})
