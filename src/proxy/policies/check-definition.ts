/** Finds the policies among the exports of a user's file and says what is wrong with them. */
import { s } from '../../base/schema.ts'
import { checkValue } from '../../base/schema-check.ts'
import { policyName } from '../../kinds/policy-list.ts'
import { type PolicyDefinition, policyPhases } from './define-policy.ts'

const definitionShape = s.object({
  name: policyName,
  summary: s.string().min(1, 'must say in one sentence what the policy does').max(512),
  description: s.string().max(65_536).optional(),
  phase: s.enum(policyPhases),
  config: s.custom((value) => value instanceof s.ZodType, {
    message: 'must be a schema made with `s` of `headgate/policy`, such as `s.strictObject({})`',
  }),
  create: s.custom((value) => typeof value === 'function', { message: 'must be a function' }),
  examples: s
    .array(s.object({ title: s.string().max(512), yaml: s.string().max(65_536) }))
    .max(64)
    .optional(),
})

export type ExportedPolicies = {
  readonly definitions: readonly PolicyDefinition[]
  readonly problems: readonly string[]
}

/** What a module exports is unknown until here. Exports that are no policies are nobody's business. */
export function policiesOf(exports: Readonly<Record<string, unknown>>): ExportedPolicies {
  const definitions = new Set<PolicyDefinition>()
  const problems: string[] = []
  for (const [exportName, value] of Object.entries(exports)) {
    if (!isMeantAsPolicy(value)) continue
    if (isDefinition(value)) definitions.add(value)
    else problems.push(...problemsOf(exportName, value))
  }
  if (definitions.size === 0 && problems.length === 0) {
    problems.push(
      'exports no policy: write `export const yours = definePolicy({ … })`, or begin the name of a helper file with `_`',
    )
  }
  return { definitions: [...definitions], problems }
}

/** Two of the four required members are taken as the intention to be a policy. */
function isMeantAsPolicy(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return ['name', 'phase', 'config', 'create'].filter((key) => key in value).length >= 2
}

function isDefinition(value: unknown): value is PolicyDefinition {
  return definitionShape.safeParse(value).success
}

function problemsOf(exportName: string, value: unknown): string[] {
  const checked = checkValue(definitionShape, value)
  const flaws = checked.ok ? [] : checked.flaws
  return flaws.map(({ path, message }) => {
    const place = path.length === 0 ? '' : `\`${path.join('.')}\` `
    return `export \`${exportName}\`: ${place}${message}`
  })
}
