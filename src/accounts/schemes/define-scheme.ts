import type { AccountSpec } from '../../kinds/account.ts'
import type { Path } from '../../kinds/define-kind.ts'

/** A way of proving who we are to an upstream: one file in this folder and one line in `index.ts`. */
export type AccountScheme = {
  /** The key of the scheme in an account's spec. */
  readonly name: string
  /** What this scheme needs for `spec`; undefined when the account uses another one. */
  plan(spec: AccountSpec): LeasePlan | undefined
}

export type LeasePlan = {
  readonly secrets: readonly SecretNeed[]
  /** Makes the field lines out of the secrets, in the order of `secrets`. */
  build(secrets: readonly string[]): LeaseFields
}

export type SecretNeed = {
  /** `env:NAME`, `file:/path`… */
  readonly reference: string
  /** Where the reference stands in the spec. */
  readonly path: Path
}

export type LeaseFields =
  | { readonly ok: true; readonly fields: readonly (readonly [name: string, value: string])[] }
  /** Why the secret cannot be used, as a clause that follows its place, without showing it. */
  | { readonly ok: false; readonly path: Path; readonly message: string }

/** Keeps the types of one scheme together. */
export function defineScheme(scheme: AccountScheme): AccountScheme {
  return scheme
}
