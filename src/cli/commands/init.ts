import { stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { s } from '../../base/schema.ts'
import { configJsonSchema } from '../../control/json-schema.ts'
import { policyCatalog } from '../../proxy/policies/catalog.ts'
import { makeFolder } from '../../store/make-folder.ts'
import { defineCommand } from '../define-command.ts'
import { calledAs } from '../deps.ts'
import { exitCodes } from '../exit-codes.ts'
import { toJson } from '../output/formats.ts'
import { starterDocument } from '../starter.ts'
import { writeNewFile } from '../write-file.ts'

const schemaFileName = 'headgate.schema.json'

export const initCommand = defineCommand({
  path: 'init',
  summary: 'Write a commented starter configuration.',
  description: `Writes headgate.yaml, and ${schemaFileName} beside it for editors. A configuration that is there already is never overwritten.`,
  examples: [
    { title: 'Here', command: 'headgate init' },
    {
      title: 'In front of your own API',
      command: 'headgate init --upstream http://127.0.0.1:3000',
    },
    { title: 'Elsewhere', command: 'headgate init conf/' },
  ],
  args: [
    {
      name: 'path',
      summary: 'Folder, or name of the file; default ./headgate.yaml.',
      completion: { type: 'file' },
    },
  ],
  options: [
    {
      flags: '--upstream <url>',
      summary: 'Address of your API.',
      defaultText: 'http://127.0.0.1:7001',
    },
  ],
  input: s.object({
    path: s.string().max(4_096).default('.'),
    upstream: s.httpUrl().default('http://127.0.0.1:7001'),
  }),
  async run(input, { deps, terminal }) {
    const file = await fileFor(resolve(deps.cwd, input.path))
    await makeFolder(dirname(file))
    await writeNewFile(file, starterDocument({ schemaFileName, upstream: input.upstream }))
    // Derived from this version, so an older copy is brought up to date.
    const schema = toJson(configJsonSchema(policyCatalog(), { draft: '7' }))
    await writeFile(join(dirname(file), schemaFileName), `${schema}\n`)
    const shown = relative(deps.cwd, file)
    const command = calledAs(deps)
    terminal.say(`wrote ${shown} and ${schemaFileName}`)
    terminal.say(`next: ${command} validate ${shown}; ${command} run -c ${shown}`)
    terminal.out(shown)
    return exitCodes.ok
  },
})

/** A folder, there already or written with a slash, gets `headgate.yaml`. */
async function fileFor(path: string): Promise<string> {
  if (/\.ya?ml$/.test(path)) return path
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() === true ? path : join(path, 'headgate.yaml')
}
