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
  /** Routes that end exactly here. */
  readonly exact: Leaf
  /** Routes with `/**` at this level. */
  readonly rest: Leaf
}

/** The routes of one host and path pattern. */
export type Leaf = {
  /** Best first; without those in `index`. */
  readonly candidates: readonly Candidate[]
  /**
   * Routes that ask one header, parameter or cookie for different values, such as one per tenant: found
   * by the value instead of one after the other. Only where there are many.
   */
  readonly index: ValueIndex | undefined
}

export type ValueIndex = {
  readonly source: 'header' | 'query' | 'cookie'
  readonly name: string
  /** Best first. */
  readonly byValue: ReadonlyMap<string, readonly Candidate[]>
}

export type Candidate = {
  readonly routeIndex: number
  /** Place of the route among all routes, the most specific first; paths and hosts aside. */
  readonly rank: number
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
