/** From configuration files to a change the admin API takes, and the file that carries a reviewed plan. */
import { readFile } from 'node:fs/promises'
import { HeadgateError, messageOf } from '../base/errors.ts'
import { s } from '../base/schema.ts'
import { type ChangeBody, changeBody, type PlanView, planSchema } from './admin-calls.ts'
import { type CheckedConfig, checkConfig } from './check-config.ts'
import type { CommandContext, OptionDefinition } from './define-command.ts'
import { usageError } from './report-error.ts'

export const managedByOption: OptionDefinition = {
  flags: '--managed-by <name>',
  summary: 'Who owns these objects; pruning touches only what the same owner made.',
  defaultText: 'cli',
}

/** Checks the files here first, because only here do problems have a line and a column. */
export async function readChange(
  input: { config?: string | undefined; prune: boolean; managedBy: string },
  context: CommandContext,
): Promise<ChangeBody> {
  const checked = await checkConfig(input.config, context.deps)
  return changeOf(checked, input)
}

function changeOf(
  { resources }: CheckedConfig,
  input: { prune: boolean; managedBy: string },
): ChangeBody {
  return {
    puts: resources.map(({ workspace: _, ...resource }) => resource),
    deletes: [],
    prune: input.prune,
    managedBy: input.managedBy,
  }
}

const planFile = s.object({
  headgatePlan: s.literal(1),
  change: changeBody,
  plan: planSchema,
})

export type PlanFile = s.infer<typeof planFile>

/** JSON with the change and the plan that was shown for it. */
export function renderPlanFile(change: ChangeBody, plan: PlanView): string {
  return `${JSON.stringify({ headgatePlan: 1, change, plan } satisfies PlanFile, null, 2)}\n`
}

/** Reads what `plan --out` wrote. */
export async function readPlanFile(path: string): Promise<PlanFile> {
  const value = await readJsonFile(path)
  const result = planFile.safeParse(value)
  if (result.success) return result.data
  throw usageError(
    `${path} is not a plan of this version of Headgate`,
    'headgate plan --out plan.json; to apply a configuration write `headgate apply -c FILE`',
  )
}

async function readJsonFile(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (thrown) {
    throw new HeadgateError('config.unreadable', {
      message: `cannot read ${path}`,
      cause: thrown,
    })
  }
  try {
    return JSON.parse(text)
  } catch (thrown) {
    // Not JSON, so not a plan: the schema says so, with what to do instead.
    return messageOf(thrown)
  }
}
