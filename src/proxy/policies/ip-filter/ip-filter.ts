/** Lets requests through by the address of the client. */
import { cidrTable } from '../../../base/cidr.ts'
import { s } from '../../../base/schema.ts'
import { definePolicy, deny, proceed } from '../define-policy.ts'
import { RecentCache } from '../recent-cache.ts'

/** Addresses whose outcome is remembered, so that a kept-alive connection is judged once. */
export const addressesCachedMax = 8_192

const networks = s.array(s.cidr()).min(1).max(10_000)

const config = s
  .strictObject({
    allow: networks.optional().describe('Only these networks may pass. Default: all.'),
    deny: networks
      .optional()
      .describe('These networks may not pass, even when `allow` names them.'),
  })
  .refine((lists) => lists.allow !== undefined || lists.deny !== undefined, {
    message: 'must have `allow`, `deny` or both',
  })

export const ipFilter = definePolicy({
  name: 'ip-filter',
  summary: 'Allows or refuses client networks.',
  description:
    'An address that `deny` names is refused, even if `allow` names it too. With `allow`, an address that it does not name is refused. Behind proxies listed in `gateway.trustedProxies` the address is the one they report.',
  phase: 'access',
  config,
  examples: [
    { title: 'Only from inside', yaml: 'ip-filter: { allow: [10.0.0.0/8, "fd00::/8"] }' },
    {
      title: 'A network but for one of its machines',
      yaml: 'ip-filter: { allow: [192.0.2.0/24], deny: [192.0.2.7] }',
    },
  ],
  create(lists) {
    const allowed = lists.allow === undefined ? undefined : cidrTable(lists.allow)
    const denied = cidrTable(lists.deny ?? [])
    const refusal = deny('client.address_denied')
    const passes = new RecentCache<'yes' | 'no'>(addressesCachedMax)
    const judge = (address: string): 'yes' | 'no' => {
      const isAllowed = allowed === undefined || allowed.has(address)
      const outcome = isAllowed && !denied.has(address) ? 'yes' : 'no'
      passes.set(address, outcome)
      return outcome
    }
    return {
      onRequest({ client }) {
        return (passes.get(client.address) ?? judge(client.address)) === 'yes' ? proceed : refusal
      },
    }
  },
})
