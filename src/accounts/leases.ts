/**
 * A lease is a credential ready to be put on a request: the only form in which a secret leaves this
 * room. Leases go to workers in messages, never into snapshots, logs, errors or the store.
 */
export type Lease = {
  readonly account: string
  /** Field lines to set on the request towards the upstream, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/** By account name. An account missing here has no usable credential: its upstream answers 503. */
export type LeaseSet = ReadonlyMap<string, Lease>
