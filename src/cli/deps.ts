/** What the command line needs from outside; `main.ts` hands over the real ones, tests their own. */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { GatewayOptions, RunningGateway } from '../control/gateway-options.ts'

export type InputStream = NodeJS.ReadableStream & {
  readonly isTTY?: boolean
  setRawMode?(isRaw: boolean): unknown
}

export type OutputStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean
  readonly columns?: number
}

export type CliDeps = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly cwd: string
  readonly version: string
  readonly clock: Clock
  readonly random: Random
  readonly fetch: typeof fetch
  startGateway(options: GatewayOptions): Promise<RunningGateway>
  /** Calls `handler` for each of the signals until closed; the signals then do nothing by themselves. */
  onSignal(
    signals: readonly NodeJS.Signals[],
    handler: (signal: NodeJS.Signals) => void,
  ): { close(): void }
}

/**
 * How Headgate was called, for lines that people copy: `bin/headgate` in a checkout. The script sets
 * it; what a shell would not read as one word is not shown.
 */
export function calledAs({ env }: Pick<CliDeps, 'env'>): string {
  const called = env.HEADGATE_COMMAND ?? ''
  return /^[\w./~+-]+$/.test(called) ? called : 'headgate'
}
