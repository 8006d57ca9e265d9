/** Finds the app of a presented API key without hashing it on every request. */
import { hash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { AppEntry } from '../snapshot.ts'
import type { AppDirectory, AppMatch, ConsumerIdentity } from './define-policy.ts'
import { RecentCache } from './recent-cache.ts'

/** A longer key is unknown without being hashed. */
export const apiKeyCharsMax = 512
/** Presented keys whose hash is remembered; about 2 MB of a worker's memory when full. */
export const knownKeysCachedMax = 16_384
/** Apart from the known ones, so that a flood of garbage cannot push those out. */
export const unknownKeysCachedMax = 2_048

type Found = Extract<AppMatch, { readonly found: true }>
type KeyRecord = { readonly match: Found; readonly expiresAtMs: number }

const unknownKey: AppMatch = Object.freeze({ found: false, reason: 'unknown' })
const expiredKey: AppMatch = Object.freeze({ found: false, reason: 'expired' })
const suspendedApp: AppMatch = Object.freeze({ found: false, reason: 'suspended' })

/**
 * Builds the look-up of one snapshot. Only hashes are stored, so comparing needs no constant time:
 * an attacker cannot choose the SHA-256 that is compared. When two apps hold the same key, which
 * admission refuses, the first one listed has it.
 */
export function createAppDirectory(
  apps: readonly AppEntry[],
  { clock }: { readonly clock: Clock },
): AppDirectory {
  const byHash = indexByHash(apps)
  const known = new RecentCache<KeyRecord>(knownKeysCachedMax)
  const unknown = new RecentCache<true>(unknownKeysCachedMax)

  const lookUp = (key: string): KeyRecord | undefined => {
    if (key.length > apiKeyCharsMax || unknown.get(key) === true) return undefined
    const record = byHash.get(hash('sha256', key, 'hex'))
    if (record === undefined) unknown.set(key, true)
    else known.set(key, record)
    return record
  }

  return {
    find(key) {
      const record = known.get(key) ?? lookUp(key)
      if (record === undefined) return unknownKey
      // Asked on every request: a key may expire at any time after it was remembered.
      if (clock.wallMs() >= record.expiresAtMs) return expiredKey
      return record.match.app.isSuspended ? suspendedApp : record.match
    },
  }
}

function indexByHash(apps: readonly AppEntry[]): ReadonlyMap<string, KeyRecord> {
  const byHash = new Map<string, KeyRecord>()
  for (const app of apps) {
    for (const key of app.keys) {
      if (byHash.has(key.sha256)) continue
      const identity: ConsumerIdentity = Object.freeze({
        app: app.name,
        appSlot: app.slot,
        consumer: app.consumer,
        keyName: key.name,
      })
      byHash.set(key.sha256, {
        match: Object.freeze({ found: true, app, keyName: key.name, identity }),
        expiresAtMs: key.expiresAtMs ?? Number.POSITIVE_INFINITY,
      })
    }
  }
  return byHash
}

/** A directory whose content is exchanged while policies that outlive a reload hold on to it. */
export type SwitchableAppDirectory = AppDirectory & {
  switchTo(apps: AppDirectory): void
}

export function switchableAppDirectory(first: AppDirectory): SwitchableAppDirectory {
  let current = first
  return {
    find: (key) => current.find(key),
    switchTo(apps) {
      current = apps
    },
  }
}
