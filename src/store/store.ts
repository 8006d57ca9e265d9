/**
 * Where resources, run-time state and audit live. `sqlite.ts` keeps them in a file, `memory.ts` in
 * memory; both pass the same suite. Every change is one atomic commit with a revision number that
 * only grows, and what belongs to it (run-time state, named values, audit) is written in the same
 * transaction: there is no moment at which one is there and the other is not.
 */
import type { Resource } from '../kinds/define-kind.ts'

export type StoredResource = Resource & {
  /** Revision of the commit that last changed it: the `ETag`. */
  readonly revision: number
  readonly createdAt: string
  readonly updatedAt: string
  /** Who made it, such as `cli`, `api`, `file`; tools prune only what is theirs. */
  readonly managedBy: string
}

export type ResourceKey = {
  readonly workspace: string
  readonly kind: string
  readonly name: string
}

export type Change =
  | {
      readonly type: 'put'
      readonly resource: Resource
      readonly managedBy: string
      readonly expectedRevision?: number | 'absent'
    }
  | { readonly type: 'delete'; readonly key: ResourceKey; readonly expectedRevision?: number }

export type CommitInfo = {
  /** Who: a token name, `file`, `demo`. */
  readonly actor: string
  /** Over what: `api`, `cli`, `file`. */
  readonly origin: string
  readonly note?: string
}

/** What the audit says about a change. The store adds actor, origin, note and revision. */
export type AuditNote = Pick<AuditEntry, 'action' | 'object' | 'detail'>

export type RuntimeChange = {
  readonly key: ResourceKey
  /** undefined: forgotten. */
  readonly state: Readonly<Record<string, unknown>> | undefined
}

/** What a commit writes besides resources, in the same transaction, also when no resource changes. */
export type CommitExtras = {
  readonly runtime?: readonly RuntimeChange[]
  readonly values?: ReadonlyMap<string, string | undefined>
  /** Default: one entry `commit` when anything changed. */
  readonly audit?: readonly AuditNote[]
}

export type Revision = CommitInfo & {
  readonly number: number
  readonly at: string
  readonly changes: readonly RevisionChange[]
}

/** `before` absent: created; `after` absent: deleted. */
export type RevisionChange = {
  readonly key: ResourceKey
  readonly before?: Resource
  readonly after?: Resource
}

/** Facts that operations leave behind, apart from the definition: a run-time split, an ejection. */
export type RuntimeState = {
  readonly key: ResourceKey
  readonly state: Readonly<Record<string, unknown>>
  readonly updatedAt: string
  readonly sequence: number
}

export type AuditEntry = {
  readonly sequence: number
  readonly at: string
  readonly actor: string
  /** Such as `put`, `delete`, `setSplit`, `apply`, `revert`, `reload`, `reload-refused`. */
  readonly action: string
  readonly object: string
  readonly detail: Readonly<Record<string, unknown>>
  /** SHA-256 over the previous entry's hash and this entry, hex: the chain shows tampering. */
  readonly hash: string
}

export type StoreEvent =
  | { readonly type: 'revision'; readonly sequence: number; readonly revision: Revision }
  | {
      readonly type: 'runtime'
      readonly sequence: number
      readonly key: ResourceKey
      readonly state: Readonly<Record<string, unknown>> | undefined
    }

export type Page = { readonly limit: number; readonly after?: string }
export type Paged<Item> = { readonly items: readonly Item[]; readonly next?: string }

export type WatchOptions = { readonly after?: number }

export type Watch = { readonly isComplete: boolean; close(): void }

export type Store = {
  get(key: ResourceKey): Promise<StoredResource | undefined>
  /** Ordered by kind and name. */
  list(filter: { workspace: string; kind?: string }, page?: Page): Promise<Paged<StoredResource>>
  /** All resources at once with the revision they belong to, from one consistent read. */
  all(workspace: string): Promise<{ revision: number; resources: readonly StoredResource[] }>
  /**
   * All or nothing. Throws `admin.precondition_failed` when an expectation does not hold. Returns
   * undefined when no resource changes: a put that equals what is stored changes nothing, not even
   * the owner, and the delete of what is not there is no change either.
   */
  commit(
    changes: readonly Change[],
    info: CommitInfo,
    extras?: CommitExtras,
  ): Promise<Revision | undefined>
  currentRevision(): Promise<number>
  /** Newest first. */
  revisions(page: Page): Promise<Paged<Revision>>
  revision(number: number): Promise<Revision | undefined>
  /** Every resource as it was right after the commit; undefined when the revision is unknown or too old. */
  at(revision: number, workspace: string): Promise<readonly Resource[] | undefined>

  runtime(): Promise<readonly RuntimeState[]>
  setRuntime(
    key: ResourceKey,
    state: Readonly<Record<string, unknown>> | undefined,
    info: CommitInfo,
    audit?: AuditNote,
  ): Promise<void>

  appendAudit(entry: Omit<AuditEntry, 'sequence' | 'at' | 'hash'>): Promise<AuditEntry>
  /** Newest first. */
  audit(page: Page): Promise<Paged<AuditEntry>>

  /** Small named values of the gateway itself: token hashes, last good configuration. */
  getValue(name: string): Promise<string | undefined>
  setValue(name: string, value: string | undefined): Promise<void>

  /**
   * Calls `onEvent` after each commit, in order. With `after`, events behind that sequence number
   * come first, if they are still kept; `isComplete` says so. When it is false, events were missed
   * and the reader must read everything afresh. `onEvent` must not throw.
   */
  watch(onEvent: (event: StoreEvent) => void, options?: WatchOptions): Watch
  close(): Promise<void>
}
