/** The configs in a list of policies, judged by the schemas of the policies that they name. */
import { suggestion } from '../../base/did-you-mean.ts'
import { messageOf } from '../../base/errors.ts'
import { type Flaw, valueAt } from '../../base/schema-check.ts'
import { markedValues } from '../../base/schema-walk.ts'
import type { Path, Reference } from '../../kinds/define-kind.ts'
import { expandPolicies, type PolicyEntry, policyListSchema } from '../../kinds/policy-list.ts'
import { checkPolicyConfig } from '../../proxy/policies/catalog.ts'
import type { PolicyCatalog, PolicyDefinition } from '../../proxy/policies/define-policy.ts'
import type { AnyDocument } from './candidate.ts'

/** The entries of a list; undefined where one is not well-formed by itself. */
export function writtenEntries(list: unknown): (PolicyEntry | undefined)[] {
  if (!Array.isArray(list)) return []
  return list.map((entry: unknown) => {
    const parsed = policyListSchema.safeParse([entry])
    return parsed.success ? expandPolicies(parsed.data)[0] : undefined
  })
}

export type PolicyPlace = {
  readonly document: AnyDocument
  readonly list: Path
  readonly catalog: PolicyCatalog
}

/** Checks each config by the schema of its policy, which also fills in defaults. */
export function checkPolicies(entries: readonly (PolicyEntry | undefined)[], place: PolicyPlace) {
  const flaws: Flaw[] = []
  const references: Reference[] = []
  const checkedEntries = entries.map((entry, index) => {
    if (entry === undefined || 'policySetRef' in entry) return entry
    const path = [...place.list, index]
    const policy = place.catalog.get(entry.policy)
    if (policy === undefined) {
      flaws.push(unknownPolicy(entry.policy, path, place))
      return entry
    }
    const configPath = [...path, ...configSteps(valueAt(place.document.spec, path), entry.policy)]
    const checked = checkConfig(policy, entry.config)
    if (checked.ok) {
      references.push(...referencesIn(policy, checked.value, configPath))
      return { policy: entry.policy, config: checked.value }
    }
    flaws.push(...checked.flaws.map((flaw) => ({ ...flaw, path: [...configPath, ...flaw.path] })))
    return entry
  })
  return { entries: checkedEntries, flaws, references }
}

/** Values whose schema says `.meta({ refersTo: 'App' })` name resources. */
function referencesIn(policy: PolicyDefinition, config: unknown, base: Path): Reference[] {
  return markedValues(policy.config, config, 'refersTo').flatMap(({ path, mark, value }) =>
    typeof mark === 'string' && typeof value === 'string'
      ? [{ kind: mark, name: value, path: [...base, ...path] }]
      : [],
  )
}

/** The config with its defaults. The schema may be a user's own, and throw. */
function checkConfig(policy: PolicyDefinition, config: unknown) {
  try {
    return checkPolicyConfig(policy, config)
  } catch (thrown) {
    const message = `cannot be checked, because the schema of \`${policy.name}\` fails: ${messageOf(thrown)}`
    const flaw: Flaw = { path: [], at: 'value', code: 'config.policy_create_failed', message }
    return { ok: false, flaws: [flaw] } as const
  }
}

function unknownPolicy(name: string, path: Path, { document, catalog }: PolicyPlace): Flaw {
  const written = valueAt(document.spec, path)
  const isShort = typeof written === 'object' && written !== null && Object.hasOwn(written, name)
  const names = [...catalog.keys()]
  const hint = suggestion(name, names)
  const known = names.map((each) => `\`${each}\``).join(', ')
  return {
    path: isShort ? [...path, name] : path,
    at: isShort ? 'key' : 'value',
    code: 'config.unknown_policy',
    message: hint === undefined ? `is not a policy; there are ${known}` : 'is not a policy',
    ...(hint !== undefined && { suggestion: hint }),
  }
}

/** Where the config stands below its entry: `config` in the long form, the name in the short one. */
function configSteps(written: unknown, policy: string): Path {
  const isLong = typeof written === 'object' && written !== null && Object.hasOwn(written, 'policy')
  return isLong ? ['config'] : [policy]
}
