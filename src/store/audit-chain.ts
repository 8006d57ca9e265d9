/**
 * The audit is a hash chain: each entry's hash covers the hash before it, so that an entry that was
 * changed, removed or put in between breaks every later link. Like any log without a witness
 * outside, it cannot show that its newest entries were cut off or that all of it was written anew.
 */
import { createHash } from 'node:crypto'
import type { AuditEntry, Store } from './store.ts'

/** Named value with the link before the oldest entry kept: `sequence:hash`. */
export const auditBaseName = 'audit.base'

export function chainHash(previousHash: string, entry: Omit<AuditEntry, 'hash'>): string {
  const { sequence, at, actor, action, object, detail } = entry
  const content = JSON.stringify([sequence, at, actor, action, object, detail])
  return createHash('sha256').update(`${previousHash}\n${content}`).digest('hex')
}

export type AuditVerdict =
  | { readonly ok: true; readonly entryCount: number }
  | { readonly ok: false; readonly sequence: number; readonly reason: string }

/** Reads the whole audit, newest first, and checks every link down to the oldest entry kept. */
export async function verifyAudit(store: Store): Promise<AuditVerdict> {
  let newer: AuditEntry | undefined
  let after: string | undefined
  let entryCount = 0
  do {
    const page = await store.audit({ limit: 1_000, ...(after !== undefined && { after }) })
    for (const entry of page.items) {
      const reason = newer === undefined ? undefined : brokenLink(newer, entry)
      if (newer !== undefined && reason !== undefined) {
        return { ok: false, sequence: newer.sequence, reason }
      }
      newer = entry
      entryCount++
    }
    after = page.next
  } while (after !== undefined)
  if (newer === undefined) return { ok: true, entryCount }
  const base = parseBase(await store.getValue(auditBaseName))
  const reason = base === undefined ? 'the start of the chain is unknown' : brokenLink(newer, base)
  return reason === undefined
    ? { ok: true, entryCount }
    : { ok: false, sequence: newer.sequence, reason }
}

export type ChainLink = { readonly sequence: number; readonly hash: string }

export function parseBase(text: string | undefined): ChainLink | undefined {
  const match = /^(\d+):([0-9a-f]{64})$/.exec(text ?? '')
  return match === null ? undefined : { sequence: Number(match[1]), hash: match[2] ?? '' }
}

function brokenLink(entry: AuditEntry, before: ChainLink): string | undefined {
  if (entry.sequence !== before.sequence + 1) {
    return `entries between ${before.sequence} and ${entry.sequence} are missing`
  }
  return chainHash(before.hash, entry) === entry.hash
    ? undefined
    : `entry ${entry.sequence} or the one before it was altered`
}
