/**
 * Where a command writes: data to stdout, talk to stderr, colour only for people. A reader that goes
 * away (`headgate get routes | head -1`) ends the writing and nothing else.
 */
import type { CliDeps, OutputStream } from './deps.ts'

export type Paint = {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
  cyan(text: string): string
}

export type Terminal = {
  /** Data: a line or several, without the last line break. */
  out(text: string): void
  /** Data that already ends as it should, such as a document. */
  outRaw(text: string): void
  /** Talk; silent with `--quiet`. */
  say(text: string): void
  /** Talk that `--quiet` does not silence: errors, and secrets that are shown once. */
  warn(text: string): void
  /** Extra talk of `--verbose`. */
  detail(text: string): void
  readonly paint: { readonly out: Paint; readonly err: Paint }
  /** Whether there is a person to ask. */
  readonly isInteractive: boolean
  /** Asks on stderr and reads a line; undefined when the input ended. */
  ask(question: string): Promise<string | undefined>
  /** Resolves once everything written has been handed to the system, or the reader is gone. */
  flush(): Promise<void>
}

export type TerminalSettings = {
  readonly isQuiet: boolean
  readonly isVerbose: boolean
  readonly wantsColour: boolean
}

const answerBytesMax = 4_096

export function openTerminal(deps: CliDeps, settings: TerminalSettings): Terminal {
  const out = openOutput(deps.stdout)
  const err = openOutput(deps.stderr)
  const paintFor = (stream: OutputStream) =>
    stream.isTTY === true && settings.wantsColour && allowsColour(deps.env) ? colours : plainPaint
  return {
    out: (text) => out.write(`${text}\n`),
    outRaw: (text) => out.write(text),
    say: (text) => (settings.isQuiet ? undefined : err.write(`${text}\n`)),
    warn: (text) => err.write(`${text}\n`),
    detail: (text) => (settings.isVerbose ? err.write(`${text}\n`) : undefined),
    paint: { out: paintFor(deps.stdout), err: paintFor(deps.stderr) },
    isInteractive: deps.stdin.isTTY === true && deps.stderr.isTTY === true,
    ask(question) {
      err.write(question)
      return readLine(deps)
    },
    async flush() {
      await Promise.all([out.flush(), err.flush()])
    },
  }
}

/** NO_COLOR with any value but an empty one switches colour off (no-color.org). */
function allowsColour(env: CliDeps['env']): boolean {
  return (env.NO_COLOR === undefined || env.NO_COLOR === '') && env.TERM !== 'dumb'
}

function openOutput(stream: OutputStream) {
  let isGone = false
  // EPIPE, or another fault of the terminal itself: there is nobody left to tell about it.
  stream.on('error', () => {
    isGone = true
  })
  return {
    write(text: string) {
      if (!isGone) stream.write(text)
    },
    flush(): Promise<void> {
      if (isGone) return Promise.resolve()
      return new Promise((resolve) => {
        stream.once('error', () => resolve())
        stream.write('', () => resolve())
      })
    },
  }
}

function readLine(deps: CliDeps): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const finish = (line: string | undefined) => {
      deps.stdin.removeListener('data', onData)
      deps.stdin.removeListener('end', onEnd)
      deps.stdin.pause()
      resolve(line)
    }
    const onEnd = () => finish(undefined)
    const onData = (chunk: Buffer | string) => {
      text += chunk.toString()
      const end = text.indexOf('\n')
      if (end !== -1) finish(text.slice(0, end).trim())
      else if (text.length > answerBytesMax) finish(undefined)
    }
    deps.stdin.on('data', onData)
    deps.stdin.on('end', onEnd)
    deps.stdin.resume()
  })
}

const style = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`

const colours: Paint = {
  bold: style(1, 22),
  dim: style(2, 22),
  red: style(31, 39),
  green: style(32, 39),
  yellow: style(33, 39),
  cyan: style(36, 39),
}

const same = (text: string) => text
/** No colour at all; its text is as long as it looks. */
export const plainPaint: Paint = {
  bold: same,
  dim: same,
  red: same,
  green: same,
  yellow: same,
  cyan: same,
}
