import { basisPointsWhole } from '../../base/units.ts'
import type { GatewaySpec } from '../../kinds/gateway.ts'
import type { RouteSpec } from '../../kinds/route.ts'
import type { UpstreamSpec, VersionSpec } from '../../kinds/upstream.ts'
import type { SplitEntry, UpstreamEntry, VersionEntry } from '../../proxy/snapshot.ts'
import { compileEndpoint, endpointSlotName, versionSlotName } from './endpoints.ts'
import { compileTimeouts } from './gateway.ts'
import type { SlotAllocation } from './slots.ts'
import { caPemOf, type TlsContext } from './tls.ts'

export type NamedUpstream = { readonly name: string; readonly spec: UpstreamSpec }

/** Run-time splits by upstream: what `setSplit` left, with the number of the assignment. */
export type SplitStates = ReadonlyMap<
  string,
  { readonly weights: Readonly<Record<string, number>>; readonly epoch: number }
>

/** Name of the upstream that a route with an address of its own gets; no resource can have it. */
export function implicitUpstreamName(route: string): string {
  return `route:${route}`
}

/** The upstream behind `to: http://…`: one version with one endpoint, as `url:` would make it. */
export function implicitUpstream(route: string, target: RouteSpec['target']): NamedUpstream[] {
  if (target === undefined || !('url' in target)) return []
  const version: VersionSpec = {
    endpoints: [{ url: target.url, weight: 1 }],
    balance: 'PeakEwma',
    connectionsMax: 1_024,
  }
  return [{ name: implicitUpstreamName(route), spec: { versions: { v1: version }, live: 'v1' } }]
}

export type UpstreamContext = TlsContext & {
  readonly gateway: GatewaySpec
  readonly splits: SplitStates
  readonly slotOf: SlotAllocation['slotOf']
}

export function compileUpstream(upstream: NamedUpstream, context: UpstreamContext): UpstreamEntry {
  const { name, spec } = upstream
  const { forcedVersion } = spec
  return {
    name,
    versions: Object.entries(spec.versions).map(([version, versionSpec]) =>
      compileVersion({ upstream: name, version, spec: versionSpec }, context),
    ),
    split: compileSplit(upstream, context.splits),
    forcedVersion: forcedVersion && {
      header: forcedVersion.header,
      apps: [...(forcedVersion.apps ?? [])].sort(),
      addresses: [...(forcedVersion.addresses ?? [])].sort(),
    },
  }
}

function compileVersion(
  of: { upstream: string; version: string; spec: VersionSpec },
  context: UpstreamContext,
): VersionEntry {
  const { upstream, version, spec } = of
  const endpoints = spec.endpoints.map((endpoint) =>
    compileEndpoint(
      endpoint,
      context.slotOf('endpoint', endpointSlotName(upstream, version, endpoint.url)),
    ),
  )
  const isTls = endpoints.some((endpoint) => endpoint.scheme === 'https')
  return {
    name: version,
    slot: context.slotOf('version', versionSlotName(upstream, version)),
    account: spec.accountRef,
    balancer: spec.balance,
    connectionsMax: spec.connectionsMax,
    timeouts: compileTimeouts(spec.timeouts, context.gateway.timeouts),
    tls: isTls ? compileTls(spec.tls, context) : undefined,
    endpoints,
  }
}

function compileTls(
  tls: VersionSpec['tls'],
  { caPems, certificates }: TlsContext,
): VersionEntry['tls'] {
  const name = tls?.clientCertificateRef
  const clientCertificate =
    name === undefined ? undefined : { name, pem: certificates.get(name)?.pem }
  return {
    serverName: tls?.serverName,
    caPem: caPemOf(tls?.caFile, caPems),
    verify: tls?.verify ?? 'Full',
    ...(clientCertificate && { clientCertificate }),
  }
}

/** The split in force: of run-time state, else of the definition, else everything to `live`. */
function compileSplit({ name, spec }: NamedUpstream, splits: SplitStates): SplitEntry {
  const state = splits.get(name)
  const weights = state?.weights ?? spec.split?.weights ?? {}
  return {
    arms: dealingOrder(spec, weights),
    sticky: compileSticky(spec, name),
    epoch: state?.epoch ?? 0,
  }
}

function compileSticky({ split }: UpstreamSpec, upstream: string): SplitEntry['sticky'] {
  if (split?.sticky === undefined) return undefined
  const { by, name = '', salt = upstream } = split.sticky
  // Names of fields are asked for in lower case; those of cookies are case-sensitive.
  return { by, name: by === 'Header' ? name.toLowerCase() : name, salt }
}

/**
 * The live version takes what the others leave, whatever the weights say of it: run-time weights may
 * name a version that the definition has dropped, and its share must go somewhere.
 */
function dealingOrder(
  spec: UpstreamSpec,
  weights: Readonly<Record<string, number>>,
): SplitEntry['arms'] {
  const arms: { versionIndex: number; basisPoints: number }[] = []
  let left = basisPointsWhole
  for (const [versionIndex, name] of Object.keys(spec.versions).entries()) {
    const basisPoints = Math.min(name === spec.live ? 0 : (weights[name] ?? 0), left)
    if (basisPoints > 0) arms.push({ versionIndex, basisPoints })
    left -= basisPoints
  }
  const liveIndex = Object.keys(spec.versions).indexOf(spec.live)
  if (left > 0 && liveIndex !== -1) arms.push({ versionIndex: liveIndex, basisPoints: left })
  return arms
}
