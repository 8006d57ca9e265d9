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
import type { PeerCertificate } from '../../wire/tls/peer-certificate.ts'
import type { AppEntry } from '../snapshot.ts'

/**
 * In the order in which they run; within a phase, in the order in which they are listed. `access`
 * comes before credentials are looked at: a CORS preflight carries none (Fetch §3.2.2), and a
 * refused address should not cost a look-up.
 */
export const policyPhases = ['access', 'authenticate', 'admit', 'transform'] as const
export type PolicyPhase = (typeof policyPhases)[number]

export type PolicyDefinition<Config = unknown> = {
  /** kebab-case; the key in configuration. */
  readonly name: string
  /** One sentence for people. */
  readonly summary: string
  /** Markdown for the reference page. */
  readonly description?: string
  readonly phase: PolicyPhase
  /**
   * Defaults belong into the schema: `create` and the reference see them filled in. What comes out
   * of it is stored in the snapshot, so it must be plain data: parse `"100/min"` in `create`.
   */
  readonly config: s.ZodType<Config>
  /** Called when a configuration is new or has changed, never per request. */
  create(config: Config, context: PolicyContext): PolicyInstance
  /** Short YAML examples of a list entry, validated by a test. */
  readonly examples?: readonly { readonly title: string; readonly yaml: string }[]
}

/** Gives a policy its types; the definition itself comes back unchanged. */
export function definePolicy<Config>(
  definition: PolicyDefinition<Config>,
): PolicyDefinition<Config> {
  return definition
}

/** All policies there are, by name: built-in ones and users' own. */
export type PolicyCatalog = ReadonlyMap<string, PolicyDefinition>

export type PolicyContext = {
  /** Names this policy's state over reloads, such as `route/books#0`. */
  readonly scope: string
  readonly clock: Clock
  readonly random: Random
  /** Counters shared by all workers. */
  readonly ledger: Ledger
  /** Always those of the newest snapshot, also when the instance is kept over a reload. */
  readonly apps: AppDirectory
}

/** Finds the app of a presented key. */
export type AppDirectory = {
  find(key: string): AppMatch
}

export type AppMatch =
  | {
      readonly found: true
      readonly app: AppEntry
      readonly keyName: string
      /** Made once per key, to be set as `exchange.consumer`. */
      readonly identity: ConsumerIdentity
    }
  | { readonly found: false; readonly reason: 'unknown' | 'expired' | 'suspended' }

export type PolicyInstance = {
  /** Sees the request head before it goes on. A promise suspends the exchange, so avoid it. */
  onRequest?(exchange: PolicyExchange): Verdict | Promise<Verdict>
  /**
   * Sees the response head before it goes to the client, in reverse order of `onRequest`, for our
   * own answers too. Synchronous: the head is not held back for a promise.
   */
  onResponse?(exchange: PolicyExchange, response: ResponseView): void
  /** A CORS preflight for the route (Fetch §4.8) is brought here although the route may not match OPTIONS. */
  readonly answersPreflight?: boolean
  /** `onResponse` also sees answers given by a policy before this one had its turn. */
  readonly seesEveryResponse?: boolean
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
  /** Identifies the exchange in logs, towards the upstream and in the answer. */
  readonly requestId: string
  /** How many policies of the chain have begun with this exchange; written by the chain alone. */
  policiesEntered: number
  /** Set by an `authenticate` policy. */
  consumer: ConsumerIdentity | undefined
  /** The exchange is refused with 413 when its body has more bytes; the lowest value set wins. */
  limitRequestBody(bytesMax: number): void
  /** The upstream does not see this parameter; the order of the others stays. */
  removeQueryParameter(name: string): void
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
  /** That the client has proved to hold, verified; undefined for none. */
  readonly certificate?: PeerCertificate | undefined
}

/** Values are `field-content` of RFC 9110 §5.5: one with CR, LF or NUL is refused by throwing. */
export type FieldEdits = {
  /** Replaces every line of the field. Names in lower case. */
  set(name: string, value: string): void
  /** Adds a line. */
  add(name: string, value: string): void
  remove(name: string): void
}
