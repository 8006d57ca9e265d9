/** Makes every policy of a snapshot once, as a worker would, so that one that fails refuses the change. */
import type { Clock } from '../base/clock.ts'
import { HeadgateError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { ledgerMemory } from '../ledger/memory.ts'
import { openSharedLedger } from '../ledger/shared-ledger.ts'
import { createAppDirectory } from '../proxy/policies/app-directory.ts'
import { instantiatePolicies } from '../proxy/policies/instantiate.ts'
import type { ControllerDeps } from './controller-deps.ts'

/** Counters that nobody looks at: policies open limiters while they are made, and take nothing. */
const rehearsalRows = 1_024

/** The `verifySnapshot` of production. */
export function createSnapshotVerifier(services: {
  readonly clock: Clock
  readonly random: Random
}): ControllerDeps['verifySnapshot'] {
  const ledger = openSharedLedger(ledgerMemory(rehearsalRows, services.random), services)
  return async (snapshot, catalog) => {
    const apps = createAppDirectory(snapshot.apps, services)
    try {
      instantiatePolicies(snapshot.policies, catalog, { ...services, ledger, apps }).close()
      return []
    } catch (thrown) {
      if (!(thrown instanceof HeadgateError)) throw thrown
      const { code, message } = thrown
      return [{ severity: 'error', code, path: [], message }]
    }
  }
}
