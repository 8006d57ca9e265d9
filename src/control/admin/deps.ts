/** What the admin API is built from, and its limits. */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { KindDefinition } from '../../kinds/define-kind.ts'
import type { PolicyCatalog } from '../../proxy/policies/define-policy.ts'
import type { ControlApi } from '../control-api.ts'
import type { TokenVerifier } from './tokens.ts'

export type AdminDeps = {
  readonly control: ControlApi
  readonly tokens: TokenVerifier
  readonly kinds: readonly KindDefinition[]
  /** May be a getter: the documents follow it when users' own policies come or go. */
  readonly catalog: PolicyCatalog
  /** OpenMetrics text of the gateway, ending in `# EOF`. */
  metrics(): string | Promise<string>
  readonly version: string
  readonly clock: Clock
  readonly random: Random
  /** Takes a line for people; never holds a secret. */
  log(line: string): void
  /** Names, besides `localhost` and the one it is bound to, under which callers without a token may reach it. */
  readonly hostNames?: readonly string[]
}

/** What the server hands on with each request; absent in tests that call the app without sockets. */
export type AdminBindings = {
  readonly incoming?: IncomingMessage
  /** Aborts when the server closes: open streams end then. */
  readonly closing?: AbortSignal
  readonly boundHost?: string
}

export type AdminEnv = {
  Bindings: AdminBindings
  Variables: { requestId: string }
}

export const adminLimits = {
  /** Bytes of a request body. */
  bodyBytesMax: 16 * 1_048_576,
  /** Objects and lists inside one another in a JSON body; no resource comes near it. */
  nestingMax: 64,
  pageSizeDefault: 50,
  pageSizeMax: 500,
  /** Puts and deletes of one apply. */
  changesMax: 50_000,
  /** Wrong tokens from one address within the window, before it is answered 429. */
  wrongTokensMax: 10,
  wrongTokensWindowMs: 60_000,
  /** Addresses whose wrong tokens are remembered; the oldest is forgotten first. */
  throttledAddressesMax: 10_000,
  /** Answers kept for repeated `Idempotency-Key`s, how long, and their bytes together. */
  idempotentAnswersMax: 1_000,
  idempotentAnswersMs: 24 * 3_600_000,
  idempotentBytesMax: 32 * 1_048_576,
  /** Readers of `/api/v1/events` at once. */
  eventReadersMax: 256,
  /** What may wait for one reader of events before it is cut off. */
  eventsPendingMax: 1_024,
  eventBytesPendingMax: 1_048_576,
  /** Changed objects that one event names; more are counted in `changesOmitted`. */
  eventChangesMax: 500,
  heartbeatMs: 15_000,
} as const
