import { commands } from '../../src/cli/commands/index.ts'
import type { CommandDefinition } from '../../src/cli/define-command.ts'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { anchorOf, blocks, code, fence, generatedNote, table } from './markdown.ts'

/** docs/reference/cli.md: every command with every argument and option. */
export function cliPage(): string {
  const shown = commands.filter(({ isHidden }) => isHidden !== true)
  return blocks(
    generatedNote('`src/cli/commands/`'),
    '# Command line',
    'Standard output is data and nothing else; messages go to standard error. Flags win over environment variables. `NO_COLOR` and `--no-color` turn colours off, `--quiet` (`-q`) leaves only what goes wrong, `--verbose` says more.',
    table(
      ['command', 'what it does'],
      shown.map(({ path, summary }) => [`[${path}](#${anchorOf(`headgate ${path}`)})`, summary]),
    ),
    '## Exit codes',
    table(
      ['code', 'name'],
      Object.entries(exitCodes).map(([name, value]) => [code(String(value)), name]),
    ),
    ...shown.map(commandSection),
  )
}

function commandSection(definition: CommandDefinition): string {
  const { path, summary, description = '', examples, args = [], options = [] } = definition
  return blocks(
    `## headgate ${path}`,
    summary,
    fence('sh', examples.map(({ title, command }) => `# ${title}\n${command}`).join('\n\n')),
    description,
    table(
      ['argument', 'meaning'],
      args.map(({ name, summary: meaning, isRequired, isVariadic }) => [
        code(isVariadic === true ? `${name}...` : name),
        isRequired === true ? `${meaning} Required.` : meaning,
      ]),
    ),
    table(
      ['option', 'default', 'variable', 'meaning'],
      options.map(({ flags, summary: meaning, defaultText, env }) => [
        code(flags),
        defaultText ?? '',
        env === undefined ? '' : code(env),
        meaning,
      ]),
    ),
  )
}
