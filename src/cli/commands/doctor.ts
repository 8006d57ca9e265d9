import { s } from '../../base/schema.ts'
import { defineCommand } from '../define-command.ts'
import { runChecks } from '../doctor/checks.ts'
import { exitCodes } from '../exit-codes.ts'
import { configOption } from '../find-config.ts'
import { addressInput, listenOptions } from '../listen-options.ts'
import { dataOutputInput, dataOutputOption, toJson, toYamlText } from '../output/formats.ts'
import { serverInput, serverOptions } from '../server-options.ts'

const defaults = { listen: '0.0.0.0:8080', admin: '127.0.0.1:9090' } as const
const marks = { ok: '✓', warning: '!', failed: '✗', skipped: '-' } as const

export const doctorCommand = defineCommand({
  path: 'doctor',
  summary: 'Look for what keeps a gateway from working here, and say what to do about it.',
  description:
    'Checks the runtime, the configuration and its secrets, addresses, the data folder, whether upstreams can be connected, and a running gateway. Changes nothing. Ends with 1 when a check failed.',
  examples: [
    { title: 'Everything, for the file of this folder', command: 'headgate doctor' },
    {
      title: 'For other files and addresses',
      command: 'headgate doctor -c conf/ --listen 127.0.0.1:8081',
    },
    { title: 'For machines', command: 'headgate doctor -o json' },
  ],
  options: [
    configOption,
    ...listenOptions(defaults),
    {
      flags: '--data <folder>',
      summary: 'Where state is kept.',
      env: 'HEADGATE_DATA',
      defaultText: './.headgate',
      completion: { type: 'file' },
    },
    dataOutputOption,
    ...serverOptions,
  ],
  input: s.object({
    config: s.string().max(4_096).optional(),
    listen: addressInput().prefault(defaults.listen),
    admin: addressInput().prefault(defaults.admin),
    data: s.string().max(4_096).default('.headgate'),
    output: dataOutputInput,
    ...serverInput,
  }),
  async run(input, context) {
    const { terminal } = context
    const paint = terminal.paint.out
    const results = await runChecks(input, context)
    if (input.output === 'json') terminal.out(toJson({ checks: results }))
    else if (input.output === 'yaml') terminal.out(toYamlText({ checks: results }))
    else {
      const colour = {
        ok: paint.green,
        warning: paint.yellow,
        failed: paint.red,
        skipped: paint.dim,
      }
      for (const { name, state, message, todo } of results) {
        terminal.out(`${colour[state](marks[state])} ${name.padEnd(14)} ${message}`)
        if (todo !== undefined) terminal.out(`  try: ${todo}`)
      }
    }
    return results.some(({ state }) => state === 'failed') ? exitCodes.error : exitCodes.ok
  },
})
