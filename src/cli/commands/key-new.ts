import { s } from '../../base/schema.ts'
import { makeAppKey } from '../../control/app-key.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { dataOutputInput, dataOutputOption, toJson, toYamlText } from '../output/formats.ts'

export const keyNewCommand = defineCommand({
  path: 'key new',
  summary: 'Make an API key: the key to hand out, and the line for the configuration.',
  description:
    'The first line is the key; nothing keeps it. The second goes under `keys:` of an app and holds only the hash, so it may be committed.',
  examples: [
    { title: 'A key and its line', command: 'headgate key new' },
    { title: 'With a name of its own', command: 'headgate key new ci-2026' },
    { title: 'For scripts', command: 'headgate key new -o json' },
  ],
  args: [{ name: 'name', summary: 'Tells the keys of one app apart; default `default`.' }],
  options: [dataOutputOption],
  input: s.object({ name: s.name().default('default'), output: dataOutputInput }),
  async run({ name, output }, { deps, terminal }) {
    const { key, hash, prefix } = makeAppKey(deps.random)
    if (output === 'json') terminal.out(toJson({ key, name, hash, prefix }))
    else if (output === 'yaml') terminal.out(toYamlText({ key, name, hash, prefix }))
    else {
      terminal.out(key)
      terminal.out(`- { name: ${name}, hash: "${hash}", prefix: "${prefix}" }`)
      terminal.say('the first line is the key, shown once; the second goes under `keys:` of an app')
    }
    return exitCodes.ok
  },
})
