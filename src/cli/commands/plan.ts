import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { s } from '../../base/schema.ts'
import { planChange } from '../admin-calls.ts'
import { managedByOption, readChange, renderPlanFile } from '../change-file.ts'
import { defineCommand } from '../define-command.ts'
import { exitCodes } from '../exit-codes.ts'
import { configOption } from '../find-config.ts'
import { problemLine } from '../report-error.ts'
import { toJson, toYamlText } from '../output/formats.ts'
import { hasDifference, renderPlan } from '../output/plan-view.ts'
import { serverInput, serverOptions } from '../server-options.ts'

export const planCommand = defineCommand({
  path: 'plan',
  summary: 'Show what applying the configuration would change, and change nothing.',
  description:
    'The gateway computes the plan from normalised objects, so defaults and order never show. Objects that only the gateway has are left alone unless `--prune` is given.',
  examples: [
    { title: 'What would change', command: 'headgate plan -c headgate.yaml' },
    {
      title: 'In CI: exit code 2 when there is a difference',
      command: 'headgate plan -c conf/ --exit-code --brief',
    },
    {
      title: 'Review first, then apply exactly that',
      command: 'headgate plan -c conf/ --out plan.json && headgate apply plan.json',
    },
  ],
  options: [
    configOption,
    { flags: '--brief', summary: 'One line per object.' },
    { flags: '--full', summary: 'Every field, also of what is created or deleted, uncut.' },
    { flags: '--exit-code', summary: 'End with 2 when there is a difference.' },
    {
      flags: '--out <file>',
      summary: 'Write the plan for `headgate apply FILE`.',
      completion: { type: 'file' },
    },
    { flags: '--prune', summary: 'Also delete what these files managed and no longer name.' },
    managedByOption,
    {
      flags: '-o, --output <format>',
      summary: 'text, json or yaml.',
      defaultText: 'text',
      completion: { type: 'words', words: ['text', 'json', 'yaml'] },
    },
    ...serverOptions,
  ],
  input: s
    .object({
      config: s.string().max(4_096).optional(),
      brief: s.boolean().default(false),
      full: s.boolean().default(false),
      exitCode: s.boolean().default(false),
      out: s.string().max(4_096).optional(),
      prune: s.boolean().default(false),
      managedBy: s.name().default('cli'),
      output: s.enum(['text', 'json', 'yaml']).default('text'),
      ...serverInput,
    })
    .refine((input) => !(input.brief && input.full), '`--brief` and `--full` exclude each other'),
  async run(input, context) {
    const { terminal, deps } = context
    const body = await readChange(input, context)
    const plan = await planChange(context.connect(input), body)
    for (const warning of plan.warnings) terminal.say(`warning: ${problemLine(warning)}`)
    if (input.output === 'json') terminal.out(toJson(plan))
    else if (input.output === 'yaml') terminal.out(toYamlText(plan))
    else {
      const detail = input.brief ? 'brief' : input.full ? 'full' : 'normal'
      terminal.out(renderPlan(plan, detail, terminal.paint.out))
    }
    if (input.out !== undefined) {
      await writeFile(resolve(deps.cwd, input.out), renderPlanFile(body, plan))
      terminal.say(`wrote ${input.out}; apply it with \`headgate apply ${input.out}\``)
    }
    return input.exitCode && hasDifference(plan) ? exitCodes.difference : exitCodes.ok
  },
})
