/**
 * What callers notice of a change, in sentences: the part of a plan that a person reads before
 * pressing the button. One function per kind; a kind without one still says that nothing moves.
 */
import { formatShare } from '../base/units.ts'
import { account } from '../kinds/account.ts'
import { type AppSpec, app } from '../kinds/app.ts'
import type { KindDefinition, Resource } from '../kinds/define-kind.ts'
import { gateway } from '../kinds/gateway.ts'
import { policySet } from '../kinds/policy-set.ts'
import { type RouteSpec, route } from '../kinds/route.ts'
import { type UpstreamSpec, upstream, type VersionSpec } from '../kinds/upstream.ts'
import type { ResourceChange } from './plan.ts'
import { objectOf, type ReferenceIndex, readableSpecOf } from './references.ts'
import type { Assignment, DroppedSplit } from './runtime-state.ts'

/** What surrounds a change. */
export type EffectContext = {
  /** Who refers to what after the change. */
  readonly references: ReferenceIndex
  /** Traffic of every upstream before and after; empty when revisions are compared, not applied. */
  readonly previous: ReadonlyMap<string, Assignment>
  readonly assignments: ReadonlyMap<string, Assignment>
  readonly dropped: readonly DroppedSplit[]
}

type Effects = (change: ResourceChange, context: EffectContext) => string[]

const effectsByKind: Readonly<Record<string, Effects>> = {
  [upstream.kind]: upstreamEffects,
  [account.kind]: accountEffects,
  [route.kind]: routeEffects,
  [policySet.kind]: policySetEffects,
  [app.kind]: appEffects,
  [gateway.kind]: () => ['applies to every request from now on'],
}

export function effectsOf(change: ResourceChange, context: EffectContext): string[] {
  const effects = effectsByKind[change.subject.kind]?.(change, context) ?? []
  return effects.length > 0 ? effects : ['moves no traffic, restarts nothing']
}

/** Both sides of a change as specs of one kind. */
function specs<Spec, Input>(
  kind: KindDefinition<Spec, Input>,
  change: ResourceChange,
): { before: Spec | undefined; after: Spec | undefined } {
  const read = (resource: Resource | undefined) =>
    resource === undefined ? undefined : readableSpecOf(kind, resource)
  return { before: read(change.before), after: read(change.after) }
}

/** Names of the resources that use the object of this change. */
function usersOf({ subject }: ResourceChange, { references }: EffectContext): string[] {
  return (references.get(objectOf(subject)) ?? []).map((user) => user.name)
}

const percent = (basisPoints: number): string => formatShare(basisPoints).replace('%', ' %')

/** ``"`a`, `b` and 3 more"``: long lists must not drown the sentence. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `\`${name}\``)
  if (names.length > shown.length)
    return `${shown.join(', ')} and ${names.length - shown.length} more`
  return shown.join(', ')
}

function upstreamEffects(change: ResourceChange, context: EffectContext): string[] {
  const { before, after } = specs(upstream, change)
  const { name } = change.subject
  if (after === undefined) return [`takes \`${name}\` and its endpoints out of service`]
  if (before === undefined) {
    const users = usersOf(change, context)
    return [
      users.length === 0
        ? 'takes no traffic: no route leads to it'
        : `takes the traffic of ${listed(users)}`,
    ]
  }
  const dropped = context.dropped.filter((split) => split.upstream === name)
  return [
    ...dropped.map(
      ({ weights, why }) => `drops the run-time split (${shares(weights)}), because ${why}`,
    ),
    ...movedTraffic(name, context),
    ...versionEffects(name, before, after, context.assignments.get(name)),
  ]
}

function shares(weights: Readonly<Record<string, number>>): string {
  return Object.entries(weights)
    .map(([version, weight]) => `${version} ${percent(weight)}`)
    .join(', ')
}

function movedTraffic(name: string, { previous, assignments }: EffectContext): string[] {
  const old = previous.get(name)?.weights ?? {}
  const now = assignments.get(name)?.weights ?? {}
  return Object.entries(now).flatMap(([version, weight]) => {
    const gained = weight - (old[version] ?? 0)
    return gained > 0
      ? [`moves ${percent(gained)} of the traffic of \`${name}\` to \`${version}\``]
      : []
  })
}

function versionEffects(
  name: string,
  before: UpstreamSpec,
  after: UpstreamSpec,
  assignment: Assignment | undefined,
): string[] {
  const versions = new Set([...Object.keys(before.versions), ...Object.keys(after.versions)])
  return [...versions].flatMap((version) => {
    const [old, now] = [before.versions[version], after.versions[version]]
    const share = assignment?.weights[version] ?? 0
    if (old === undefined) {
      return share > 0
        ? []
        : [`adds version \`${version}\` of \`${name}\`, which takes no traffic yet`]
    }
    if (now === undefined) return [`removes version \`${version}\` of \`${name}\``]
    return bundleEffects(`version \`${version}\` of \`${name}\``, old, now, share)
  })
}

function bundleEffects(
  version: string,
  old: VersionSpec,
  now: VersionSpec,
  share: number,
): string[] {
  const effects: string[] = []
  if (addresses(old) !== addresses(now)) {
    const what = share > 0 ? `${percent(share)} of the traffic` : 'no traffic yet'
    effects.push(`${version} (${what}) goes to ${addresses(now)}`)
  } else if (endpointWeights(old) !== endpointWeights(now)) {
    effects.push(`${version} deals its requests anew between its endpoints`)
  }
  if (old.accountRef !== now.accountRef) {
    effects.push(
      now.accountRef === undefined
        ? `${version} no longer uses an account`
        : `${version} uses account \`${now.accountRef}\`${old.accountRef === undefined ? '' : ` instead of \`${old.accountRef}\``}`,
    )
  }
  return effects
}

function addresses(version: VersionSpec): string {
  return version.endpoints.map(({ url }) => url).join(', ')
}

function endpointWeights(version: VersionSpec): string {
  return version.endpoints.map(({ weight }) => weight).join(', ')
}

function accountEffects(change: ResourceChange, context: EffectContext): string[] {
  const users = usersOf(change, context)
  if (change.action !== 'change' || users.length === 0) return []
  return [`requests to ${listed(users)} carry the changed credential`]
}

function routeEffects(change: ResourceChange): string[] {
  const { before, after } = specs(route, change)
  if (after === undefined) {
    const where = before === undefined ? '' : requestsOf(before)
    return [`removes the route for ${where}: they fall to a less specific route, or get 404`]
  }
  const goal = goalOf(after)
  if (before === undefined) return [`adds a route: ${requestsOf(after)} ${goal}`]
  const effects: string[] = []
  if (requestsOf(before) !== requestsOf(after)) {
    effects.push(`matches ${requestsOf(after)} instead of ${requestsOf(before)}`)
  }
  if (goalOf(before) !== goal) effects.push(`requests ${goal}`)
  if (JSON.stringify(before.policies) !== JSON.stringify(after.policies)) {
    effects.push('other policies run on its requests')
  }
  return effects
}

function requestsOf({ match }: RouteSpec): string {
  const paths = match.paths.join(', ') || '/**'
  const methods = match.methods.length > 0 ? `${match.methods.join(', ')} ` : ''
  const hosts = match.hosts.length > 0 ? ` on ${match.hosts.join(', ')}` : ''
  return `${methods}${paths}${hosts}`
}

function goalOf({ target, redirect, respond }: RouteSpec): string {
  if (redirect !== undefined) return `are redirected with ${redirect.status ?? 308}`
  if (respond !== undefined) return `are answered with ${respond.status}`
  if (target === undefined) return 'go nowhere'
  return 'url' in target ? `go to ${target.url}` : `go to \`${target.upstreamRef}\``
}

function policySetEffects(change: ResourceChange, context: EffectContext): string[] {
  const users = usersOf(change, context)
  if (change.action !== 'change' || users.length === 0) return []
  return [`other policies run on the requests of ${listed(users)}`]
}

function appEffects(change: ResourceChange): string[] {
  const { before, after } = specs(app, change)
  const { name } = change.subject
  if (after === undefined) return [`callers with a key of \`${name}\` are refused`]
  const [old, now] = [keyNames(before), keyNames(after)]
  const added = now.filter((key) => !old.includes(key))
  const removed = old.filter((key) => !now.includes(key))
  const replaced = replacedKeys(before, after)
  const [wasActive, isActive] = [isCallable(before), isCallable(after)]
  return [
    ...(before !== undefined && wasActive && !isActive
      ? [`callers of \`${name}\` are refused`]
      : []),
    ...(before !== undefined && !wasActive && isActive
      ? [`callers of \`${name}\` are let in again`]
      : []),
    ...(added.length > 0 ? [`callers with key ${listed(added)} are let in`] : []),
    ...(removed.length > 0 ? [`callers with key ${listed(removed)} are refused`] : []),
    ...(replaced.length > 0
      ? [`key ${listed(replaced)} is another one; the old one is refused`]
      : []),
  ]
}

function replacedKeys(before: AppSpec | undefined, after: AppSpec): string[] {
  const old = new Map((before?.keys ?? []).map((key) => [key.name, key]))
  return (after.keys ?? [])
    .filter((key) => {
      const was = old.get(key.name)
      return was !== undefined && (was.hash !== key.hash || was.secret !== key.secret)
    })
    .map((key) => key.name)
}

function keyNames(spec: AppSpec | undefined): string[] {
  return (spec?.keys ?? []).map((key) => key.name)
}

function isCallable(spec: AppSpec | undefined): boolean {
  return (spec?.state ?? 'Active') === 'Active'
}
