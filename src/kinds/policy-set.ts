import { s } from '../base/schema.ts'
import { defineKind } from './define-kind.ts'
import {
  expandPolicies,
  type PolicyEntry,
  policyListSchema,
  policyReferences,
  policyShortForms,
  shortenPolicies,
} from './policy-list.ts'

const policySetInput = s.strictObject({
  policies: policyListSchema.describe('In the order in which they run within their phase.'),
})

export type PolicySetSpec = { policies: PolicyEntry[] }

export const policySet = defineKind<PolicySetSpec, s.infer<typeof policySetInput>>({
  kind: 'PolicySet',
  plural: 'policySets',
  needsUser: true,
  summary: 'A named list of policies that routes share.',
  description:
    'Routes use it with `policies: [{ set: NAME }]`. State is shared: a rate limit in a set is one limit for all routes that use the set. A set may use other sets, not itself.',
  spec: policySetInput,
  expand: (input) => ({ policies: expandPolicies(input.policies) }),
  shorten: (spec) => ({ policies: shortenPolicies(spec.policies) }),
  shortForms: policyShortForms,
  policyLists: [['policies']],
  references: (spec) => policyReferences(spec.policies),
  columns: [
    {
      title: 'POLICIES',
      value: (spec) =>
        spec.policies
          .map((entry) => ('policySetRef' in entry ? `set ${entry.policySetRef}` : entry.policy))
          .join(', '),
    },
  ],
  actions: [],
  examples: [
    {
      title: 'Keys and a limit for several routes',
      yaml: 'policySets:\n  - name: standard\n    policies:\n      - api-key\n      - rate-limit: { limit: 100/min, by: App }\n',
    },
  ],
})
