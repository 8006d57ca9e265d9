/**
 * Private keys of certificates. Like leases they travel to workers in messages, beside the snapshot,
 * and print as nothing: they are in no snapshot, store, log or error.
 */
import { inspect } from 'node:util'
import type { VaultAnswer, VaultIo } from './vaults/define-vault.ts'
import { vaults } from './vaults/index.ts'

export type PrivateKey = { readonly pem: string }

/** By name of the certificate. */
export type KeySet = ReadonlyMap<string, PrivateKey>

/** A key that prints without its content, and still travels to workers as plain data. */
export class SealedKey implements PrivateKey {
  readonly pem: string

  constructor(pem: string) {
    this.pem = pem
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}

/** The keys as a worker holds them: sealed from the moment the message with them arrives. */
export class KeyTable {
  readonly #pems = new Map<string, string>()

  constructor(keys: KeySet = new Map()) {
    for (const [certificate, { pem }] of keys) this.#pems.set(certificate, pem)
  }

  pemOf(certificate: string): string | undefined {
    return this.#pems.get(certificate)
  }

  toJSON(): unknown {
    return { certificates: [...this.#pems.keys()], keys: '[redacted]' }
  }

  [inspect.custom](): string {
    return `KeyTable(${[...this.#pems.keys()].join(', ')}) [redacted]`
  }
}

/**
 * Reads a key that is given by a reference. Other than secrets for header fields it has several
 * lines. The message of a refusal never shows any of it.
 */
export async function readPrivateKey(reference: string, io: VaultIo): Promise<VaultAnswer> {
  const colon = reference.indexOf(':')
  const vault = vaults.find(({ scheme }) => scheme === reference.slice(0, Math.max(0, colon)))
  const answer: VaultAnswer =
    vault === undefined
      ? { ok: false, message: 'must begin with `env:` or `file:`' }
      : await vault.read(reference.slice(colon + 1), io)
  const fault = answer.ok ? faultOf(answer.secret) : answer.message
  return fault === undefined
    ? answer
    : { ok: false, message: `refers to \`${reference}\`, which ${fault}` }
}

function faultOf(text: string): string | undefined {
  if (/-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/.test(text) && !text.includes('ENCRYPTED'))
    return undefined
  return text.includes('ENCRYPTED')
    ? 'is encrypted; give the key without a passphrase, in a file that only this process can read'
    : 'holds no private key in PEM form'
}
