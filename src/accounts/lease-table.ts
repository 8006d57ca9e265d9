/**
 * The leases as a worker uses them: field lines ready to be spliced into a request. Secrets sit in
 * private fields from the moment a message with them arrives, so that nothing that prints the table
 * can show one.
 */
import { inspect } from 'node:util'
import type { Lease, LeaseSet } from './leases.ts'

export type LeaseLines = {
  /** Names in lower case; lines of the client with these names must not reach the upstream. */
  readonly fields: Lease['fields']
  /** `name: value\r\n` for every field, in one piece. */
  readonly text: string
}

export class LeaseTable {
  readonly #lines = new Map<string, SealedLines>()

  constructor(leases: LeaseSet) {
    for (const [account, { fields }] of leases) this.#lines.set(account, new SealedLines(fields))
  }

  /** Undefined when the account has no usable credential. Looked up once per snapshot and version. */
  linesOf(account: string): LeaseLines | undefined {
    return this.#lines.get(account)
  }

  toJSON(): unknown {
    return { accounts: [...this.#lines.keys()], fields: '[redacted]' }
  }

  [inspect.custom](): string {
    return `LeaseTable(${[...this.#lines.keys()].join(', ')}) [redacted]`
  }
}

/** Getters on the prototype are not printed, and `JSON.stringify` sees no fields. */
class SealedLines implements LeaseLines {
  readonly #fields: Lease['fields']
  readonly #text: string

  constructor(fields: Lease['fields']) {
    this.#fields = fields
    this.#text = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  }

  get text(): string {
    return this.#text
  }

  get fields(): Lease['fields'] {
    return this.#fields
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}
