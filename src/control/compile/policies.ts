import { HeadgateError } from '../../base/errors.ts'
import type { PolicyEntry as PolicyListEntry } from '../../kinds/policy-list.ts'
import type { PolicySetSpec } from '../../kinds/policy-set.ts'
import { checkPolicyConfig } from '../../proxy/policies/catalog.ts'
import { type PolicyCatalog, policyPhases } from '../../proxy/policies/define-policy.ts'
import type { PolicyEntry } from '../../proxy/snapshot.ts'

/** Sets within sets; admission refuses circles, this bounds the walk whatever comes. */
export const policySetDepthMax = 16

export type PolicyTable = {
  /** Indices of the policies of a route, in the order in which they run. */
  indicesOf(route: string, policies: readonly PolicyListEntry[]): readonly number[]
  /** Every distinct policy so far. */
  readonly entries: readonly PolicyEntry[]
}

/**
 * Flattens the lists of routes. The scope says where an entry was written and names its state: the
 * entries of a set are shared by all routes that use it, however they come to it.
 */
export function policyTable(
  sets: ReadonlyMap<string, PolicySetSpec>,
  catalog: PolicyCatalog,
): PolicyTable {
  const entries: PolicyEntry[] = []
  const indices = new Map<string, number>()

  const indexOf = (scope: string, entry: WrittenPolicy): number => {
    const known = indices.get(scope)
    if (known !== undefined) return known
    indices.set(scope, entries.length)
    return entries.push({ ...checked(entry, scope, catalog), scope }) - 1
  }
  const flatten = (owner: string, list: readonly PolicyListEntry[], depth: number): number[] => {
    if (depth > policySetDepthMax) throw tooDeep(owner)
    return list.flatMap((entry, position) => {
      if ('policy' in entry) return [indexOf(`${owner}#${position}`, entry)]
      const set = sets.get(entry.policySetRef)
      if (set === undefined) throw unknownSet(owner, entry.policySetRef)
      return flatten(`policySet/${entry.policySetRef}`, set.policies, depth + 1)
    })
  }
  const phaseOf = (index: number): number => {
    const phase = catalog.get(entries[index]?.policy ?? '')?.phase
    return phase === undefined ? policyPhases.length : policyPhases.indexOf(phase)
  }
  return {
    entries,
    indicesOf: (route, policies) =>
      // A set that is reached twice runs once. The sort is stable: within a phase the listing counts.
      [...new Set(flatten(`route/${route}`, policies, 0))].sort(
        (left, right) => phaseOf(left) - phaseOf(right),
      ),
  }
}

type WrittenPolicy = Extract<PolicyListEntry, { policy: string }>

/** The configuration as the policy's schema reads it, with its defaults. */
function checked(entry: WrittenPolicy, scope: string, catalog: PolicyCatalog) {
  const definition = catalog.get(entry.policy)
  if (definition === undefined)
    throw new HeadgateError('config.unknown_policy', {
      message: `${scope}: there is no policy \`${entry.policy}\`; correct the name, or put your own policy into \`gateway.policiesFolder\``,
      detail: { policy: entry.policy, scope },
    })
  const result = checkPolicyConfig(definition, entry.config)
  if (!result.ok)
    throw new HeadgateError('config.bad_value', {
      message: `${scope}: the configuration of \`${entry.policy}\` is not valid: ${result.flaws[0]?.message}`,
      detail: { policy: entry.policy, scope, flaws: result.flaws },
    })
  return { policy: entry.policy, config: result.value }
}

function unknownSet(owner: string, name: string): HeadgateError {
  return new HeadgateError('config.unknown_reference', {
    message: `${owner}: there is no policy set \`${name}\`; correct the name or add the set`,
    detail: { owner, name },
  })
}

function tooDeep(owner: string): HeadgateError {
  return new HeadgateError('config.invalid', {
    message: `${owner}: policy sets are nested more than ${policySetDepthMax} deep or in a circle; use fewer levels`,
    detail: { owner, policySetDepthMax },
  })
}
