/**
 * Which version of an upstream takes a request. A unit (a consumer, a header, a cookie, an address) falls
 * into one of 10,000 buckets by a hash that depends on nothing but salt and unit; arms take the buckets
 * from 0 upwards in dealing order, the live version last. So while the weights of the others grow, a unit
 * can only move away from the live version, never back.
 */
import { type CidrTable, cidrTable } from '../../base/cidr.ts'
import { murmur3 } from '../../base/hash.ts'
import { basisPointsWhole } from '../../base/units.ts'
import type { SplitEntry, UpstreamEntry } from '../snapshot.ts'

export type VersionChoice = {
  /** -1 when the upstream has no version at all. */
  readonly versionIndex: number
  /** Where the unit, or this request, fell: 0 to 9999. */
  readonly bucket: number
}

/**
 * Chooses by the unit's bucket, or, without a unit, by `fraction` in [0, 1), which is random for each
 * request.
 */
export function chooseVersion(
  split: SplitEntry,
  unitKey: string | undefined,
  fraction: number,
): VersionChoice {
  const { arms, sticky } = split
  const bucket =
    sticky === undefined || unitKey === undefined
      ? Math.floor(fraction * basisPointsWhole)
      : bucketOf(sticky.salt, unitKey)
  let end = 0
  let versionIndex = -1
  for (let index = 0; index < arms.length; index++) {
    const arm = arms[index]
    if (arm === undefined) break
    versionIndex = arm.versionIndex
    end += arm.basisPoints
    if (bucket < end) break
  }
  return { versionIndex, bucket }
}

/** The bucket of a unit: murmur3(unit, seeded with murmur3(salt)) modulo 10,000. */
export function bucketOf(salt: string, unit: string): number {
  return murmur3(unit, murmur3(salt)) % basisPointsWhole
}

/** What the choice of a version asks of a request. */
export type DealtRequest = {
  field(name: string): string | undefined
  cookie(name: string): string | undefined
  readonly clientAddress: string
}

/** The unit that keeps its version; undefined when each request is dealt on its own. */
export function stickyUnitOf(
  split: SplitEntry,
  request: DealtRequest,
  consumer: string | undefined,
): string | undefined {
  switch (split.sticky?.by) {
    case undefined:
      return undefined
    case 'Consumer':
      return consumer
    case 'Header':
      return request.field(split.sticky.name)
    case 'Cookie':
      return request.cookie(split.sticky.name)
    case 'ClientAddress':
      return request.clientAddress
  }
}

/** `forcedVersion` of an upstream made ready, once per snapshot and worker. */
export type ForcedVersionRule = {
  /** Field to read, and to remove before the request goes on, whoever sent it. */
  readonly header: string
  readonly apps: ReadonlySet<string>
  readonly networks: CidrTable
  readonly versionIndices: ReadonlyMap<string, number>
}

export function forcedVersionRule(upstream: UpstreamEntry): ForcedVersionRule | undefined {
  if (upstream.forcedVersion === undefined) return undefined
  const { header, apps, addresses } = upstream.forcedVersion
  return {
    header,
    apps: new Set(apps),
    networks: cidrTable(addresses),
    versionIndices: new Map(upstream.versions.map((version, index) => [version.name, index])),
  }
}

export type ForcedVersion =
  /** The field is absent: deal as usual. */
  | { readonly type: 'none' }
  /** Sent by somebody who may not: deal as usual. */
  | { readonly type: 'unauthorised' }
  | { readonly type: 'forced'; readonly versionIndex: number }
  /** A tester asked for a version that does not exist: answer `route.version_unknown`, not another one. */
  | { readonly type: 'unknown'; readonly name: string }

const none: ForcedVersion = Object.freeze({ type: 'none' })
const unauthorised: ForcedVersion = Object.freeze({ type: 'unauthorised' })

/** What the forcing field of a request says. A listed app, or a listed network, may use it. */
export function forcedVersionOf(
  rule: ForcedVersionRule,
  request: DealtRequest,
  app: string | undefined,
): ForcedVersion {
  const name = request.field(rule.header)
  if (name === undefined) return none
  const isAuthorised =
    (app !== undefined && rule.apps.has(app)) || rule.networks.has(request.clientAddress)
  if (!isAuthorised) return unauthorised
  const versionIndex = rule.versionIndices.get(name)
  return versionIndex === undefined ? { type: 'unknown', name } : { type: 'forced', versionIndex }
}
