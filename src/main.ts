/** The composition root: the only file that reads the environment, and where the rooms meet. */
import { readFileSync } from 'node:fs'
import { systemClock } from './base/clock.ts'
import { systemRandom } from './base/random.ts'
import { runCli } from './cli/program.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

const exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  cwd: process.cwd(),
  version,
  clock: systemClock(),
  random: systemRandom(),
  fetch,
  // Most commands start no gateway; loading one only when asked keeps them quick.
  startGateway: async (options) =>
    (await import('./run/gateway.ts')).startGateway(options, version),
  onSignal(signals, handler) {
    for (const signal of signals) process.on(signal, handler)
    return {
      close: () => {
        for (const signal of signals) process.off(signal, handler)
      },
    }
  },
})
process.exit(exitCode)
