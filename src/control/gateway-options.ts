/**
 * What it takes to start a gateway and what a started one offers. `run/` implements it, `cli/` asks
 * for it, `main.ts` brings the two together.
 */
import type { HostPort } from '../base/host-port.ts'
import type { ControlApi } from './control-api.ts'

/** Where the definition comes from; `files` and `document` are file mode, `store` is store mode. */
export type ConfigSource =
  | { readonly type: 'files'; readonly path: string }
  /** A document made in memory: `run --upstream URL` and the demo. `name` stands for the file in messages. */
  | { readonly type: 'document'; readonly name: string; readonly text: string }
  | { readonly type: 'store' }

export type GatewayOptions = {
  readonly source: ConfigSource
  readonly listen: HostPort
  /** For TLS; undefined leaves it to the definition. Nothing listens there without a certificate. */
  readonly tlsListen?: HostPort | undefined
  readonly admin: HostPort
  /** Undefined keeps everything in memory. */
  readonly dataDir: string | undefined
  readonly workers: number
  /** Time that exchanges get to finish when a worker is replaced or the gateway stops. */
  readonly drainMs: number
  /** Set from outside (HEADGATE_OWNER_TOKEN); undefined makes one at the first start. */
  readonly ownerToken: string | undefined
  /** Make another owner token even when there is one already. */
  readonly newOwnerToken: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Takes a line for people, such as "reloaded: revision 4". Never holds a secret. */
  log(line: string): void
}

export type RunningGateway = {
  /** `http://HOST:PORT` with the port really bound. */
  readonly listenUrl: string
  /** `https://HOST:PORT` while there is a certificate. */
  readonly tlsUrl?: string | undefined
  readonly adminUrl: string
  /** Only when it was just made: it is stored hashed and cannot be shown again. */
  readonly ownerToken: string | undefined
  readonly control: ControlApi
  /** What the operator should know at start, such as that the last good definition is served. */
  readonly notices: readonly string[]
  /** What went through since the last call. */
  traffic(): TrafficSummary
  /** Opens the access log anew, after it was renamed. */
  reopenLogs(): void
  /** Drains: stops accepting, finishes what runs, gives up after the budget. */
  stop(options: { budgetMs: number }): Promise<void>
  /** Resolves, with the reason, when it cannot go on. */
  readonly failed: Promise<Error>
}

export type TrafficSummary = readonly VersionTraffic[]

export type VersionTraffic = {
  readonly upstream: string
  readonly version: string
  readonly requests: number
  /** Answers of 500 and above, and exchanges that got no answer. */
  readonly errors: number
  readonly p95Ms: number
}
