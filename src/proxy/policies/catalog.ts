/** All policies that a configuration may name, and the check of a configuration against them. */
import { HeadgateError } from '../../base/errors.ts'
import type { PolicyDefinition } from './define-policy.ts'
import { builtInPolicies } from './index.ts'

/** The built-in policies and `extra` ones by name. Throws when two have the same name. */
export function policyCatalog(
  extra: readonly PolicyDefinition[] = [],
): ReadonlyMap<string, PolicyDefinition> {
  const catalog = new Map<string, PolicyDefinition>()
  for (const definition of [...builtInPolicies, ...extra]) {
    if (catalog.has(definition.name)) {
      throw new HeadgateError('config.policy_load_failed', {
        message: `there are two policies named \`${definition.name}\`; rename one of them`,
      })
    }
    catalog.set(definition.name, definition)
  }
  return catalog
}

export type PolicyConfigCheck =
  | { readonly ok: true; readonly config: Readonly<Record<string, unknown>> }
  | {
      readonly ok: false
      readonly issues: readonly {
        readonly path: readonly (string | number)[]
        readonly message: string
      }[]
    }

/**
 * Checks what was written for a policy and fills in the defaults: the result is the `config` of a
 * snapshot's `PolicyEntry`. Whatever could not travel to a worker is refused here.
 */
export function checkPolicyConfig(
  definition: PolicyDefinition,
  written: unknown,
): PolicyConfigCheck {
  const result = definition.config.safeParse(written)
  if (!result.success) {
    const issues = result.error.issues.map((issue) => ({
      path: issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part)),
      message: issue.message,
    }))
    return { ok: false, issues }
  }
  if (isPlainObject(result.data) && isPlain(result.data)) return { ok: true, config: result.data }
  const message = `the schema of policy \`${definition.name}\` must give plain data (an object of strings, numbers, booleans, lists and objects): convert values in \`create\``
  return { ok: false, issues: [{ path: [], message }] }
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isPlain)
  if (isPlainObject(value)) return Object.values(value).every(isPlain)
  return ['string', 'number', 'boolean', 'undefined'].includes(typeof value) || value === null
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
