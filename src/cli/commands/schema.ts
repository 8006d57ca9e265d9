import { s } from '../../base/schema.ts'
import { configJsonSchema } from '../../control/json-schema.ts'
import { policyCatalog } from '../../proxy/policies/catalog.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { toJson } from '../output/formats.ts'

export const schemaCommand = defineCommand({
  path: 'schema',
  summary: 'Print the JSON Schema of configuration files, for editors.',
  description:
    'Put `# yaml-language-server: $schema=./headgate.schema.json` on the first line of a file, and the editor completes and checks it.',
  examples: [
    { title: 'Beside the configuration', command: 'headgate schema > headgate.schema.json' },
    { title: 'Look something up', command: 'headgate schema | jq .properties.routes' },
    { title: 'Check a file without an editor', command: 'headgate validate headgate.yaml' },
  ],
  input: s.object({}),
  async run(_, { terminal }) {
    terminal.out(toJson(configJsonSchema(policyCatalog())))
    return exitCodes.ok
  },
})
