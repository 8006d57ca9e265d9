/**
 * The command line as a whole: builds commander's tree from the registry of commands, runs one
 * command, and turns whatever happens into an exit code. `main.ts` calls `runCli` and must then end
 * the process with the returned code: after a second signal a gateway may still be stopping.
 */
import { Argument, Command, Option } from 'commander'
import type { s } from '../base/schema.ts'
import { openAdminClient } from './admin-client.ts'
import { commands } from './commands/index.ts'
import type { CommandContext, CommandDefinition, OptionDefinition } from './define-command.ts'
import type { CliDeps } from './deps.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { helpConfiguration } from './help.ts'
import { reportError, usageError } from './report-error.ts'
import { openTerminal, type Terminal } from './terminal.ts'

const groupSummaries: Readonly<Record<string, string>> = {
  key: 'API keys of apps.',
  route: 'Routes, and which one takes a request.',
  upstream: 'Traffic between the versions of an upstream.',
}

/** Runs one command line, without the two leading words of `process.argv`, to its exit code. */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok
  const settings = {
    isQuiet: argv.includes('--quiet') || argv.includes('-q'),
    isVerbose: argv.includes('--verbose'),
    wantsColour: !argv.includes('--no-color'),
  }
  const terminal = openTerminal(deps, settings)
  const program = buildTree(deps, terminal, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (thrown) {
    exitCode = reportError(thrown, terminal, calledCommand(argv))
  }
  await terminal.flush()
  return exitCode
}

/** The same tree, to be looked at by the generator of the reference page; running it does nothing useful. */
export function buildProgram(deps: CliDeps): Command {
  const terminal = openTerminal(deps, { isQuiet: true, isVerbose: false, wantsColour: false })
  return buildTree(deps, terminal, () => undefined)
}

type OnEnd = (code: ExitCode) => void

function buildTree(deps: CliDeps, terminal: Terminal, onEnd: OnEnd): Command {
  const definitions = new Map<Command, CommandDefinition>()
  const program = new Command('headgate')
    .description('API gateway whose heart is seamless upstream upgrades.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.outRaw(text),
      writeErr: (text) => terminal.warn(text.trimEnd()),
      // Errors reach us as exceptions too; `reportError` writes them, once.
      outputError: () => undefined,
      getOutHelpWidth: () => deps.stdout.columns ?? 100,
      getErrHelpWidth: () => deps.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp(helpConfiguration((command) => definitions.get(command)))
    .helpOption('-h, --help', 'Show help.')
    .helpCommand('help [command]', 'Show help of a command.')
    .version(deps.version, '-V, --version', 'Print the version number.')
    .option('--no-color', 'Never use colour (also: NO_COLOR).')
    .option('-q, --quiet', 'Say only what goes wrong.')
    .option('--verbose', 'Say more, such as stack traces.')
  for (const definition of commands)
    addCommand(program, definition, { deps, terminal, onEnd, definitions })
  return program
}

type BuildContext = {
  readonly deps: CliDeps
  readonly terminal: Terminal
  readonly onEnd: OnEnd
  readonly definitions: Map<Command, CommandDefinition>
}

function addCommand(program: Command, definition: CommandDefinition, build: BuildContext): void {
  const [first = '', second] = definition.path.split(' ')
  const parent = second === undefined ? program : groupOf(program, first)
  const command = parent
    .command(second ?? first, { hidden: definition.isHidden === true })
    .summary(definition.summary)
    .description(definition.summary)
    .allowExcessArguments(false)
  for (const argument of definition.args ?? []) {
    const name = argument.isVariadic === true ? `${argument.name}...` : argument.name
    const term = argument.isRequired === true ? `<${name}>` : `[${name}]`
    command.addArgument(new Argument(term, argument.summary))
  }
  for (const option of definition.options ?? []) {
    command.addOption(new Option(option.flags, describeOption(option)))
  }
  build.definitions.set(command, definition)
  command.action(async () => {
    const input = readInput(command, definition, build.deps.env)
    const context: CommandContext = {
      deps: build.deps,
      terminal: build.terminal,
      commands,
      connect: (server) => openAdminClient(server, build.deps),
    }
    build.onEnd(await definition.run(input, context))
  })
}

function groupOf(program: Command, name: string): Command {
  const known = program.commands.find((command) => command.name() === name)
  return known ?? program.command(name).description(groupSummaries[name] ?? name)
}

function describeOption(option: OptionDefinition): string {
  const notes = [
    option.defaultText === undefined ? undefined : `default ${option.defaultText}`,
    option.env === undefined ? undefined : `env ${option.env}`,
  ].filter((note) => note !== undefined)
  return notes.length === 0 ? option.summary : `${option.summary} (${notes.join(', ')})`
}

/** Gathers arguments, flags and environment, and lets the definition's schema judge them. */
function readInput(command: Command, definition: CommandDefinition, env: CliDeps['env']): unknown {
  const values: Record<string, unknown> = {}
  for (const [index, argument] of (definition.args ?? []).entries()) {
    const value: unknown = command.processedArgs[index]
    if (value !== undefined) values[argument.name] = value
  }
  const options: Record<string, unknown> = command.opts()
  const places = new Map<string, string>()
  for (const option of definition.options ?? []) {
    const name = new Option(option.flags).attributeName()
    const isGiven = options[name] !== undefined
    const value = options[name] ?? valueFromEnv(option, options, env)
    places.set(name, isGiven || value === undefined ? longFlagOf(option) : (option.env ?? ''))
    if (value !== undefined) values[name] = value
  }
  const result = definition.input.safeParse(values)
  if (result.success) return result.data
  throw inputError(result.error, definition, places)
}

function valueFromEnv(
  option: OptionDefinition,
  options: Readonly<Record<string, unknown>>,
  env: CliDeps['env'],
): string | undefined {
  const yields = (option.envYieldsTo ?? []).some((name) => options[name] !== undefined)
  if (option.env === undefined || yields) return undefined
  // An empty variable counts as unset, so that `HEADGATE_CONFIG= headgate run` works.
  return env[option.env] || undefined
}

function longFlagOf({ flags }: OptionDefinition): string {
  return flags.split(/[ ,]+/).find((word) => word.startsWith('--')) ?? flags
}

function inputError(
  error: s.ZodError,
  definition: CommandDefinition,
  places: ReadonlyMap<string, string>,
) {
  const messages = error.issues.map((issue) => {
    const name = String(issue.path[0] ?? '')
    const place = places.get(name) ?? name
    return place === '' ? issue.message : `\`${place}\` ${issue.message}`
  })
  return usageError(messages.join('; '), `headgate ${definition.path} --help`)
}

/** The command as far as the words name one: `headgate key` for `headgate key nwe`. */
function calledCommand(argv: readonly string[]): string {
  const [first = '', second = ''] = argv.filter((word) => !word.startsWith('-'))
  const paths = commands.map(({ path }) => path)
  if (paths.includes(`${first} ${second}`)) return `headgate ${first} ${second}`
  const isKnown = paths.some((path) => path.split(' ')[0] === first)
  return isKnown ? `headgate ${first}` : 'headgate'
}
