/**
 * The compiled configuration a worker serves from: plain, frozen, cloneable data, made by
 * `control/compile/` and handed to every worker. It holds no secret; credentials travel apart, as
 * leases (`accounts/`). Indices (`…Index`) point into the lists of the same snapshot; slots
 * (`…Slot`) are numbers that stay with a name over all snapshots, so that counters in shared
 * memory outlive reloads.
 */
import type { PolicySources } from './policies/source-digest.ts'
import type { RouterTables } from './router/tables.ts'

export type Snapshot = {
  /** Number of the stored change or file load this was compiled from. */
  readonly revision: number
  readonly gateway: GatewaySettings
  /** TLS towards clients; undefined without a certificate to show. */
  readonly tls: TlsEntry | undefined
  readonly router: RouterTables
  readonly routes: readonly RouteEntry[]
  readonly upstreams: readonly UpstreamEntry[]
  /** Every distinct policy configuration once; routes refer to them by index. */
  readonly policies: readonly PolicyEntry[]
  readonly apps: readonly AppEntry[]
  /** Files with users' own policies that `policies` may name. */
  readonly policyModules: readonly PolicyModule[]
  /** What those files and their helpers held when they were checked. Absent without a folder. */
  readonly policySources?: PolicySources
}

export type GatewaySettings = {
  readonly trustedProxies: readonly string[]
  readonly requestIdHeader: string
  readonly requestIdAccept: 'Never' | 'FromTrusted' | 'Always'
  readonly accessLog: {
    readonly output: 'Off' | 'Stdout' | 'File'
    /** With `File`. */
    readonly path: string | undefined
  }
  readonly clientTimeouts: {
    readonly headMs: number
    readonly bodyMs: number
    readonly idleMs: number
  }
  readonly limits: {
    readonly headBytesMax: number
    readonly fieldCountMax: number
    readonly targetBytesMax: number
    /** undefined: no limit. */
    readonly bodyBytesMax: number | undefined
    readonly connectionsMax: number
    readonly requestsPerConnectionMax: number | undefined
  }
}

export type TlsEntry = {
  /** As configured; an option of the process may come before it. Port 0 lets the system choose. */
  readonly listen: { readonly host: string; readonly port: number }
  readonly minVersion: 'Tls12' | 'Tls13'
  readonly clientCertificates: {
    readonly mode: 'Off' | 'Optional' | 'Required'
    /** Unless the mode is `Off`. */
    readonly caPem: string | undefined
    readonly forward: 'Off' | 'ClientCert'
  }
  readonly handshakeMs: number
  /** At a time, per worker. */
  readonly handshakesMax: number
  /** At least one; the first is shown for names that none of them has. */
  readonly certificates: readonly CertificateEntry[]
}

/** Its key travels apart, by the same name. */
export type CertificateEntry = {
  readonly name: string
  readonly hosts: readonly string[]
  /** With the chain. */
  readonly pem: string
}

/** Milliseconds; `totalMs` or `tunnelTotalMs` undefined means no limit. */
export type Timeouts = {
  readonly connectMs: number
  readonly firstByteMs: number
  readonly idleMs: number
  readonly totalMs: number | undefined
  /** For upgraded connections, from the 101 on, in place of the two above. */
  readonly tunnelIdleMs: number
  readonly tunnelTotalMs: number | undefined
}

export type RouteEntry = {
  readonly name: string
  readonly slot: number
  /** Names of the parameters of its paths, in the order of the captures of a match. */
  readonly parameterNames: readonly string[]
  /** Among equally specific routes the higher one has won; kept for explanations. */
  readonly priority: number
  /** Indices into `policies`, already in the order in which they run. */
  readonly policyIndices: readonly number[]
  readonly action: RouteAction
}

export type RouteAction =
  | {
      readonly type: 'proxy'
      readonly upstreamIndex: number
      readonly timeouts: PartialTimeouts
      readonly rewrite: Rewrite
      /** Protocols that clients may upgrade to, in lower case. */
      readonly upgrades: readonly string[]
    }
  | {
      readonly type: 'redirect'
      readonly status: number
      readonly location: Template | undefined
      readonly scheme: string | undefined
      readonly host: string | undefined
      readonly path: Template | undefined
    }
  | {
      readonly type: 'respond'
      readonly status: number
      readonly fields: readonly (readonly [string, string])[]
      readonly body: string
    }

export type PartialTimeouts = { readonly [Key in keyof Timeouts]?: Timeouts[Key] | undefined }

export type Rewrite = {
  readonly path: Template | undefined
  /** Canonical spelling, starts with a slash and ends without one; so does `addPrefix`. */
  readonly stripPrefix: string | undefined
  readonly addPrefix: string | undefined
  readonly host:
    | { readonly mode: 'Upstream' | 'Preserve' }
    | { readonly mode: 'Literal'; readonly value: string }
}

/**
 * Text with parameters of the path: strings are literal, numbers are indices into the captures of
 * the match; `-1` is what `/**` matched.
 */
export type Template = readonly (string | number)[]

export type UpstreamEntry = {
  readonly name: string
  readonly versions: readonly VersionEntry[]
  readonly split: SplitEntry
  readonly forcedVersion:
    | {
        readonly header: string
        readonly apps: readonly string[]
        readonly addresses: readonly string[]
      }
    | undefined
}

export type VersionEntry = {
  readonly name: string
  readonly slot: number
  readonly account: string | undefined
  readonly balancer: 'RoundRobin' | 'LeastRequest' | 'PeakEwma'
  readonly connectionsMax: number
  readonly timeouts: Timeouts
  readonly tls:
    | {
        readonly serverName: string | undefined
        readonly caPem: string | undefined
        readonly verify: 'Full' | 'Off'
        /** For endpoints that ask for one. `pem` is undefined when its file could not be read. */
        readonly clientCertificate?: { readonly name: string; readonly pem: string | undefined }
      }
    | undefined
  readonly endpoints: readonly EndpointEntry[]
}

export type EndpointEntry = {
  /** `http://host:port/prefix` as configured: the identity of the endpoint in records and errors. */
  readonly url: string
  readonly slot: number
  readonly scheme: 'http' | 'https'
  /** Name or address to connect to, without brackets. */
  readonly host: string
  readonly port: number
  /** `Host` field value when the route does not preserve the client's. */
  readonly authority: string
  /** Put before the path of every request; empty for none, never ends in `/`. */
  readonly pathPrefix: string
  readonly weight: number
  readonly zone: string | undefined
}

/**
 * How requests are dealt to versions (`upstreams/split.ts`). `arms` are in dealing order: all but the
 * live version first, in the order of definition, the live one last, so that growing weights never move
 * a unit back. Arms without weight are left out; the others add up to 10000.
 */
export type SplitEntry = {
  readonly arms: readonly { readonly versionIndex: number; readonly basisPoints: number }[]
  readonly sticky:
    | {
        readonly by: 'Consumer' | 'Header' | 'Cookie' | 'ClientAddress'
        readonly name: string
        readonly salt: string
      }
    | undefined
  /** Number of the traffic assignment; grows with every change of the split. */
  readonly epoch: number
}

export type PolicyEntry = {
  readonly policy: string
  /** Checked by the policy's schema, defaults filled in. */
  readonly config: Readonly<Record<string, unknown>>
  /** Where it was written, such as `route/books#0` or `policySet/standard#1`: names its state over reloads. */
  readonly scope: string
}

export type AppEntry = {
  readonly name: string
  readonly slot: number
  readonly consumer: string
  readonly isSuspended: boolean
  readonly keys: readonly {
    readonly name: string
    readonly sha256: string
    readonly expiresAtMs: number | undefined
  }[]
}

export type PolicyModule = { readonly path: string; readonly sha256: string }
