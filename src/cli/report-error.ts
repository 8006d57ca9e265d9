/** Turns whatever a command threw into lines on stderr, the last of which says what to try. */
import { CommanderError } from 'commander'
import { errorCatalog, HeadgateError, isErrorCode, messageOf } from '../base/errors.ts'
import { s } from '../base/schema.ts'
import type { SourceLocation } from '../control/problem.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

/** What a command may put into `detail` of an error to be shown below its message. */
const shownDetail = s.object({
  /** Finished text: the excerpt of files with their problems. */
  rendered: s.string().optional(),
  /** The `errors` of a problem document. */
  problems: s
    .array(
      s.object({
        object: s.string().optional(),
        pointer: s.string().optional(),
        path: s.array(s.union([s.string(), s.number()])).optional(),
        code: s.string().optional(),
        message: s.string(),
        suggestion: s.string().optional(),
        location: s.object({ file: s.string(), line: s.number(), column: s.number() }).optional(),
      }),
    )
    .optional(),
  /** YAML to write into the file that owns the definition. */
  patch: s.string().optional(),
  /** Instead of the code's own next step. */
  todo: s.string().optional(),
})

/** A usage error whose last line says what to type instead. */
export function usageError(message: string, todo: string): HeadgateError {
  return new HeadgateError('cli.usage', { message, detail: { todo } })
}

/**
 * Writes the error and returns the exit code that belongs to it. `called` is the command as far as it
 * was understood, such as `headgate key`.
 */
export function reportError(thrown: unknown, terminal: Terminal, called: string): ExitCode {
  if (thrown instanceof CommanderError) return reportUsage(thrown, terminal, called)
  const paint = terminal.paint.err
  if (!(thrown instanceof HeadgateError)) {
    terminal.warn(`${paint.red('error:')} ${messageOf(thrown)}`)
    if (thrown instanceof Error) terminal.detail(thrown.stack ?? '')
    terminal.warn(`try: ${errorCatalog['gateway.internal'].todo}`)
    return exitCodes.error
  }
  const detail = shownDetail.safeParse(thrown.detail).data ?? {}
  terminal.warn(`${paint.red('error:')} ${thrown.message} ${paint.dim(`[${thrown.code}]`)}`)
  for (const cause of causesOf(thrown)) terminal.warn(`  because: ${cause}`)
  if (detail.rendered !== undefined) terminal.warn(detail.rendered.trimEnd())
  // A single one is the message already.
  const problems = (detail.problems ?? []).length > 1 ? (detail.problems ?? []) : []
  for (const problem of problems) terminal.warn(`  ${problemLine(problem)}`)
  // Empty when there is only something to take out of the files, which the message names.
  if (detail.patch) terminal.warn(`${paint.dim('# patch')}\n${detail.patch.trimEnd()}`)
  terminal.warn(`try: ${detail.todo ?? todoFor(detail.problems) ?? thrown.definition.todo}`)
  return exitCodeOf(thrown.code)
}

/** What is wrong in files can be checked without a gateway, as often as it takes. */
function todoFor(problems: readonly ProblemShown[] = []): string | undefined {
  const place = problems.find(({ location }) => location !== undefined)?.location
  return place && `correct it; \`headgate validate ${place.file}\` checks it without a gateway`
}

const causesMax = 4

/** Messages of the chain of causes, without those that only repeat what was said before. */
function causesOf(error: Error): string[] {
  const causes: string[] = []
  let said = error.message
  for (let cause = error.cause; cause !== undefined && causes.length < causesMax; ) {
    const message = messageOf(cause)
    if (message !== '' && !said.includes(message)) causes.push(message)
    said += message
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return causes
}

type ProblemShown = {
  readonly object?: string | undefined
  readonly pointer?: string | undefined
  readonly path?: readonly (string | number)[] | undefined
  readonly code?: string | undefined
  readonly message: string
  readonly suggestion?: string | undefined
  readonly location?: SourceLocation | undefined
}

/** `Route/books match.path must start with / (did you mean …?) [config.bad_value]`. */
export function problemLine(problem: ProblemShown): string {
  const { location } = problem
  const place =
    problem.path === undefined ? placeOfPointer(problem.pointer) : problem.path.join('.')
  const known = problem.code !== undefined && isErrorCode(problem.code) ? problem.code : undefined
  return [
    location === undefined ? undefined : `${location.file}:${location.line}:${location.column}`,
    problem.object,
    place === '' ? undefined : place,
    problem.message,
    problem.suggestion === undefined ? undefined : `(${problem.suggestion})`,
    known === undefined ? undefined : `[${known}]`,
  ]
    .filter((part) => part !== undefined)
    .join(' ')
}

/** The place inside the object: `/puts/3/spec/match/path` names an entry that only we have seen. */
function placeOfPointer(pointer: string | undefined): string | undefined {
  return pointer
    ?.replace(/^\/puts\/\d+/, '')
    .replace(/^\/spec\b/, '')
    .slice(1)
    .split('/')
    .join('.')
}

/** Commander says "error: unknown command 'vaildate'\n(Did you mean validate?)". */
function reportUsage(error: CommanderError, terminal: Terminal, called: string): ExitCode {
  if (error.exitCode === 0) return exitCodes.ok
  // Help shown because no command was given; it has been written already.
  if (error.code === 'commander.help') return exitCodes.error
  const [first = '', hint] = error.message.split('\n')
  const message = first.replace(/^error: /, '').replaceAll("'", '`')
  const paint = terminal.paint.err
  terminal.warn(`${paint.red('error:')} ${message} ${paint.dim('[cli.usage]')}`)
  const meant = /^\(Did you mean (?:one of )?(.*)\?\)$/.exec(hint ?? '')?.[1]
  const nearest = meant?.split(', ')[0]
  terminal.warn(
    nearest === undefined
      ? `try: ${called} --help`
      : `try: ${called} ${nearest} (did you mean \`${meant}\`?)`,
  )
  return exitCodes.error
}
