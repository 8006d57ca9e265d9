import { s } from '../../base/schema.ts'
import {
  type ConfigReport,
  invalidConfig,
  renderWarnings,
  reportOnConfig,
} from '../check-config.ts'
import { checkSecrets } from '../check-secrets.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { configOption } from '../find-config.ts'
import { dataOutputInput, dataOutputOption, toJson, toYamlText } from '../output/formats.ts'

export const validateCommand = defineCommand({
  path: 'validate',
  summary: 'Check configuration files without a gateway.',
  description:
    'Reports everything that is wrong at once, each with file, line, column and what to write instead. Ends with 0 when a gateway would take it, with 3 when not.',
  examples: [
    { title: 'The file of this folder', command: 'headgate validate' },
    {
      title: 'A folder, and that its secrets can be read',
      command: 'headgate validate conf/ --secrets',
    },
    { title: 'For machines', command: 'headgate validate headgate.yaml -o json' },
  ],
  args: [
    {
      name: 'path',
      summary: 'File or folder; `-` for standard input; default ./headgate.yaml.',
      completion: { type: 'file' },
    },
  ],
  options: [
    configOption,
    { flags: '--secrets', summary: 'Also read every secret that is referred to, here and now.' },
    dataOutputOption,
  ],
  input: s.object({
    path: s.string().max(4_096).optional(),
    config: s.string().max(4_096).optional(),
    secrets: s.boolean().default(false),
    output: dataOutputInput,
  }),
  async run(input, { deps, terminal }) {
    const report = await reportOnConfig(input.path ?? input.config, deps)
    const checked = input.secrets ? await checkSecrets(report, deps) : report
    const isValid = checked.resources !== undefined
    if (input.output !== 'text') {
      const value = { valid: isValid, problems: checked.problems }
      terminal.out(input.output === 'json' ? toJson(value) : toYamlText(value))
      return isValid ? exitCodes.ok : exitCodes.invalidConfig
    }
    if (!isValid) throw invalidConfig(checked)
    const warnings = renderWarnings(checked)
    if (warnings !== undefined) terminal.say(warnings)
    terminal.say(`${checked.name} is valid: ${countKinds(checked)}`)
    return exitCodes.ok
  },
})

/** `1 Upstream, 3 Routes`. */
function countKinds({ resources }: ConfigReport): string {
  const byKind = Map.groupBy(resources ?? [], ({ kind }) => kind)
  const counts = [...byKind].map(
    ([kind, objects]) => `${objects.length} ${kind}${objects.length === 1 ? '' : 's'}`,
  )
  return counts.length === 0 ? 'nothing in it' : counts.join(', ')
}
