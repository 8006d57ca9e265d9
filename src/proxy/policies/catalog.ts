/** All policies that a configuration may name, and the check of a configuration against them. */
import { HeadgateError } from '../../base/errors.ts'
import { type Checked, checkValue } from '../../base/schema-check.ts'
import type { PolicyCatalog, PolicyDefinition } from './define-policy.ts'
import { builtInPolicies } from './index.ts'

/** The built-in policies and `extra` ones by name. Throws when two have the same name. */
export function policyCatalog(extra: readonly PolicyDefinition[] = []): PolicyCatalog {
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

/**
 * Checks what was written for a policy and fills in the defaults: the result is the `config` of a
 * snapshot's `PolicyEntry`. Whatever could not travel to a worker is refused here.
 */
export function checkPolicyConfig(
  definition: PolicyDefinition,
  written: unknown,
): Checked<Readonly<Record<string, unknown>>> {
  const checked = checkValue(definition.config, written)
  if (!checked.ok) return checked
  const { value } = checked
  if (isPlainObject(value) && isPlain(value)) return { ok: true, value }
  const message = `does not become plain data (an object of strings, numbers, booleans, lists and objects) by the schema of the policy \`${definition.name}\`: convert values in its \`create\``
  return { ok: false, flaws: [{ path: [], at: 'value', code: 'config.bad_value', message }] }
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
