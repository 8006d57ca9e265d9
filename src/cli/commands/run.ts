import { availableParallelism } from 'node:os'
import { relative, resolve } from 'node:path'
import { s } from '../../base/schema.ts'
import { formatDuration } from '../../base/units.ts'
import { configForUpstream } from '../../control/files/parse.ts'
import type { ConfigSource, GatewayOptions, RunningGateway } from '../../control/gateway-options.ts'
import { explainRefusal } from '../check-config.ts'
import { type CommandContext, defineCommand } from '../define-command.ts'
import { calledAs } from '../deps.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { configOption, findDefaultConfig } from '../find-config.ts'
import { addressInput, listenOptions, workersInput } from '../listen-options.ts'
import { reportError, usageError } from '../report-error.ts'
import { durationInput } from '../server-options.ts'

const defaults = { listen: '0.0.0.0:8080', admin: '127.0.0.1:9090' } as const
const defaultDrainMs = 30_000

const runInput = s.object({
  config: s.string().max(4_096).optional(),
  upstream: s.httpUrl().optional(),
  listen: addressInput().prefault(defaults.listen),
  tlsListen: addressInput().optional(),
  admin: addressInput().prefault(defaults.admin),
  data: s.string().max(4_096).default('.headgate'),
  workers: workersInput(availableParallelism()),
  drain: durationInput().default(defaultDrainMs),
  newOwnerToken: s.boolean().default(false),
})

type RunInput = s.infer<typeof runInput>

export const runCommand = defineCommand({
  path: 'run',
  summary: 'Serve: traffic on one address, the admin API on another.',
  description: `With \`-c\` the files are the definition (file mode): they are watched, and a change that is valid is live at once. With \`--upstream\` there is no file at all. With neither, ./headgate.yaml is used if it exists; otherwise the definition lives in the data folder (store mode) and is edited with \`headgate apply\`.

The first start makes an owner token for the admin API and shows it once; HEADGATE_OWNER_TOKEN sets one instead.

One line on stdout says that it serves. SIGTERM and SIGINT drain and exit with 0, a second one exits at once with 130, SIGHUP reads the files again and reopens the access log.`,
  examples: [
    {
      title: 'A gateway in front of one API, without a file',
      command: 'headgate run --upstream http://127.0.0.1:7001',
    },
    { title: 'From a file, reloaded when it changes', command: 'headgate run -c headgate.yaml' },
    {
      title: 'Only for this machine, four workers',
      command: 'headgate run -c conf/ --listen 127.0.0.1:8080 --workers 4',
    },
  ],
  options: [
    { ...configOption, envYieldsTo: ['upstream'] },
    {
      flags: '--upstream <url>',
      summary: 'Send everything to this address; instead of a configuration.',
      env: 'HEADGATE_UPSTREAM',
      envYieldsTo: ['config'],
    },
    ...listenOptions(defaults),
    {
      flags: '--tls-listen <host:port>',
      summary: 'Where TLS callers connect, once there is a certificate.',
      env: 'HEADGATE_TLS_LISTEN',
      defaultText: '`gateway.tls.listen`, or 0.0.0.0:8443',
    },
    {
      flags: '--data <folder>',
      summary: 'Where state is kept.',
      env: 'HEADGATE_DATA',
      defaultText: './.headgate',
      completion: { type: 'file' },
    },
    {
      flags: '--workers <count>',
      summary: 'Worker threads.',
      env: 'HEADGATE_WORKERS',
      defaultText: 'auto, one per core',
    },
    {
      flags: '--drain <duration>',
      summary: 'Time that running exchanges get when it stops.',
      env: 'HEADGATE_DRAIN',
      defaultText: '30s',
    },
    {
      flags: '--new-owner-token',
      summary: 'Make another owner token for the admin API and show it once.',
    },
  ],
  input: runInput,
  run: serve,
})

async function serve(input: RunInput, context: CommandContext): Promise<ExitCode> {
  const { deps, terminal } = context
  const source = chooseSource(input, context)
  const options: GatewayOptions = {
    source,
    listen: input.listen,
    tlsListen: input.tlsListen,
    admin: input.admin,
    dataDir: resolve(deps.cwd, input.data),
    workers: input.workers,
    drainMs: input.drain,
    ownerToken: deps.env.HEADGATE_OWNER_TOKEN || undefined,
    newOwnerToken: input.newOwnerToken,
    env: deps.env,
    log: (line) => terminal.say(line),
  }
  const gateway = await deps.startGateway(options).catch(async (thrown: unknown) => {
    throw await explainRefusal(thrown, pathOf(source), deps)
  })
  for (const notice of gateway.notices) terminal.warn(notice)
  announceToken(gateway, context)
  terminal.out(servingLine(gateway, source, input, context))
  return await untilStopped(gateway, options, context)
}

function pathOf(source: ConfigSource): string | undefined {
  return source.type === 'files' ? source.path : undefined
}

function chooseSource(input: RunInput, { deps }: CommandContext): ConfigSource {
  const { config, upstream } = input
  if (config !== undefined && upstream !== undefined) {
    throw usageError(
      '`--config` and `--upstream` (or HEADGATE_CONFIG and HEADGATE_UPSTREAM) exclude each other',
      'give one of the two',
    )
  }
  if (upstream !== undefined) {
    return { type: 'document', ...configForUpstream(upstream) }
  }
  const path = config === undefined ? findDefaultConfig(deps.cwd) : resolve(deps.cwd, config)
  return path === undefined ? { type: 'store' } : { type: 'files', path }
}

function announceToken(gateway: RunningGateway, { deps, terminal }: CommandContext): void {
  if (gateway.ownerToken === undefined) return
  // Not `say`: with `--quiet` the only chance to see it would be lost.
  terminal.warn(`owner token (shown once): ${gateway.ownerToken}`)
  terminal.warn(`  export HEADGATE_TOKEN=${gateway.ownerToken}`)
  terminal.warn(`  ${calledAs(deps)} get routes${serverFlag(gateway.adminUrl)}`)
}

function serverFlag(adminUrl: string): string {
  return adminUrl === 'http://127.0.0.1:9090' ? '' : ` --server ${adminUrl}`
}

function servingLine(
  gateway: RunningGateway,
  source: ConfigSource,
  input: RunInput,
  { deps }: CommandContext,
): string {
  const workers = gateway.control.workers()
  const revision = Math.max(0, ...workers.map((worker) => worker.revision))
  const count = workers.length === 0 ? input.workers : workers.length
  return [
    `headgate ${deps.version} serves ${gateway.listenUrl}`,
    `admin ${gateway.adminUrl}`,
    ...(gateway.tlsUrl === undefined ? [] : [`TLS ${gateway.tlsUrl}`]),
    describeSource(source, input, deps.cwd),
    `revision ${revision}`,
    `${count} ${count === 1 ? 'worker' : 'workers'}`,
  ].join(' · ')
}

function describeSource(source: ConfigSource, input: RunInput, cwd: string): string {
  if (source.type === 'store') return `store mode (${input.data})`
  if (source.type === 'files') return `file mode (${relative(cwd, source.path) || '.'})`
  return `file mode (--upstream ${input.upstream})`
}

/** Runs until a signal or a failure; every way out is an exit code. */
async function untilStopped(
  gateway: RunningGateway,
  { source, drainMs }: GatewayOptions,
  context: CommandContext,
): Promise<ExitCode> {
  const { deps, terminal } = context
  const stopping = Promise.withResolvers<'signal'>()
  const abandoned = Promise.withResolvers<'again'>()
  let isStopping = false
  const stopSignals = deps.onSignal(['SIGTERM', 'SIGINT'], (signal) => {
    if (isStopping) return abandoned.resolve('again')
    isStopping = true
    terminal.say(
      `${signal}: finishing what runs, at most ${formatDuration(drainMs)}; once more to stop at once`,
    )
    stopping.resolve('signal')
  })
  const reloadSignal = deps.onSignal(['SIGHUP'], () => {
    gateway.reopenLogs()
    void reload(gateway, source, context)
  })
  try {
    const first = await Promise.race([stopping.promise, gateway.failed])
    if (first instanceof Error) throw first
    const end = await Promise.race([gateway.stop({ budgetMs: drainMs }), abandoned.promise])
    if (end === 'again') return exitCodes.interrupted
    terminal.say('stopped')
    return exitCodes.ok
  } finally {
    stopSignals.close()
    reloadSignal.close()
  }
}

/** Never rejects: the last good definition keeps serving, and the operator reads why the new one does not. */
async function reload(
  gateway: RunningGateway,
  source: ConfigSource,
  { deps, terminal }: CommandContext,
): Promise<void> {
  try {
    const { revision } = await gateway.control.reload({ actor: 'signal', origin: 'cli' })
    terminal.say(`SIGHUP: serving revision ${revision}`)
  } catch (thrown) {
    const refusal = await explainRefusal(thrown, pathOf(source), deps)
    reportError(refusal, terminal, 'headgate run')
  }
}
