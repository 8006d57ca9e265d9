/**
 * A snapshot made ready to serve in one worker: routes with their policy chains, versions with their
 * endpoints, everything an exchange needs at the end of a reference instead of a look-up.
 */
import { cidrTable } from '../base/cidr.ts'
import { assert } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { LeaseLines, LeaseTable } from '../accounts/lease-table.ts'
import type { KeyTable } from '../accounts/private-keys.ts'
import type { Series, WorkerMetrics } from '../telemetry/metrics/worker-metrics.ts'
import { type FieldKey, fieldKey } from '../wire/http1/fields.ts'
import { type Forwarding, forwardingOf } from './forwarding.ts'
import type { PolicyDefinition } from './policies/define-policy.ts'
import {
  instantiatePolicies,
  type PolicyInstances,
  type PolicyServices,
} from './policies/instantiate.ts'
import { buildChain, type ChainServices, type PolicyChain } from './policies/run-chain.ts'
import { activateRouter, type Router } from './router/match.ts'
import type { RouteEntry, Snapshot, UpstreamEntry, VersionEntry } from './snapshot.ts'
import { balancers } from './upstreams/balancers/index.ts'
import { Cluster } from './upstreams/cluster.ts'
import { type ForcedVersionRule, forcedVersionRule } from './upstreams/split.ts'
import type { EndpointDirectory } from './upstreams/endpoint-directory.ts'

export type ActiveRoute = {
  readonly entry: RouteEntry
  readonly chain: PolicyChain
  readonly series: Series
}

export type ActiveVersion = {
  readonly entry: VersionEntry
  readonly cluster: Cluster
  readonly series: Series
  readonly credential: Credential
}

export type Credential =
  | { readonly type: 'none' }
  /** The account has no usable secret. */
  | { readonly type: 'missing'; readonly account: string }
  | { readonly type: 'lease'; readonly lines: LeaseLines; readonly removed: readonly FieldKey[] }

export type ActiveUpstream = {
  readonly entry: UpstreamEntry
  readonly versions: readonly ActiveVersion[]
  readonly forcedVersion: ForcedVersionRule | undefined
  /** The field that forces a version: it ends here, whoever sent it. */
  readonly forcedVersionKey: FieldKey | undefined
}

export type ActivationServices = {
  readonly policyServices: PolicyServices
  readonly chainServices: ChainServices
  readonly catalog: ReadonlyMap<string, PolicyDefinition>
  readonly endpoints: EndpointDirectory
  readonly metrics: WorkerMetrics
  readonly leases: LeaseTable
  readonly keys: KeyTable
  readonly random: Random
}

export class ActiveSnapshot {
  readonly snapshot: Snapshot
  readonly router: Router
  readonly routes: readonly ActiveRoute[]
  readonly upstreams: readonly ActiveUpstream[]
  readonly forwarding: Forwarding
  readonly policies: PolicyInstances
  #exchangeCount = 0
  #isSuperseded = false

  /** Throws `config.…` when a policy cannot be made; nothing has changed then. */
  constructor(
    snapshot: Snapshot,
    services: ActivationServices,
    previous: ActiveSnapshot | undefined,
  ) {
    this.snapshot = snapshot
    this.policies = instantiatePolicies(
      snapshot.policies,
      services.catalog,
      services.policyServices,
      previous?.policies,
    )
    this.router = activateRouter(snapshot.router)
    this.forwarding = forwardingOf(snapshot, cidrTable(snapshot.gateway.trustedProxies))
    this.upstreams = activateUpstreams(snapshot, services)
    const { members } = this.policies
    this.routes = snapshot.routes.map((entry) => ({
      entry,
      chain: buildChain(
        entry.policyIndices.map((index) => {
          const member = members[index]
          assert(
            member !== undefined,
            `route ${entry.name} refers to policy ${index}, which is not there`,
          )
          return member
        }),
        services.chainServices,
      ),
      series: services.metrics.series('route', entry.slot),
    }))
  }

  enter(): void {
    this.#exchangeCount++
  }

  leave(): void {
    this.#exchangeCount--
    this.#closeWhenDrained()
  }

  /** Another snapshot serves new exchanges; what only this one held goes when its last exchange ends. */
  supersede(): void {
    this.#isSuperseded = true
    this.#closeWhenDrained()
  }

  #closeWhenDrained(): void {
    if (this.#isSuperseded && this.#exchangeCount === 0) this.policies.close()
  }
}

function activateUpstreams(snapshot: Snapshot, services: ActivationServices): ActiveUpstream[] {
  return services.endpoints.renew(services.keys, (endpointOf) =>
    snapshot.upstreams.map((entry) => ({
      entry,
      forcedVersion: forcedVersionRule(entry),
      forcedVersionKey: entry.forcedVersion && fieldKey(entry.forcedVersion.header),
      versions: entry.versions.map((version) => {
        const definition = balancers.find((balancer) => balancer.name === version.balancer)
        assert(definition !== undefined, `there is no balancer ${version.balancer}`)
        const endpoints = version.endpoints.map((endpoint) => endpointOf(version, endpoint))
        return {
          entry: version,
          cluster: new Cluster(endpoints, definition.create(services.random)),
          series: services.metrics.series('version', version.slot),
          credential: credentialOf(version, services.leases),
        }
      }),
    })),
  )
}

function credentialOf({ account }: VersionEntry, leases: LeaseTable): Credential {
  if (account === undefined) return { type: 'none' }
  const lines = leases.linesOf(account)
  if (lines === undefined) return { type: 'missing', account }
  return { type: 'lease', lines, removed: lines.fields.map(([name]) => fieldKey(name)) }
}
