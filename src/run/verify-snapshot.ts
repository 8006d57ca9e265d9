import type { Clock } from '../base/clock.ts'
import { HeadgateError, messageOf } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Problem } from '../control/problem.ts'
import { ledgerMemory, rowsPerGroup } from '../ledger/memory.ts'
import { openSharedLedger } from '../ledger/shared-ledger.ts'
import { createAppDirectory } from '../proxy/policies/app-directory.ts'
import { policyCatalog } from '../proxy/policies/catalog.ts'
import { instantiatePolicies } from '../proxy/policies/instantiate.ts'
import { importPolicyModules } from '../proxy/policies/load-modules.ts'
import type { Snapshot } from '../proxy/snapshot.ts'

/**
 * Makes every policy of a snapshot as a worker would, against a ledger of its own, and throws them
 * away: what a worker would refuse is found before anything is committed.
 */
export async function verifySnapshot(
  snapshot: Snapshot,
  { clock, random }: { clock: Clock; random: Random },
): Promise<readonly Problem[]> {
  const loaded = await importPolicyModules(snapshot.policyModules, {
    clock,
    sources: snapshot.policySources,
  })
  if (loaded.problems.length > 0) {
    return loaded.problems.map(({ path, message }) =>
      problem('config.policy_load_failed', `${path}: ${message}`),
    )
  }
  const services = {
    clock,
    random,
    ledger: openSharedLedger(ledgerMemory(rowsPerGroup, random), { clock }),
    apps: createAppDirectory(snapshot.apps, { clock }),
  }
  try {
    instantiatePolicies(snapshot.policies, policyCatalog(loaded.definitions), services).close()
    return []
  } catch (thrown) {
    const code = thrown instanceof HeadgateError ? thrown.code : 'config.policy_load_failed'
    return [problem(code, messageOf(thrown))]
  }
}

function problem(code: Problem['code'], message: string): Problem {
  return { severity: 'error', code, path: [], message }
}
