import { resolve } from 'node:path'
import { s } from '../../base/schema.ts'
import { applyChange, type ChangeBody, type PlanView, planChange } from '../admin-calls.ts'
import { managedByOption, readChange, readPlanFile } from '../change-file.ts'
import { type CommandContext, defineCommand } from '../define-command.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { configOption } from '../find-config.ts'
import { toJson } from '../output/formats.ts'
import { hasDifference, renderPlan } from '../output/plan-view.ts'
import { problemLine, usageError } from '../report-error.ts'
import { serverInput, serverOptions } from '../server-options.ts'

/** More deletions than either of these need `--prune=confirm`. */
const pruneCountMax = 10
const pruneShareMax = 0.2

const applyInput = s.object({
  plan: s.string().max(4_096).optional(),
  config: s.string().max(4_096).optional(),
  yes: s.boolean().default(false),
  prune: s
    .union([s.boolean(), s.literal('confirm')], { error: 'is `--prune` or `--prune=confirm`' })
    .default(false),
  managedBy: s.name().default('cli'),
  reason: s.string().max(1_024).optional(),
  output: s.enum(['text', 'json'], { error: 'must be `text` or `json`' }).default('text'),
  ...serverInput,
})

type ApplyInput = s.infer<typeof applyInput>

export const applyCommand = defineCommand({
  path: 'apply',
  summary: 'Make the gateway serve the configuration: all of it or nothing.',
  description:
    'Shows the plan, asks on a terminal, and applies it as one revision. Elsewhere `--yes` is needed. Nothing is ever deleted without `--prune`, and then only what the same owner made.',
  examples: [
    { title: 'Look, confirm, apply', command: 'headgate apply -c headgate.yaml' },
    { title: 'In CI', command: 'headgate apply -c conf/ --yes --reason "release 42"' },
    { title: 'Exactly the plan that was reviewed', command: 'headgate apply plan.json --yes' },
  ],
  args: [{ name: 'plan', summary: 'File that `plan --out` wrote.', completion: { type: 'file' } }],
  options: [
    configOption,
    { flags: '-y, --yes', summary: 'Do not ask.' },
    {
      flags: '--prune [confirm]',
      summary: `Also delete what is no longer named; =confirm for more than ${pruneCountMax} or ${pruneShareMax * 100} %.`,
    },
    managedByOption,
    { flags: '--reason <text>', summary: 'Why; kept with the revision.' },
    {
      flags: '-o, --output <format>',
      summary: 'text or json.',
      defaultText: 'text',
      completion: { type: 'words', words: ['text', 'json'] },
    },
    ...serverOptions,
  ],
  input: applyInput,
  run: apply,
})

async function apply(input: ApplyInput, context: CommandContext): Promise<ExitCode> {
  const { terminal } = context
  const admin = context.connect(input)
  const { body, plan } = await prepare(input, context)
  for (const warning of plan.warnings) terminal.say(`warning: ${problemLine(warning)}`)
  terminal.say(renderPlan(plan, 'normal', terminal.paint.err))
  const isEmpty = !hasDifference(plan)
  // A reviewed plan is sent even when it is empty: only the gateway knows whether it still holds.
  if (isEmpty && input.plan === undefined) {
    if (input.output === 'json') terminal.out(toJson({ plan, revision: plan.baseRevision }))
    return exitCodes.ok
  }
  checkPrune(plan, input, terminal.isInteractive)
  if (!input.yes && !isEmpty && !(await confirm(context))) {
    terminal.warn('nothing was changed')
    return exitCodes.error
  }
  // The revision that the plan was shown for: what was confirmed is what is applied.
  const result = await applyChange(admin, {
    ...body,
    baseRevision: plan.baseRevision,
    ...(input.reason !== undefined && { reason: input.reason }),
  })
  if (input.output === 'json') terminal.out(toJson(result))
  else terminal.out(`revision ${result.revision}`)
  return exitCodes.ok
}

async function prepare(
  input: ApplyInput,
  context: CommandContext,
): Promise<{ body: ChangeBody; plan: PlanView }> {
  if (input.plan === undefined) {
    const body = await readChange({ ...input, prune: input.prune !== false }, context)
    return { body, plan: await planChange(context.connect(input), body) }
  }
  if (/\.ya?ml$/.test(input.plan)) {
    throw usageError(
      `${input.plan} is a configuration, not a plan`,
      `headgate apply -c ${input.plan}`,
    )
  }
  const { change, plan } = await readPlanFile(resolve(context.deps.cwd, input.plan))
  return { body: change, plan }
}

/** A wrong folder or a wrong `--managed-by` shows as many deletions at once. */
function checkPrune(plan: PlanView, input: ApplyInput, isInteractive: boolean): void {
  const { delete: deletes, change, unchanged } = plan.counts
  const share = deletes / Math.max(1, deletes + change + unchanged)
  const isMany = deletes > pruneCountMax || (deletes > 1 && share > pruneShareMax)
  // With a plan file the deletions were reviewed; on a terminal they are confirmed below.
  const isConfirmed = input.prune === 'confirm' || input.plan !== undefined
  if (!isMany || isConfirmed || (isInteractive && !input.yes)) return
  throw usageError(
    `this deletes ${deletes} objects (${Math.round(share * 100)} % of what these files manage)`,
    '`--prune=confirm` if that is meant, or leave `--prune` away',
  )
}

async function confirm({ terminal }: CommandContext): Promise<boolean> {
  if (!terminal.isInteractive) {
    throw usageError('nobody to ask: this is not a terminal', 'the same with `--yes`')
  }
  const answer = await terminal.ask('Apply? [y/N] ')
  return answer === 'y' || answer === 'yes'
}
