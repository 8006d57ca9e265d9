import type { Resource } from '../../kinds/define-kind.ts'
import type { AppKeySpec, AppSpec } from '../../kinds/app.ts'
import type { AppEntry } from '../../proxy/snapshot.ts'
import type { SlotAllocation } from './slots.ts'

/** SHA-256 in hexadecimal, by `app/key`, of the keys that are given by a reference to a secret. */
export type AppKeyHashes = ReadonlyMap<string, string>

export function compileApp(
  app: Resource<AppSpec>,
  hashes: AppKeyHashes,
  slotOf: SlotAllocation['slotOf'],
): AppEntry {
  return {
    name: app.name,
    slot: slotOf('app', app.name),
    consumer: app.spec.consumer ?? app.name,
    isSuspended: app.spec.state === 'Suspended',
    keys: (app.spec.keys ?? []).flatMap((key) => {
      const sha256 = hashOf(key) ?? hashes.get(`${app.name}/${key.name}`)
      // A key whose secret could not be read is no key: it stands in the app's conditions.
      if (sha256 === undefined) return []
      const expiresAtMs = key.expiresAt === undefined ? undefined : Date.parse(key.expiresAt)
      return [{ name: key.name, sha256, expiresAtMs }]
    }),
  }
}

function hashOf(key: AppKeySpec): string | undefined {
  return key.hash?.slice('sha256:'.length)
}
