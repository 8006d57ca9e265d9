/** The compiled router: what `buildRouter` makes in control and `matchRoute` reads in a worker. */

export type RouterTables = {
  /** Exact host, lower case, without port, to its tree. */
  readonly exactHosts: ReadonlyMap<string, PathNode>
  /** `example.com` for `*.example.com`; looked up suffix by suffix, longest first. */
  readonly wildcardHosts: ReadonlyMap<string, PathNode>
  readonly anyHost: PathNode | undefined
}

/** One level of a path tree; a level is one segment. */
export type PathNode = {
  readonly literals: ReadonlyMap<string, PathNode>
  readonly parameter: PathNode | undefined
  /** Routes that end exactly here, best first. */
  readonly exact: readonly Candidate[]
  /** Routes with `/**` at this level, best first. */
  readonly rest: readonly Candidate[]
}

export type Candidate = {
  readonly routeIndex: number
  /** Empty: any. */
  readonly methods: readonly string[]
  readonly conditions: readonly Condition[]
}

export type Condition =
  | {
      readonly source: 'header' | 'query' | 'cookie'
      readonly name: string
      readonly match: ValueTest
    }
  | { readonly source: 'address'; readonly cidrs: readonly string[] }

export type ValueTest =
  | { readonly exact: string }
  | { readonly prefix: string }
  | { readonly suffix: string }
  | { readonly contains: string }
  | { readonly present: boolean }
