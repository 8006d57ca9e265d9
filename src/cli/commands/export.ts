import { resolve } from 'node:path'
import { s } from '../../base/schema.ts'
import { exportDocument } from '../admin-calls.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { serverInput, serverOptions } from '../server-options.ts'
import { writeNewFile } from '../write-file.ts'

export const exportCommand = defineCommand({
  path: 'export',
  summary: 'Print the whole definition as one YAML document.',
  description: 'What it prints can be served with `run -c` and applied with `apply -c`, unchanged.',
  examples: [
    { title: 'Keep a copy', command: 'headgate export > headgate.yaml' },
    { title: 'Into a new file, never over an old one', command: 'headgate export --out copy.yaml' },
    {
      title: 'From one gateway to another',
      command: 'headgate export | headgate apply -c - --server http://127.0.0.1:9091 --yes',
    },
  ],
  options: [
    { flags: '--out <file>', summary: 'Write to a new file.', completion: { type: 'file' } },
    ...serverOptions,
  ],
  input: s.object({ out: s.string().max(4_096).optional(), ...serverInput }),
  async run(input, context) {
    const text = await exportDocument(context.connect(input))
    if (input.out === undefined) {
      context.terminal.outRaw(text)
      return exitCodes.ok
    }
    await writeNewFile(resolve(context.deps.cwd, input.out), text)
    context.terminal.say(`wrote ${input.out}`)
    return exitCodes.ok
  },
})
