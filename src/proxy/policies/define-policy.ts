/**
 * The contract of a policy: one step on an exchange. Built-in policies are one file each in their
 * folder plus one line in `index.ts`; users' own live in the folder named by
 * `gateway.policiesFolder` and use the same `definePolicy`.
 */
import type { Clock } from '../../base/clock.ts'
import type { ErrorCode } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import type { s } from '../../base/schema.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { AppEntry } from '../snapshot.ts'

/** In the order in which they run; within a phase, in the order in which they are listed. */
export const policyPhases = ['authenticate', 'admit', 'transform'] as const
export type PolicyPhase = (typeof policyPhases)[number]

export type PolicyDefinition<Config = never> = {
  /** kebab-case; the key in configuration. */
  readonly name: string
  /** One sentence for people. */
  readonly summary: string
  /** Markdown for the reference page. */
  readonly description?: string
  readonly phase: PolicyPhase
  /** Defaults belong into the schema: `create` and the reference see them filled in. */
  readonly config: s.ZodType<Config>
  /** Called once per snapshot and distinct configuration, never per request. */
  create(config: Config, context: PolicyContext): PolicyInstance
  /** Short YAML examples of a list entry, validated by a test. */
  readonly examples?: readonly { readonly title: string; readonly yaml: string }[]
}

export function definePolicy<Config>(
  definition: PolicyDefinition<Config>,
): PolicyDefinition<Config> {
  return definition
}

export type PolicyContext = {
  /** Names this policy's state over reloads, such as `route/books#0`. */
  readonly scope: string
  readonly clock: Clock
  readonly random: Random
  /** Counters shared by all workers. */
  readonly ledger: Ledger
  readonly apps: AppDirectory
}

/** Finds the app of a presented key. */
export type AppDirectory = {
  find(key: string): AppMatch
}

export type AppMatch =
  | { readonly found: true; readonly app: AppEntry; readonly keyName: string }
  | { readonly found: false; readonly reason: 'unknown' | 'expired' | 'suspended' }

export type PolicyInstance = {
  /** Sees the request head before it goes on. A promise suspends the exchange, so avoid it. */
  onRequest?(exchange: PolicyExchange): Verdict | Promise<Verdict>
  /** Sees the response head before it goes to the client, in reverse order of `onRequest`. Also for our own answers. */
  onResponse?(exchange: PolicyExchange, response: ResponseView): void
  /** Releases timers and the like when the snapshot is dropped. */
  close?(): void
}

export type Verdict =
  | { readonly type: 'proceed' }
  | {
      readonly type: 'deny'
      readonly code: ErrorCode
      readonly status?: number
      readonly detail?: Readonly<Record<string, unknown>>
      readonly fields?: readonly FieldLine[]
    }
  | {
      readonly type: 'respond'
      readonly status: number
      readonly fields: readonly FieldLine[]
      readonly body: string | Uint8Array
    }

export type FieldLine = readonly [name: string, value: string]

export const proceed: Verdict = Object.freeze({ type: 'proceed' })

/** Answers with the problem document of `code`. `fields` are added to the response. */
export function deny(
  code: ErrorCode,
  options: {
    status?: number
    detail?: Readonly<Record<string, unknown>>
    fields?: readonly FieldLine[]
  } = {},
): Verdict {
  return { type: 'deny', code, ...options }
}

/** Answers at once with this response. */
export function respond(
  status: number,
  fields: readonly FieldLine[],
  body: string | Uint8Array = '',
): Verdict {
  return { type: 'respond', status, fields, body }
}

/** What a policy sees of an exchange. */
export type PolicyExchange = {
  readonly request: RequestView
  readonly client: ClientView
  readonly route: { readonly name: string }
  /** Set by an `authenticate` policy. */
  consumer: ConsumerIdentity | undefined
  /** The exchange is refused with 413 when its body has more bytes; the lowest value set wins. */
  limitRequestBody(bytesMax: number): void
  /** Changes to the request as the upstream sees it. */
  readonly requestFields: FieldEdits
  /** Changes to the response as the client sees it; may be recorded in either direction. */
  readonly responseFields: FieldEdits
  /** Aborts when the client goes away or the exchange ends. Made on first use. */
  readonly signal: AbortSignal
}

export type ConsumerIdentity = {
  readonly app: string
  readonly appSlot: number
  readonly consumer: string
  readonly keyName: string
}

export type RequestView = {
  /** Upper case. */
  readonly method: string
  /** As on the wire, without query. */
  readonly path: string
  /** Without `?`; empty for none. */
  readonly query: string
  /** Lower case, without port. */
  readonly host: string
  /** Of the client's side: `http` or `https`. */
  readonly scheme: string
  /** Bytes of the head as received. */
  readonly headBytes: number
  /** Declared `Content-Length`; undefined when chunked, 0 without body. */
  readonly contentLength: number | undefined
  /** First value of a field by its lower-case name; undefined when absent. */
  field(name: string): string | undefined
  /** All values of a field joined by `, ` (RFC 9110 §5.3). */
  fieldAll(name: string): string | undefined
  fieldCount(): number
  cookie(name: string): string | undefined
  queryParameter(name: string): string | undefined
}

export type ResponseView = {
  readonly status: number
  /** Whether the upstream answered, or Headgate itself. */
  readonly isFromUpstream: boolean
  field(name: string): string | undefined
}

export type ClientView = {
  /** Behind trusted proxies the address they report. */
  readonly address: string
  readonly port: number
}

export type FieldEdits = {
  /** Replaces every line of the field. Names in lower case. */
  set(name: string, value: string): void
  /** Adds a line. */
  add(name: string, value: string): void
  remove(name: string): void
}
