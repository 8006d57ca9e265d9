/** What the controller is built from, and what a start of it says. */
import type { LeaseSet } from '../accounts/leases.ts'
import type { KeySet } from '../accounts/private-keys.ts'
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Resource } from '../kinds/define-kind.ts'
import type { PolicyCatalog } from '../proxy/policies/define-policy.ts'
import type { PolicySources } from '../proxy/policies/source-digest.ts'
import type { PolicyModule, Snapshot } from '../proxy/snapshot.ts'
import type { Store } from '../store/store.ts'
import type { LoadedCertificate } from './certificates.ts'
import type { WorkerView } from './control-api.ts'
import type { ConfigSource } from './gateway-options.ts'
import type { Problem } from './problem.ts'

export type ControllerDeps = {
  readonly store: Store
  readonly source: ConfigSource
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly random: Random
  /**
   * Built-in policies and those in the folder, an absolute path, when there is one; with `sources`,
   * those instead of what the folder holds now. Never throws.
   */
  loadCatalog(
    policiesFolder: string | undefined,
    sources?: PolicySources | undefined,
  ): Promise<LoadedCatalog>
  /** Resolves every reference to a secret. Relative `file:` paths start at `baseFolder`. Never throws. */
  resolveSecrets(resources: readonly Resource[], baseFolder: string): Promise<ResolvedSecrets>
  /** Builds what a worker would build and throws it away: what a worker would refuse shows here. */
  verifySnapshot(snapshot: Snapshot): Promise<readonly Problem[]>
  /** Resolves when all workers serve the snapshot; rejects when one refuses it. */
  publish(snapshot: Snapshot, leases: LeaseSet, keys: KeySet): Promise<void>
  workers(): readonly WorkerView[]
  /** Takes a line for people; never holds a secret. */
  log(line: string): void
}

export type LoadedCatalog = {
  readonly catalog: PolicyCatalog
  /** Files with users' own policies, for the snapshot. */
  readonly modules: readonly PolicyModule[]
  readonly sources?: PolicySources | undefined
  readonly problems: readonly Problem[]
}

export type ResolvedSecrets = {
  /** What could be resolved. */
  readonly leases: LeaseSet
  /** SHA-256, hexadecimal, by `app/key`, of the keys that are given by a reference. */
  readonly appKeyHashes: ReadonlyMap<string, string>
  /** What is public of the certificates that could be read, and their keys, by name. */
  readonly certificates: ReadonlyMap<string, LoadedCertificate>
  readonly keys: KeySet
  /** What could be resolved and is suspicious, such as an expired certificate. */
  readonly warnings: readonly Problem[]
  /** What could not; each names its `object`, such as `Account/books-a`. */
  readonly problems: readonly Problem[]
}

/** What was found at start and is served now. */
export type StartOutcome = {
  readonly mode: 'file' | 'store'
  readonly revision: number
  /** `LastGood`: the present definition was refused, `problems` says why; an older one is served. */
  readonly serving: 'Current' | 'LastGood'
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  /** Sentences that the operator should read. */
  readonly notices: readonly string[]
}
