/** A store that is forgotten with the process: the demo and tests. The same SQL, so the same behaviour. */
import type { Clock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { openSqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'

export function openMemoryStore({ clock }: { readonly clock: Clock }): Promise<Store> {
  return openSqliteStore(':memory:', { clock, random: systemRandom() })
}
