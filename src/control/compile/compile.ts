/**
 * Resources to snapshot: the one place where what operators said becomes what workers serve from. Pure:
 * no clock, store, file or environment, and the same input gives the same output, whatever the order of
 * the resources. Admission has checked everything; what it must have refused is thrown here, never
 * guessed at.
 */
import { app } from '../../kinds/app.ts'
import type { Resource } from '../../kinds/define-kind.ts'
import { gateway } from '../../kinds/gateway.ts'
import { policySet } from '../../kinds/policy-set.ts'
import { route } from '../../kinds/route.ts'
import { upstream } from '../../kinds/upstream.ts'
import type { PolicyCatalog } from '../../proxy/policies/define-policy.ts'
import type { PolicySources } from '../../proxy/policies/source-digest.ts'
import { buildRouter } from '../../proxy/router/build.ts'
import type { PolicyModule, Snapshot } from '../../proxy/snapshot.ts'
import { type AppKeyHashes, compileApp } from './apps.ts'
import { endpointSlotName, versionSlotName } from './endpoints.ts'
import { compileGateway } from './gateway.ts'
import { resourcesOf } from './of-kind.ts'
import { policyTable } from './policies.ts'
import { compileRoute } from './routes.ts'
import { allocateSlots, type SlotTable } from './slots.ts'
import { type CertificateTexts, compileTls } from './tls.ts'
import {
  compileUpstream,
  implicitUpstream,
  type NamedUpstream,
  type SplitStates,
} from './upstreams.ts'

export type CompileInput = {
  /** Number of the stored change or file load. */
  readonly revision: number
  /** As admission returns them. */
  readonly resources: readonly Resource[]
  /** Run-time splits, by upstream. */
  readonly splits: SplitStates
  /** Built-in policies and users' own, by name. */
  readonly catalog: PolicyCatalog
  /** As the last compilation returned it. */
  readonly slots: SlotTable
  readonly policyModules: readonly PolicyModule[]
  readonly policySources?: PolicySources | undefined
  /** PEM text by `caFile`. */
  readonly caPems: ReadonlyMap<string, string>
  readonly appKeyHashes: AppKeyHashes
  /** The certificates that could be read, by name; without it, none. */
  readonly certificates?: CertificateTexts
}

export type CompileOutput = { readonly snapshot: Snapshot; readonly slots: SlotTable }

/** Compiles admitted resources. Throws a `HeadgateError` of `config.…` for what cannot be served. */
export function compile(input: CompileInput): CompileOutput {
  const { resources, caPems, certificates = new Map() } = input
  const gatewaySpec = resourcesOf(resources, gateway)[0]?.spec ?? {}
  const routes = resourcesOf(resources, route)
  const apps = resourcesOf(resources, app)
  const upstreams = [
    ...resourcesOf(resources, upstream),
    ...routes.flatMap(({ name, spec }) => implicitUpstream(name, spec.target)),
  ]
  const { table, slotOf } = allocateSlots(input.slots, {
    route: routes.map(({ name }) => name),
    app: apps.map(({ name }) => name),
    ...upstreamSlotNames(upstreams),
  })
  const sets = resourcesOf(resources, policySet)
  const policies = policyTable(new Map(sets.map(({ name, spec }) => [name, spec])), input.catalog)
  const upstreamIndices = new Map(upstreams.map(({ name }, index) => [name, index]))
  const snapshot: Snapshot = {
    revision: input.revision,
    gateway: compileGateway(gatewaySpec),
    tls: compileTls(gatewaySpec, resources, { certificates, caPems }),
    router: buildRouter(
      routes.map(({ name, spec }) => ({ name, match: spec.match, priority: spec.priority })),
    ),
    routes: routes.map((each) => compileRoute(each, { upstreamIndices, policies, slotOf })),
    upstreams: upstreams.map((each) =>
      compileUpstream(each, {
        gateway: gatewaySpec,
        splits: input.splits,
        caPems,
        certificates,
        slotOf,
      }),
    ),
    // Filled while the routes were compiled.
    policies: policies.entries,
    apps: apps.map((each) => compileApp(each, input.appKeyHashes, slotOf)),
    policyModules: [...input.policyModules].sort((left, right) =>
      left.path < right.path ? -1 : 1,
    ),
    ...(input.policySources && { policySources: input.policySources }),
  }
  return { snapshot, slots: table }
}

function upstreamSlotNames(upstreams: readonly NamedUpstream[]) {
  const version: string[] = []
  const endpoint: string[] = []
  for (const { name, spec } of upstreams) {
    for (const [versionName, { endpoints }] of Object.entries(spec.versions)) {
      version.push(versionSlotName(name, versionName))
      for (const { url } of endpoints) endpoint.push(endpointSlotName(name, versionName, url))
    }
  }
  return { version, endpoint }
}
