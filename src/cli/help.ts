/** Help text: what it does, examples first, then arguments and flags. */
import type { Command, Help, HelpConfiguration } from 'commander'
import type { CommandDefinition } from './define-command.ts'

const examplesTop = [
  {
    title: 'See it work: two versions of a bookshop, traffic, a gateway',
    command: 'headgate demo',
  },
  {
    title: 'Put a gateway in front of an API',
    command: 'headgate run --upstream http://127.0.0.1:7001',
  },
  { title: 'Begin a configuration of your own', command: 'headgate init && headgate run' },
]

/** `definitionOf` finds what a commander command was built from; undefined for groups and the root. */
export function helpConfiguration(
  definitionOf: (command: Command) => CommandDefinition | undefined,
): HelpConfiguration {
  const examplesOf = (group: Command) =>
    group.commands.flatMap((command) => definitionOf(command)?.examples.slice(0, 2) ?? [])
  return {
    showGlobalOptions: true,
    formatHelp(command: Command, helper: Help) {
      const definition = definitionOf(command)
      const isRoot = command.parent === null
      const examples = definition?.examples ?? (isRoot ? examplesTop : examplesOf(command))
      const width = helper.padWidth(command, helper)
      const item = (term: string, text: string) => helper.formatItem(term, width, text, helper)
      const list = (heading: string, items: string[]) =>
        items.length === 0 ? [] : [heading, ...items, '']
      return [
        definition?.summary ?? helper.commandDescription(command),
        '',
        ...list(
          'Examples:',
          examples.flatMap(({ title, command: line }) => [`  # ${title}`, `  $ ${line}`]),
        ),
        `Usage: ${helper.commandUsage(command)}`,
        '',
        ...(definition?.description === undefined
          ? []
          : [wrap(definition.description, helper), '']),
        ...list(
          'Arguments:',
          helper
            .visibleArguments(command)
            .map((argument) =>
              item(helper.argumentTerm(argument), helper.argumentDescription(argument)),
            ),
        ),
        ...list(
          'Commands:',
          helper
            .visibleCommands(command)
            .map((child) =>
              item(helper.subcommandTerm(child), helper.subcommandDescription(child)),
            ),
        ),
        ...list(
          'Flags:',
          helper
            .visibleOptions(command)
            .map((option) => item(helper.optionTerm(option), helper.optionDescription(option))),
        ),
        ...list(
          'Everywhere:',
          helper
            .visibleGlobalOptions(command)
            .filter((option) => option.long !== '--version')
            .map((option) => item(helper.optionTerm(option), helper.optionDescription(option))),
        ),
      ].join('\n')
    },
  }
}

/** Paragraph by paragraph, because the wrapping of commander keeps line breaks. */
function wrap(text: string, helper: Help): string {
  return text
    .split('\n\n')
    .map((paragraph) => helper.boxWrap(paragraph, helper.helpWidth ?? 100))
    .join('\n\n')
}
