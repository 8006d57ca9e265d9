/** Which words may follow a half-typed command line; derived from the definitions of the commands. */
import { Option } from 'commander'
import type {
  ArgumentDefinition,
  CommandDefinition,
  Completion,
  OptionDefinition,
} from './define-command.ts'
import { kindWords } from './kind-names.ts'

/** Finds names of objects of a kind; empty when nobody answers. */
export type NameLookup = (kindWord: string) => Promise<readonly string[]>

/** Says that the shell should complete paths itself. */
export const fileMarker = ':file'

const globalFlags = ['--help', '--no-color', '--quiet', '--verbose']

/** `words` are those after `headgate`; the last one is being typed, and may be empty. */
export async function completeWords(
  words: readonly string[],
  commands: readonly CommandDefinition[],
  lookUpNames: NameLookup,
): Promise<readonly string[]> {
  const typed = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const visible = commands.filter((command) => command.isHidden !== true)
  const command = findCommand(before, visible)
  if (command === undefined) return startingWith(typed, nextWords(before, visible))
  const pathLength = command.path.split(' ').length
  const rest = before.slice(pathLength)
  const options = command.options ?? []
  const pending = pendingOption(rest, options)
  if (pending !== undefined) return await offers(pending.completion, typed, rest, lookUpNames)
  if (typed.startsWith('-')) return startingWith(typed, flagsOf(options))
  const given = positional(rest, options)
  const argument = argumentAt(command, given.length)
  return argument === undefined ? [] : await offers(argument.completion, typed, given, lookUpNames)
}

function findCommand(
  words: readonly string[],
  commands: readonly CommandDefinition[],
): CommandDefinition | undefined {
  return commands.find(({ path }) => {
    const parts = path.split(' ')
    return parts.every((part, index) => words[index] === part)
  })
}

/** First words of commands, or second ones after `key`, `route`, `upstream`. */
function nextWords(before: readonly string[], commands: readonly CommandDefinition[]): string[] {
  const parts = commands.map(({ path }) => path.split(' '))
  const fitting = parts.filter((path) => before.every((word, index) => path[index] === word))
  return [...new Set(fitting.flatMap((path) => path[before.length] ?? []))]
}

function argumentAt(command: CommandDefinition, index: number): ArgumentDefinition | undefined {
  const args = command.args ?? []
  const last = args.at(-1)
  return args[index] ?? (last?.isVariadic === true ? last : undefined)
}

/** The option whose value is being typed. */
function pendingOption(
  words: readonly string[],
  options: readonly OptionDefinition[],
): OptionDefinition | undefined {
  const last = words.at(-1)
  if (last === undefined || !last.startsWith('-')) return undefined
  return options.find((option) => takesValue(option) && namesOf(option).includes(last))
}

function positional(words: readonly string[], options: readonly OptionDefinition[]): string[] {
  return words.filter((word, index) => {
    const before = words[index - 1]
    const isValue =
      before !== undefined &&
      options.some((option) => takesValue(option) && namesOf(option).includes(before))
    return !word.startsWith('-') && !isValue
  })
}

function takesValue(option: OptionDefinition): boolean {
  return new Option(option.flags).required
}

function namesOf(option: OptionDefinition): string[] {
  const { short, long } = new Option(option.flags)
  return [short, long].filter((name) => name !== undefined && name !== null)
}

function flagsOf(options: readonly OptionDefinition[]): string[] {
  return [...options.flatMap((option) => new Option(option.flags).long ?? []), ...globalFlags]
}

async function offers(
  completion: Completion | undefined,
  typed: string,
  given: readonly string[],
  lookUpNames: NameLookup,
): Promise<readonly string[]> {
  if (completion === undefined) return []
  if (completion.type === 'file') return [fileMarker]
  if (completion.type === 'words') return startingWith(typed, completion.words)
  const slash = typed.indexOf('/')
  if (slash !== -1) {
    const kindWord = typed.slice(0, slash)
    const names = await lookUpNames(kindWord)
    return startingWith(
      typed,
      names.map((name) => `${kindWord}/${name}`),
    )
  }
  if (completion.type === 'kind') return startingWith(typed, kindWords())
  const kindWord = completion.kind ?? given[0]
  // Without a kind before it, the first word of `delete` is one itself.
  if (kindWord === undefined) return startingWith(typed, kindWords())
  return startingWith(typed, await lookUpNames(kindWord))
}

function startingWith(typed: string, words: readonly string[]): string[] {
  return words.filter((word) => word.startsWith(typed))
}
