/**
 * The leases as a worker uses them: field lines ready to be spliced into a request. Secrets sit in
 * private fields from the moment a message with them arrives, so that nothing that prints the table
 * can show one.
 */
import { Buffer } from 'node:buffer'
import { inspect } from 'node:util'
import type { Lease, LeaseSet } from './leases.ts'

export type LeaseLines = {
  readonly fields: Lease['fields']
  /** `name: value\r\n` for every field, in one piece, as bytes and as text. */
  readonly bytes: Buffer
  readonly text: string
}

export class LeaseTable {
  readonly #lines = new Map<string, SealedLines>()

  constructor(leases: LeaseSet) {
    for (const [account, { fields }] of leases) this.#lines.set(account, new SealedLines(fields))
  }

  /** Field names are in lower case; lines of the client with these names must not reach the upstream. */
  fieldsOf(account: string): Lease['fields'] | undefined {
    return this.#lines.get(account)?.fields
  }

  /** The same fields as bytes of a request head; undefined when the account has no usable credential. */
  bytesOf(account: string): Buffer | undefined {
    return this.#lines.get(account)?.bytes
  }

  /** Both, for looking up once per snapshot and version. */
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
  readonly #bytes: Buffer
  readonly #text: string

  constructor(fields: Lease['fields']) {
    this.#fields = fields
    this.#text = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    this.#bytes = Buffer.from(this.#text, 'latin1')
  }

  get text(): string {
    return this.#text
  }

  get fields(): Lease['fields'] {
    return this.#fields
  }

  get bytes(): Buffer {
    return this.#bytes
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}
