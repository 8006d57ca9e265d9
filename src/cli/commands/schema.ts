import { s } from '../../base/schema.ts'
import { configJsonSchema } from '../../control/json-schema.ts'
import { policyCatalog } from '../../proxy/policies/catalog.ts'
import { reportOnConfig } from '../check-config.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { toJson } from '../output/formats.ts'

const drafts = ['7', '2020-12'] as const

export const schemaCommand = defineCommand({
  path: 'schema',
  summary: 'Print the JSON Schema of configuration files, for editors.',
  description:
    'Put `# yaml-language-server: $schema=./headgate.schema.json` on the first line of a file, and the editor completes and checks it.',
  examples: [
    { title: 'Beside the configuration', command: 'headgate schema > headgate.schema.json' },
    { title: 'Look something up', command: 'headgate schema | jq .properties' },
    { title: 'Check a file without an editor', command: 'headgate validate headgate.yaml' },
  ],
  options: [
    {
      flags: '--draft <draft>',
      summary: '7 for editors, 2020-12 for other tools.',
      defaultText: '7',
      completion: { type: 'words', words: drafts },
    },
    {
      flags: '-c, --config <path>',
      summary: 'Also know the policies of your own that this configuration loads.',
      completion: { type: 'file' },
    },
  ],
  input: s.object({
    draft: s.enum(drafts, { error: 'must be `7` or `2020-12`' }).default('7'),
    config: s.string().max(4_096).optional(),
  }),
  async run({ draft, config }, { deps, terminal }) {
    const catalog =
      config === undefined ? policyCatalog() : (await reportOnConfig(config, deps)).catalog
    terminal.out(toJson(configJsonSchema(catalog, { draft })))
    return exitCodes.ok
  },
})
