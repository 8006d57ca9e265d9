/** The phases "choose version" and "transform target" of an exchange that is proxied. */
import { assert, type ErrorCode } from '../base/errors.ts'
import type { ActiveSnapshot, ActiveUpstream, ActiveVersion } from './active-snapshot.ts'
import type { ConsumerIdentity } from './policies/define-policy.ts'
import type { RequestFacts } from './request-facts.ts'
import type { PartialTimeouts, Timeouts } from './snapshot.ts'
import { chooseVersion, forcedVersionOf, stickyUnitOf } from './upstreams/split.ts'

export type UpstreamChoice =
  | { readonly ok: true; readonly version: ActiveVersion }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }

/** Picks the version that serves this request: forced by a tester, or dealt by the split. */
export function chooseActiveVersion(
  upstream: ActiveUpstream,
  request: RequestFacts,
  options: { readonly consumer: ConsumerIdentity | undefined; readonly fraction: () => number },
): UpstreamChoice {
  const { entry, forcedVersion } = upstream
  if (forcedVersion !== undefined) {
    const forced = forcedVersionOf(forcedVersion, request, options.consumer?.app)
    if (forced.type === 'unknown') {
      const message = `the upstream \`${entry.name}\` has no version \`${forced.name}\`; it has ${entry.versions.map((version) => version.name).join(', ')}`
      return { ok: false, code: 'route.version_unknown', message }
    }
    if (forced.type === 'forced') return found(upstream, forced.versionIndex)
  }
  const { split } = entry
  if (split.arms.length === 1) return found(upstream, split.arms[0]?.versionIndex ?? -1)
  const unit = stickyUnitOf(split, request, options.consumer?.consumer)
  return found(upstream, chooseVersion(split, unit, options.fraction()).versionIndex)
}

function found(upstream: ActiveUpstream, versionIndex: number): UpstreamChoice {
  const version = upstream.versions[versionIndex]
  if (version !== undefined) return { ok: true, version }
  const message = `the upstream \`${upstream.entry.name}\` has no version that takes traffic`
  return { ok: false, code: 'route.version_unknown', message }
}

/** Limits of the route where it sets them, else those of the version. */
export function timeoutsOf(route: PartialTimeouts, version: Timeouts): Timeouts {
  return {
    connectMs: route.connectMs ?? version.connectMs,
    firstByteMs: route.firstByteMs ?? version.firstByteMs,
    idleMs: route.idleMs ?? version.idleMs,
    totalMs: route.totalMs ?? version.totalMs,
    tunnelIdleMs: route.tunnelIdleMs ?? version.tunnelIdleMs,
    tunnelTotalMs: route.tunnelTotalMs ?? version.tunnelTotalMs,
  }
}

export function activeUpstreamOf(active: ActiveSnapshot, upstreamIndex: number): ActiveUpstream {
  const upstream = active.upstreams[upstreamIndex]
  assert(upstream !== undefined, `a route refers to upstream ${upstreamIndex}, which is not there`)
  return upstream
}
