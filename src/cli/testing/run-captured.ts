/** For tests: runs one command line with streams, gateway and signals of the test's own. */
import { PassThrough, Writable } from 'node:stream'
import { systemClock } from '../../base/clock.ts'
import { seededRandom } from '../../base/random.ts'
import type { GatewayOptions, RunningGateway } from '../../control/gateway-options.ts'
import type { CliDeps, InputStream, OutputStream } from '../deps.ts'
import { runCli } from '../program.ts'

export type Captured = {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export type TestTerminal = CliDeps & {
  readonly stdin: PassThrough & InputStream
  /** What raw mode was switched to, in order. */
  readonly rawModes: readonly boolean[]
  stdoutText(): string
  stderrText(): string
  /** Hands the signal to whoever listens for it; false when nobody does. */
  signal(name: NodeJS.Signals): boolean
  /** Resolves as soon as `stdoutText() + stderrText()` matches. */
  said(pattern: RegExp): Promise<void>
}

export type TestOptions = Partial<Pick<CliDeps, 'env' | 'cwd' | 'clock' | 'random' | 'fetch'>> & {
  readonly isTTY?: boolean
  startGateway?(options: GatewayOptions): Promise<RunningGateway>
}

export function testTerminal(options: TestOptions = {}): TestTerminal {
  const listeners = new Set<() => void>()
  const onWrite = () => {
    for (const listener of listeners) listener()
  }
  const stdout = collector(options.isTTY === true, onWrite)
  const stderr = collector(options.isTTY === true, onWrite)
  const rawModes: boolean[] = []
  const stdin: PassThrough & InputStream = Object.assign(new PassThrough(), {
    isTTY: options.isTTY === true,
    setRawMode(isRaw: boolean) {
      rawModes.push(isRaw)
    },
  })
  const handlers = new Map<NodeJS.Signals, Set<(signal: NodeJS.Signals) => void>>()
  return {
    env: {},
    cwd: '/nowhere',
    version: '9.9.9-test',
    clock: systemClock(),
    random: seededRandom(1),
    fetch: () => Promise.reject(new Error('the test has no server')),
    startGateway: () => Promise.reject(new Error('the test has no gateway')),
    ...options,
    stdin,
    rawModes,
    stdout: stdout.stream,
    stderr: stderr.stream,
    stdoutText: stdout.text,
    stderrText: stderr.text,
    onSignal(signals, handler) {
      for (const signal of signals) {
        const known = handlers.get(signal) ?? new Set()
        handlers.set(signal, known.add(handler))
      }
      return {
        close() {
          for (const signal of signals) handlers.get(signal)?.delete(handler)
        },
      }
    },
    signal(name) {
      const known = [...(handlers.get(name) ?? [])]
      for (const handler of known) handler(name)
      return known.length > 0
    },
    said(pattern) {
      return new Promise((resolve) => {
        const look = () => {
          if (!pattern.test(stdout.text() + stderr.text())) return
          listeners.delete(look)
          resolve()
        }
        listeners.add(look)
        look()
      })
    },
  }
}

function collector(isTTY: boolean, onWrite: () => void): { stream: OutputStream; text(): string } {
  let collected = ''
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      collected += chunk.toString('utf8')
      done()
      onWrite()
    },
  })
  return { stream: Object.assign(stream, { isTTY, columns: 100 }), text: () => collected }
}

/** Runs to the end. */
export async function runCaptured(
  argv: readonly string[],
  options: TestOptions = {},
): Promise<Captured> {
  const terminal = testTerminal(options)
  terminal.stdin.end()
  const exitCode = await runCli(argv, terminal)
  return { exitCode, stdout: terminal.stdoutText(), stderr: terminal.stderrText() }
}
