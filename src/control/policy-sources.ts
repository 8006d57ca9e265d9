/**
 * The sources of users' own policies that are served, kept in the store: the folder may hold something
 * else by the time the gateway starts again, and the last good definition needs the policies it was
 * good with.
 */
import { s } from '../base/schema.ts'
import {
  type PolicySources,
  sourceBytesMax,
  sourceFilesMax,
} from '../proxy/policies/source-digest.ts'
import type { Store } from '../store/store.ts'

/** Named value: the sources, as JSON. */
const valueName = 'control.policySources'

const path = s.string().min(1).max(4_096)
const storedSources = s.strictObject({
  folder: path,
  files: s.array(s.tuple([path, s.string().max(sourceBytesMax)])).max(sourceFilesMax),
  policyPaths: s.array(path).max(sourceFilesMax),
  sha256: s.string().max(64),
})

/** Undefined when none were served, or when what is stored cannot be read. */
export async function storedPolicySources(store: Store): Promise<PolicySources | undefined> {
  const text = await store.getValue(valueName)
  if (text === undefined) return undefined
  return storedSources.safeParse(parsed(text)).data
}

export async function storePolicySources(
  store: Store,
  sources: PolicySources | undefined,
): Promise<void> {
  const stored = await store.getValue(valueName)
  const text = sources === undefined ? undefined : JSON.stringify(sources)
  if (stored !== text) await store.setValue(valueName, text)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Only a store that somebody edited by hand: the folder decides then, as at a first start.
    return undefined
  }
}
