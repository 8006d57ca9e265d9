/**
 * What the control plane can do, as the admin API and the demo use it. `controller.ts` implements it;
 * nothing else writes to the store or publishes a snapshot.
 */
import type { ErrorCode } from '../base/errors.ts'
import type { Resource } from '../kinds/define-kind.ts'
import type {
  AuditEntry,
  CommitInfo,
  Page,
  Paged,
  ResourceKey,
  Revision,
  StoreEvent,
  Watch,
  WatchOptions,
} from '../store/store.ts'
import type { Problem } from './problem.ts'

export type Condition = {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  /** PascalCase word for machines. */
  readonly reason: string
  /** A sentence for people. */
  readonly message: string
  /** RFC 3339. */
  readonly since: string
}

export type ResourceStatus = {
  readonly observedRevision: number
  readonly conditions: readonly Condition[]
} & Readonly<Record<string, unknown>>

/** A resource as the admin API shows it. No secrets: specs hold references and hashes only. */
export type ResourceView = Resource & {
  readonly revision: number
  readonly createdAt: string
  readonly updatedAt: string
  readonly managedBy: string
  readonly status: ResourceStatus
}

/** A resource as somebody wrote it: not validated, short forms allowed. */
export type ResourceInput = {
  readonly kind: string
  readonly name: string
  readonly labels?: unknown
  readonly description?: unknown
  readonly owner?: unknown
  readonly spec: unknown
}

export type ChangeRequest = {
  /** Created or replaced whole. */
  readonly puts: readonly ResourceInput[]
  readonly deletes: readonly ResourceKey[]
  /** Also delete what `managedBy` owns and `puts` does not name. */
  readonly prune?: boolean
  readonly managedBy: string
  /** By `Kind/name`; `'absent'` means: must not exist yet. */
  readonly expected?: ReadonlyMap<string, number | 'absent'>
  /** Refuse with `admin.plan_outdated` unless this is still the current revision. */
  readonly baseRevision?: number
}

export type PlannedChange = {
  readonly action: 'create' | 'change' | 'delete'
  readonly key: ResourceKey
  /** Normalised: defaults and order never show. Secrets are references anyway. */
  readonly fields: readonly FieldChange[]
  /** What it does to callers: "moves 5 % of the traffic of `books` to `v2`". */
  readonly effects: readonly string[]
}

export type FieldChange = {
  readonly path: string
  readonly before?: unknown
  readonly after?: unknown
}

export type Plan = {
  readonly baseRevision: number
  readonly changes: readonly PlannedChange[]
  readonly counts: {
    readonly create: number
    readonly change: number
    readonly delete: number
    readonly unchanged: number
    readonly onlyOnServer: number
  }
  readonly warnings: readonly Problem[]
}

export type ApplyResult = { readonly plan: Plan; readonly revision: number }

/** A request to explain: real or hypothetical. */
export type RouteTestRequest = {
  readonly method: string
  /** Absolute, or path only with `host` among the headers. */
  readonly url: string
  readonly headers: readonly (readonly [string, string])[]
  readonly clientAddress: string
  /** As if this app had authenticated: decides who may force a version, and the unit of a split. */
  readonly app?: string
}

export type RouteTestAnswer = {
  /** The gateway itself would refuse the request with this code of the error catalogue. */
  readonly refused?: { readonly code: ErrorCode; readonly why: string }
  readonly matched?: {
    readonly route: string
    readonly parameters: Readonly<Record<string, string>>
  }
  /**
   * Every route looked at, in the order tried, and why it did or did not match. `isMatch` holds for the
   * one that takes the request only, not for those that match too but come after it.
   */
  readonly tried: readonly {
    readonly route: string
    readonly isMatch: boolean
    readonly why: string
  }[]
  /** How many more routes did not match, when `tried` is cut off. */
  readonly triedOmitted?: number
  /** What a route that asks no upstream answers. */
  readonly answer?: {
    readonly type: 'redirect' | 'respond'
    readonly status: number
    readonly location?: string
  }
  readonly policies: readonly { readonly policy: string; readonly scope: string }[]
  readonly upstream?: {
    readonly name: string
    readonly version: string
    /** Why this version: "live", "forced by header", "split 5 %, bucket 412 of 10000". */
    readonly why: string
    readonly endpoints: readonly { readonly url: string; readonly weight: number }[]
    readonly account?: string
    /** Request line target and host as the upstream would see them. */
    readonly target: string
    readonly host: string
  }
}

export type WorkerView = {
  readonly index: number
  readonly state: 'starting' | 'serving' | 'draining' | 'gone'
  readonly revision: number
  readonly restarts: number
  /** Upgraded connections that are open, by the revision they began with. */
  readonly tunnels: readonly { readonly revision: number; readonly count: number }[]
}

export type ControlApi = {
  readonly mode: 'file' | 'store'
  get(key: ResourceKey): Promise<ResourceView | undefined>
  list(kind: string, page: Page): Promise<Paged<ResourceView>>
  /** Every check of `apply`, and changes nothing. Throws `config.invalid` with `detail.problems: Problem[]`. */
  plan(request: ChangeRequest): Promise<Plan>
  /** All or nothing; in file mode throws `admin.file_owned` with `detail.patch` (YAML). */
  apply(request: ChangeRequest, info: CommitInfo): Promise<ApplyResult>
  /** Runs an action of a kind; works in both modes. The answer never holds a stored secret. */
  act(
    key: ResourceKey,
    verb: string,
    input: unknown,
    info: CommitInfo,
  ): Promise<Readonly<Record<string, unknown>>>
  /** Reads the files again (file mode); the watcher calls it too. Throws `config.invalid` and keeps serving the last good. */
  reload(info: CommitInfo): Promise<{ revision: number }>
  revisions(page: Page): Promise<Paged<Revision>>
  revision(number: number): Promise<Revision | undefined>
  /** Changes that lead from revision `from` to revision `to`. */
  diff(from: number, to: number): Promise<readonly PlannedChange[]>
  /** A new revision that equals the old one. */
  revert(to: number, info: CommitInfo): Promise<ApplyResult>
  audit(page: Page): Promise<Paged<AuditEntry>>
  /** The definition as one YAML document that `apply` and file mode read back unchanged. */
  exportYaml(): Promise<string>
  testRoute(request: RouteTestRequest): Promise<RouteTestAnswer>
  workers(): readonly WorkerView[]
  /** Why not ready, or undefined. */
  notReadyReason(): string | undefined
  watch(onEvent: (event: StoreEvent) => void, options?: WatchOptions): Watch
}
