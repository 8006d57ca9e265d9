import { s } from '../../base/schema.ts'
import { actOn } from '../admin-calls.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { serverInput, serverOptions } from '../server-options.ts'

export const upstreamResetCommand = defineCommand({
  path: 'upstream reset',
  summary: 'Drop the run-time split of an upstream: its definition decides again.',
  examples: [
    { title: 'Back to the definition', command: 'headgate upstream reset books' },
    { title: 'Say why', command: 'headgate upstream reset books --reason "errors on v2"' },
    { title: 'And see where traffic goes now', command: 'headgate get upstream books' },
  ],
  args: [
    {
      name: 'name',
      summary: 'The upstream.',
      isRequired: true,
      completion: { type: 'object', kind: 'Upstream' },
    },
  ],
  options: [{ flags: '--reason <text>', summary: 'Why; kept in the audit.' }, ...serverOptions],
  input: s.object({
    name: s.name(),
    reason: s.string().max(1_024).optional(),
    ...serverInput,
  }),
  async run(input, context) {
    const reason = input.reason === undefined ? {} : { reason: input.reason }
    const target = { kind: 'Upstream', name: input.name, verb: 'clearSplit' }
    await actOn(context.connect(input), target, reason)
    context.terminal.out(`${input.name}: as defined`)
    return exitCodes.ok
  },
})
