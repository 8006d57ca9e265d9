import { s } from '../../base/schema.ts'
import { type CommandContext, defineCommand } from '../define-command.ts'
import { readKeys } from '../demo/keys.ts'
import { calledAs } from '../deps.ts'
import { bannerText, keyHelp, liveLine, liveLineWithin } from '../demo/screen.ts'
import { type DemoWorld, explainStart, startDemoWorld } from '../demo/world.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { addressInput, listenOptions, workersInput } from '../listen-options.ts'
import { reportError } from '../report-error.ts'
import { durationInput } from '../server-options.ts'

const defaults = { listen: '127.0.0.1:8080', admin: '127.0.0.1:9090' } as const
const linePeriodMs = { terminal: 1_000, plain: 2_000 } as const
const columnsDefault = 80

const demoInput = s.object({
  listen: addressInput().prefault(defaults.listen),
  admin: addressInput().prefault(defaults.admin),
  for: durationInput().optional(),
  workers: workersInput(1),
})

type DemoInput = s.infer<typeof demoInput>

export const demoCommand = defineCommand({
  path: 'demo',
  summary: 'See it work: two versions of a bookshop, live traffic, and a gateway in front.',
  description:
    'Starts two sample upstreams, three apps that call them about 20 times a second, and the gateway, in this one process and in memory. Nothing is stored and nothing is fetched.\n\nKeys: u shifts more traffic to v2 (5, 25, 50, 100 %), b breaks or mends v2, r moves all traffic back to v1, q quits. Without a terminal the same letters are read as lines.',
  examples: [
    { title: 'Start it', command: 'headgate demo' },
    {
      title: 'When the ports are taken',
      command: 'headgate demo --listen 127.0.0.1:18080 --admin 127.0.0.1:19090',
    },
    { title: 'For half a minute, without a person', command: 'headgate demo --for 30s' },
  ],
  options: [
    ...listenOptions(defaults),
    { flags: '--for <duration>', summary: 'End by itself after this time.' },
    { flags: '--workers <count>', summary: 'Worker threads.', defaultText: '1' },
  ],
  input: demoInput,
  run: runDemo,
})

async function runDemo(input: DemoInput, context: CommandContext): Promise<ExitCode> {
  const { deps, terminal } = context
  const world = await start(input, context)
  try {
    const runtime = `Node ${process.versions.node}`
    const paint = terminal.paint.out
    terminal.out(
      bannerText(world, { command: calledAs(deps), version: deps.version, runtime, paint }),
    )
    return await play(world, input, context)
  } finally {
    await world.close()
  }
}

async function start(input: DemoInput, { deps, terminal }: CommandContext): Promise<DemoWorld> {
  try {
    return await startDemoWorld(deps, {
      listen: input.listen,
      admin: input.admin,
      workers: input.workers,
      log: (line) => terminal.detail(line),
    })
  } catch (thrown) {
    throw explainStart(thrown)
  }
}

/** Shows and listens until `q`, a signal, the end of `--for`, or a failure. */
async function play(
  world: DemoWorld,
  input: DemoInput,
  { deps, terminal }: CommandContext,
): Promise<ExitCode> {
  const end = Promise.withResolvers<ExitCode>()
  const screen = openScreen(world, { deps, terminal })
  // One key after the other: `uu` is two steps, although the first one takes its time.
  let pressed = Promise.resolve()
  const keys = readKeys(deps.stdin, (key) => {
    if (key === 'q') return end.resolve(exitCodes.ok)
    pressed = pressed
      .then(() => press(key, world))
      .then(screen.tell, (thrown: unknown) => {
        reportError(thrown, terminal, 'headgate demo')
      })
  })
  const signals = deps.onSignal(['SIGINT', 'SIGTERM'], () => end.resolve(exitCodes.ok))
  const timer =
    input.for === undefined
      ? undefined
      : deps.clock.after(input.for, () => end.resolve(exitCodes.ok))
  try {
    const first = await Promise.race([end.promise, world.failed])
    if (first instanceof Error) throw first
    return first
  } finally {
    timer?.cancel()
    signals.close()
    keys.close()
    screen.close()
  }
}

async function press(key: string, world: DemoWorld): Promise<string> {
  if (key === 'u') return await world.upgrade()
  if (key === 'b') return world.toggleFaults()
  if (key === 'r') return await world.rollBack()
  return keyHelp
}

/** On a terminal one line is redrawn in place; elsewhere lines follow one another. */
function openScreen(
  world: DemoWorld,
  { deps, terminal }: Pick<CommandContext, 'deps' | 'terminal'>,
) {
  const isLive = deps.stdout.isTTY === true
  const draw = () => {
    const observation = world.observe()
    const paint = terminal.paint.out
    if (!isLive) return terminal.out(liveLine(world, observation, paint))
    const columns = deps.stdout.columns ?? columnsDefault
    terminal.outRaw(`\r\u001b[2K${liveLineWithin(columns, world, { observation, paint })}`)
  }
  const period = isLive ? linePeriodMs.terminal : linePeriodMs.plain
  const ticker = deps.clock.every(period, draw)
  return {
    tell(sentence: string) {
      terminal.outRaw(isLive ? `\r\u001b[2K${sentence}\n` : `${sentence}\n`)
    },
    close() {
      ticker.cancel()
      if (isLive) terminal.outRaw('\n')
    },
  }
}
