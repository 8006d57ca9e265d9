import { s } from '../base/schema.ts'
import type { Reference } from './define-kind.ts'

/**
 * An entry of a list of policies. Short: `{ rate-limit: { limit: 100/min } }` or `{ set: standard }`.
 * Long: `{ policy: rate-limit, config: {…} }` or `{ policySetRef: standard }`. The config is checked by
 * the policy's own schema, at admission, because users bring policies of their own.
 */
export type PolicyEntry =
  | { readonly policy: string; readonly config: Readonly<Record<string, unknown>> }
  | { readonly policySetRef: string }

export const policyName = s
  .string()
  .max(63)
  .regex(/^[a-z][a-z0-9-]*$/, 'must be the name of a policy such as `rate-limit`')

const configSchema = s.record(s.string().max(128), s.unknown())

const longEntry = s.strictObject({ policy: policyName, config: configSchema.optional() })
const setEntry = s.strictObject({ set: s.name().optional(), policySetRef: s.name().optional() })
const shortEntry = s.record(policyName, configSchema.nullable())

const entrySchema = s.custom<Record<string, unknown>>().superRefine((entry, context) => {
  const isMap = typeof entry === 'object' && entry !== null && !Array.isArray(entry)
  if (!isMap || Object.keys(entry).length === 0) {
    context.addIssue({
      code: 'custom',
      message: 'must be a policy such as `rate-limit: { limit: 100/min }`, or `set: NAME`',
    })
    return
  }
  const result = schemaOf(entry).safeParse(entry)
  for (const issue of result.error?.issues ?? [])
    context.addIssue({ code: 'custom', path: [...issue.path], message: issue.message })
  if (result.success && schemaOf(entry) === shortEntry && Object.keys(entry).length > 1) {
    context.addIssue({
      code: 'custom',
      message: 'must hold one policy; start a new list entry (`-`) for the next',
    })
  }
})

function schemaOf(entry: Readonly<Record<string, unknown>>): s.ZodType {
  if ('policy' in entry) return longEntry
  if ('set' in entry || 'policySetRef' in entry) return setEntry
  return shortEntry
}

export const policyListSchema = s.array(entrySchema).max(64)

export type PolicyListInput = s.infer<typeof policyListSchema>

export function expandPolicies(entries: PolicyListInput): PolicyEntry[] {
  return entries.map((entry) => {
    const set = setEntry.safeParse(entry).data
    const setName = set?.policySetRef ?? set?.set
    if (setName !== undefined) return { policySetRef: setName }
    const long = longEntry.safeParse(entry).data
    if (long !== undefined) return { policy: long.policy, config: long.config ?? {} }
    const [name, config] = Object.entries(shortEntry.parse(entry))[0] ?? ['', {}]
    return { policy: name, config: config ?? {} }
  })
}

export function policyReferences(entries: readonly PolicyEntry[]): Reference[] {
  return entries.flatMap((entry, index): Reference[] =>
    'policySetRef' in entry
      ? [{ kind: 'PolicySet', name: entry.policySetRef, path: ['policies', index, 'policySetRef'] }]
      : [],
  )
}
