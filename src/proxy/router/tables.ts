/**
 * The compiled router: what `buildRouter` makes in control and `matchRoute` reads in a worker. Plain
 * data, because it travels to the workers as a structured clone.
 */

export type RouterTables = {
  /** Exact host, lower case, without port, to its tree. */
  readonly exactHosts: ReadonlyMap<string, PathNode>
  /** `example.com` for `*.example.com`; looked up suffix by suffix, longest first. */
  readonly wildcardHosts: ReadonlyMap<string, PathNode>
  readonly anyHost: PathNode | undefined
  /** Every distinct list of client networks once; conditions refer to it by index. */
  readonly networkLists: readonly (readonly string[])[]
}

/** One level of a path tree; a level is one segment. */
export type PathNode = {
  /** By canonical spelling; undefined when there are none. */
  readonly literals: ReadonlyMap<string, PathNode> | undefined
  readonly parameter: PathNode | undefined
  /** Routes that end exactly here, best first. */
  readonly exact: readonly Candidate[]
  /** Routes with `/**` at this level, best first. */
  readonly rest: readonly Candidate[]
}

export type Candidate = {
  readonly routeIndex: number
  /** The path pattern as written, such as `/books/{id}`. */
  readonly pattern: string
  /**
   * For the segments captured on the way here, their positions among the parameters of the route;
   * undefined when they are the same, which only routes with several paths can break.
   */
  readonly captureOrder: readonly number[] | undefined
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
  | { readonly source: 'address'; readonly networkListIndex: number }

export type ValueTest =
  | { readonly exact: string }
  | { readonly prefix: string }
  | { readonly suffix: string }
  | { readonly contains: string }
  | { readonly present: boolean }
