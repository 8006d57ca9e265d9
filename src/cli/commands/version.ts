import { s } from '../../base/schema.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { dataOutputInput, dataOutputOption, toJson, toYamlText } from '../output/formats.ts'

export const versionCommand = defineCommand({
  path: 'version',
  summary: 'Print the version of Headgate and of what it runs on.',
  examples: [
    { title: 'For people', command: 'headgate version' },
    { title: 'For scripts', command: 'headgate version -o json' },
    { title: 'The number alone', command: 'headgate --version' },
  ],
  options: [dataOutputOption],
  input: s.object({ output: dataOutputInput }),
  async run({ output }, { deps, terminal }) {
    const versions = {
      version: deps.version,
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
    }
    if (output === 'json') terminal.out(toJson(versions))
    else if (output === 'yaml') terminal.out(toYamlText(versions))
    else terminal.out(`headgate ${versions.version} · Node ${versions.node} · ${versions.platform}`)
    return exitCodes.ok
  },
})
