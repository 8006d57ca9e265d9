/**
 * Turns references into leases and key hashes. It runs on the control side whenever a
 * configuration is applied; a secret that cannot be had becomes a problem with its place and takes
 * nothing else down.
 */
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import type { ErrorCode } from '../base/errors.ts'
import type { AccountSpec } from '../kinds/account.ts'
import type { AppKeySpec, AppSpec } from '../kinds/app.ts'
import type { Path, Resource } from '../kinds/define-kind.ts'
import type { Lease, LeaseSet } from './leases.ts'
import type { LeasePlan } from './schemes/define-scheme.ts'
import { accountSchemes } from './schemes/index.ts'
import type { VaultAnswer, VaultIo } from './vaults/define-vault.ts'
import { readSecret } from './vaults/read-secret.ts'

export type SecretProblem = {
  readonly kind: 'Account' | 'App'
  /** Name of the account or app. */
  readonly name: string
  /** Where in its spec. */
  readonly path: Path
  readonly reference: string
  readonly code: ErrorCode
  /** A clause that follows the place; names the reference, never the value. */
  readonly message: string
}

/** Resolves every account it can; the others have an entry in `problems` and no lease. */
export async function resolveAccounts(
  accounts: readonly Resource<AccountSpec>[],
  io: VaultIo,
): Promise<{ leases: LeaseSet; problems: SecretProblem[] }> {
  const read = cachedReader(io)
  const leases = new Map<string, Lease>()
  const problems: SecretProblem[] = []
  for (const { name, spec } of accounts) {
    const plan = planOf(spec)
    if (plan === undefined) continue
    const secrets: string[] = []
    for (const { reference, path } of plan.secrets) {
      const answer = await read(reference)
      if (answer.ok) secrets.push(answer.secret)
      else problems.push(unresolved({ kind: 'Account', name, path, reference }, answer.message))
    }
    if (secrets.length < plan.secrets.length) continue
    const made = plan.build(secrets)
    if (made.ok) {
      leases.set(name, new SecretLease(name, made.fields))
      continue
    }
    const reference = plan.secrets[0]?.reference ?? ''
    const { path, message } = made
    problems.push({ kind: 'Account', name, path, reference, code: 'config.bad_value', message })
  }
  return { leases, problems }
}

/**
 * SHA-256 hashes of all app keys by `app/key`, in lower-case hexadecimal: those written as hashes and
 * those whose key is behind a reference. Only the hash of a key outlives this call.
 */
export async function resolveAppKeys(
  apps: readonly Resource<AppSpec>[],
  io: VaultIo,
): Promise<{ hashes: ReadonlyMap<string, string>; problems: SecretProblem[] }> {
  const read = cachedReader(io)
  const hashes = new Map<string, string>()
  const problems: SecretProblem[] = []
  for (const { name, spec } of apps) {
    for (const [index, key] of (spec.keys ?? []).entries()) {
      const answer = await hashOfKey(key, read)
      if (answer.ok) {
        hashes.set(`${name}/${key.name}`, answer.secret)
        continue
      }
      const path = ['keys', index, 'secret']
      const reference = key.secret ?? ''
      problems.push(unresolved({ kind: 'App', name, path, reference }, answer.message))
    }
  }
  return { hashes, problems }
}

async function hashOfKey(key: AppKeySpec, read: SecretReader): Promise<VaultAnswer> {
  if (key.hash !== undefined) return { ok: true, secret: key.hash.slice('sha256:'.length) }
  const answer = await read(key.secret ?? '')
  if (!answer.ok) return answer
  return { ok: true, secret: createHash('sha256').update(answer.secret, 'utf8').digest('hex') }
}

/** A lease that prints without its secret, and still travels to workers as plain data. */
class SecretLease implements Lease {
  readonly account: string
  readonly fields: readonly (readonly [name: string, value: string])[]

  constructor(account: string, fields: readonly (readonly [name: string, value: string])[]) {
    this.account = account
    this.fields = fields
  }

  toJSON(): unknown {
    return { account: this.account, fields: '[redacted]' }
  }

  // On the prototype, not on the object: a message between threads carries no functions.
  [inspect.custom](): string {
    return `Lease(${this.account}) [redacted]`
  }
}

function planOf(spec: AccountSpec): LeasePlan | undefined {
  for (const scheme of accountSchemes) {
    const plan = scheme.plan(spec)
    if (plan !== undefined) return plan
  }
  return undefined
}

type SecretReader = (reference: string) => Promise<VaultAnswer>

/** Reads each reference once per call, so that all who use it get the same secret. */
function cachedReader(io: VaultIo): SecretReader {
  const answers = new Map<string, Promise<VaultAnswer>>()
  return (reference) => {
    const known = answers.get(reference)
    if (known !== undefined) return known
    const answer = readSecret(reference, io)
    answers.set(reference, answer)
    return answer
  }
}

function unresolved(
  place: Pick<SecretProblem, 'kind' | 'name' | 'path' | 'reference'>,
  message: string,
): SecretProblem {
  return { ...place, code: 'config.secret_unresolved', message }
}
