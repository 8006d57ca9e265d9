import { s } from '../base/schema.ts'
import { issueOf, unknownKey } from '../base/schema-check.ts'
import type { Path, Reference } from './define-kind.ts'

/**
 * An entry of a list of policies. Short: `rate-limit: { limit: 100/min }`, just `api-key`, or
 * `set: standard`. Long: `{ policy: rate-limit, config: {…} }` or `{ policySetRef: standard }`. The
 * config is checked by the policy's own schema, at admission, because users bring policies of
 * their own.
 */
export type PolicyEntry =
  | { readonly policy: string; readonly config: Readonly<Record<string, unknown>> }
  | { readonly policySetRef: string }

/** `set`, `policy` and `x-…` are taken: they mean something else as the key of an entry. */
export const policyName = s
  .string()
  .max(63)
  .regex(
    /^(?!(?:set|policy)$)(?!x-)[a-z][a-z0-9-]*$/,
    'must be the name of a policy such as `rate-limit`',
  )

type PolicyEntryInput = string | Readonly<Record<string, unknown>>
type EntryForm = 'name' | 'long' | 'set' | 'short'

/** What may be written for one entry; `json-schema.ts` describes it with the policies there are. */
export const policyEntrySchema = s
  .custom<PolicyEntryInput>()
  .superRefine((entry, context) => {
    const problems = typeof entry === 'string' ? nameProblems(entry) : mapProblems(entry)
    for (const problem of problems) context.addIssue(problem)
  })
  .meta({ isBounded: true })

export const policyListSchema = s.array(policyEntrySchema).max(64)

export type PolicyListInput = s.infer<typeof policyListSchema>

const setName = s.name()

type EntryProblem = ReturnType<typeof issueOf>

const entryForms = 'must be a policy such as `rate-limit: { limit: 100/min }`, or `set: NAME`'

function problem(path: Path, message: string): EntryProblem {
  return issueOf({ path, code: 'config.bad_value', message })
}

function nameProblems(entry: string): EntryProblem[] {
  return policyName.safeParse(entry).success ? [] : [problem([], entryForms)]
}

function mapProblems(entry: unknown): EntryProblem[] {
  const isMap = typeof entry === 'object' && entry !== null && !Array.isArray(entry)
  if (!isMap) return [problem([], entryForms)]
  const entries = Object.entries(entry).filter(([key]) => !key.startsWith('x-'))
  const form = formOf(Object.fromEntries(entries))
  if (form === 'long') return longProblems(entries)
  if (form === 'set') return setProblems(entries)
  return shortProblems(entries)
}

function formOf(entry: PolicyEntryInput): EntryForm {
  if (typeof entry === 'string') return 'name'
  if ('policy' in entry) return 'long'
  return 'set' in entry || 'policySetRef' in entry ? 'set' : 'short'
}

type Entries = readonly (readonly [string, unknown])[]

function longProblems(entries: Entries): EntryProblem[] {
  return entries.flatMap(([key, value]) => {
    if (key === 'config') return configProblems(['config'], value)
    if (key !== 'policy') return [issueOf(unknownKey([key], ['policy', 'config']))]
    const isName = policyName.safeParse(value).success
    return isName ? [] : [problem(['policy'], 'must be the name of a policy such as `rate-limit`')]
  })
}

function setProblems(entries: Entries): EntryProblem[] {
  const [first] = entries
  if (entries.length > 1 || first === undefined) {
    return [problem([], 'must hold one policy or set; start a new list entry (`-`) for the next')]
  }
  const checked = setName.safeParse(first[1])
  return checked.success ? [] : [problem([first[0]], 'must be the name of a policy set')]
}

function shortProblems(entries: Entries): EntryProblem[] {
  const [first] = entries
  if (first === undefined) return [problem([], entryForms)]
  if (entries.length > 1) {
    const isOutdented = first[1] === null || first[1] === undefined
    const hint = isOutdented ? `indent what belongs to \`${first[0]}\` further, or ` : ''
    return [problem([], `must hold one policy; ${hint}start a new list entry (\`-\`) for the next`)]
  }
  const [name, config] = first
  if (!policyName.safeParse(name).success) {
    return [
      issueOf({
        path: [name],
        at: 'key',
        code: 'config.bad_value',
        message: 'must be the name of a policy such as `rate-limit`',
      }),
    ]
  }
  return configProblems([name], config)
}

/** Entries of one config; the policy's own schema is stricter. */
const configEntriesMax = 256

function configProblems(path: Path, config: unknown): EntryProblem[] {
  if (config === null || config === undefined) return []
  if (typeof config !== 'object' || Array.isArray(config)) {
    return [
      problem(path, 'must be a map with the settings of the policy, such as `{ limit: 100/min }`'),
    ]
  }
  return Object.keys(config).length <= configEntriesMax
    ? []
    : [problem(path, `must have at most ${configEntriesMax} settings`)]
}

/** The canonical list; each entry has passed `policyListSchema`. */
export function expandPolicies(entries: PolicyListInput): PolicyEntry[] {
  return entries.map(expandEntry)
}

function expandEntry(entry: PolicyEntryInput): PolicyEntry {
  if (typeof entry === 'string') return { policy: entry, config: {} }
  const form = formOf(entry)
  if (form === 'set') return { policySetRef: String(entry.policySetRef ?? entry.set) }
  if (form === 'long') return { policy: String(entry.policy), config: configOf(entry.config) }
  const [name, config] = Object.entries(entry).find(([key]) => !key.startsWith('x-')) ?? ['', {}]
  return { policy: name, config: configOf(config) }
}

function configOf(config: unknown): Readonly<Record<string, unknown>> {
  return typeof config === 'object' && config !== null ? { ...config } : {}
}

/** The shortest way to write each entry. */
export function shortenPolicies(entries: readonly PolicyEntry[]): PolicyListInput {
  return entries.map((entry) => {
    if ('policySetRef' in entry) return { set: entry.policySetRef }
    const isBare = Object.keys(entry.config).length === 0
    return isBare ? entry.policy : { [entry.policy]: entry.config }
  })
}

export function policyReferences(entries: readonly PolicyEntry[]): Reference[] {
  return entries.flatMap((entry, index): Reference[] =>
    'policySetRef' in entry
      ? [{ kind: 'PolicySet', name: entry.policySetRef, path: ['policies', index, 'policySetRef'] }]
      : [],
  )
}

/** Short forms inside a list of policies at `policies`; that of a config depends on its entry. */
export const policyShortForms = [['policies.*.policySetRef', 'policies.*.set']] as const
