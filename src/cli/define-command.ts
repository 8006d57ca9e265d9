/**
 * The contract of a command. Each is one file in `commands/` plus one line in its `index.ts`; help,
 * completion, environment variables and the reference page are derived from the definition.
 */
import type { s } from '../base/schema.ts'
import type { AdminClient } from './admin-client.ts'
import type { CliDeps } from './deps.ts'
import type { ExitCode } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

/** What completion offers for a value; `object` completes names of the kind given before it. */
export type Completion =
  | { readonly type: 'words'; readonly words: readonly string[] }
  | { readonly type: 'file' }
  | { readonly type: 'kind' }
  | { readonly type: 'object'; readonly kind?: string }

export type ArgumentDefinition = {
  /** camelCase; the key of `input`. */
  readonly name: string
  readonly summary: string
  readonly isRequired?: boolean
  /** Takes all remaining words; `input` sees a list. */
  readonly isVariadic?: boolean
  readonly completion?: Completion
}

export type OptionDefinition = {
  /** As commander reads them: `-c, --config <path>`, `--yes`, `--prune [confirm]`. */
  readonly flags: string
  readonly summary: string
  /** Environment variable that stands in when the flag is absent. */
  readonly env?: string
  /** Flags (camelCase) that, when given, make the variable count as unset: flags win over variables. */
  readonly envYieldsTo?: readonly string[]
  /** For people; the default itself is in `input`. */
  readonly defaultText?: string
  readonly completion?: Completion
}

export type CommandExample = { readonly title: string; readonly command: string }

export type CommandDefinition<Input = unknown> = {
  /** One or two words: `plan`, `route test`. */
  readonly path: string
  /** One sentence for people. */
  readonly summary: string
  /** Paragraphs below the examples in help and reference. */
  readonly description?: string
  /** The first thing that help shows; three, where there are so many. */
  readonly examples: readonly CommandExample[]
  readonly args?: readonly ArgumentDefinition[]
  readonly options?: readonly OptionDefinition[]
  /** Not in help and reference: for machines. */
  readonly isHidden?: boolean
  /** Checks and types arguments and options together, by their camelCase names. */
  readonly input: s.ZodType<Input>
  run(input: Input, context: CommandContext): Promise<ExitCode>
}

export type CommandContext = {
  readonly deps: CliDeps
  readonly terminal: Terminal
  /** Everything that can be called, for completion. */
  readonly commands: readonly CommandDefinition[]
  /** The admin API that `--server` and `--token` name; see `server-options.ts`. */
  connect(input: ServerInput): AdminClient
}

export type ServerInput = {
  readonly server: string
  readonly token?: string | undefined
  readonly timeout: number
}

/** Keeps the inferred types of one command together. */
export function defineCommand<Input>(
  definition: CommandDefinition<Input>,
): CommandDefinition<Input> {
  return definition
}
