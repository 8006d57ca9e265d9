/**
 * How traffic is dealt to the versions of every upstream: what the definition says, unless an
 * operation has said otherwise at run time. Pure.
 *
 * A run-time split carries the hash of the definition that it was set over. When the definition of
 * the split itself changes, the split is dropped: the last who spoke decides. The alternative, to
 * let it stand, leaves an operator with an edit that silently does nothing.
 *
 * Every change of who gets which version raises the upstream's epoch, and an epoch is never used
 * twice for one name, also when an upstream is deleted and made again: then it starts behind the
 * highest epoch that a deleted upstream had (`epochFloor`).
 */
import { createHash } from 'node:crypto'
import { s } from '../base/schema.ts'
import { basisPointsWhole } from '../base/units.ts'
import { defaultWorkspace, type Resource } from '../kinds/define-kind.ts'
import { type UpstreamSpec, upstream } from '../kinds/upstream.ts'
import type { RuntimeChange, RuntimeState } from '../store/store.ts'
import { readableSpecOf } from './references.ts'

export type RuntimeSplit = {
  /** Basis points per version; together 10000. */
  readonly weights: Readonly<Record<string, number>>
  /** `declaredHash` of the definition that it was set over. */
  readonly declared: string
  readonly setAt: string
  readonly actor: string
  readonly reason?: string
}

export type UpstreamState = { readonly epoch: number; readonly split?: RuntimeSplit }

const upstreamStateSchema: s.ZodType<UpstreamState> = s.object({
  epoch: s.int().min(1),
  split: s
    .object({
      weights: s.record(s.string(), s.int().min(0)),
      declared: s.string(),
      setAt: s.string(),
      actor: s.string(),
      reason: s.string().optional(),
    })
    .optional(),
})

/** What is dealt now: `compile` takes it, the status of the upstream shows it. */
export type Assignment = {
  readonly weights: Readonly<Record<string, number>>
  readonly epoch: number
  readonly source: 'Definition' | 'RunTime'
}

/** State of an upstream nobody has operated on. It is not stored. */
const untouched: UpstreamState = { epoch: 1 }

export type UpstreamStates = ReadonlyMap<string, UpstreamState>

/** Picks the states of upstreams out of everything that operations have left behind. */
export function upstreamStates(runtime: readonly RuntimeState[]): UpstreamStates {
  const states = new Map<string, UpstreamState>()
  for (const { key, state } of runtime) {
    if (key.kind === upstream.kind) states.set(key.name, upstreamStateSchema.parse(state))
  }
  return states
}

export type Upstreams = ReadonlyMap<string, UpstreamSpec>

/** Reads the specs of the upstreams among canonical resources. */
export function upstreamsOf(resources: readonly Resource[]): Upstreams {
  const found = new Map<string, UpstreamSpec>()
  for (const resource of resources) {
    if (resource.kind !== upstream.kind) continue
    const spec = readableSpecOf(upstream, resource)
    // A stored one that this Headgate no longer understands is as good as absent: admission refuses it.
    if (spec !== undefined) found.set(resource.name, spec)
  }
  return found
}

/** What stands when no operation has said otherwise. */
export function declaredWeights(spec: UpstreamSpec): Record<string, number> {
  return spec.split?.weights ?? { [spec.live]: basisPointsWhole }
}

/** Changes exactly when `live` or the split of the definition changes; the order of weights is nothing. */
export function declaredHash(spec: UpstreamSpec): string {
  return createHash('sha256')
    .update(dealingOf(spec, declaredWeights(spec)))
    .digest('hex')
}

/** Everything that decides which unit gets which version, as text. */
function dealingOf(spec: UpstreamSpec, weights: Readonly<Record<string, number>>): string {
  const shares = Object.entries(weights)
    .filter(([, weight]) => weight > 0)
    .sort(([left], [right]) => (left < right ? -1 : 1))
  const { by, name, salt } = spec.split?.sticky ?? {}
  return JSON.stringify([spec.live, shares, by, name, salt])
}

export type AssignmentInput = {
  readonly before: Upstreams
  readonly after: Upstreams
  readonly states: UpstreamStates
  readonly epochFloor: number
  /** What an operation sets now; undefined clears. */
  readonly operations?: ReadonlyMap<string, RuntimeSplit | undefined>
}

export type AssignmentPlan = {
  /** For every upstream of `after`. */
  readonly assignments: ReadonlyMap<string, Assignment>
  /** What was in force before, for every upstream of `before`. */
  readonly previous: ReadonlyMap<string, Assignment>
  readonly runtimeChanges: readonly RuntimeChange[]
  readonly dropped: readonly DroppedSplit[]
  readonly epochFloor: number
}

export type DroppedSplit = {
  readonly upstream: string
  readonly weights: Readonly<Record<string, number>>
  /** A clause that follows "because". */
  readonly why: string
}

/** Decides what becomes of every run-time split and epoch when `before` turns into `after`. */
export function planAssignments(input: AssignmentInput): AssignmentPlan {
  const assignments = new Map<string, Assignment>()
  const runtimeChanges: RuntimeChange[] = []
  const dropped: DroppedSplit[] = []
  for (const [name, spec] of input.after) {
    const stored = input.states.get(name)
    const kept = keptSplit(input, name, spec)
    if (kept.why !== undefined && stored?.split !== undefined) {
      dropped.push({ upstream: name, weights: stored.split.weights, why: kept.why })
    }
    const epoch = nextEpoch(input, name, spec, kept.split)
    const state: UpstreamState = { epoch, ...(kept.split && { split: kept.split }) }
    assignments.set(name, assignmentOf(spec, state))
    if (JSON.stringify(state) !== JSON.stringify(stored ?? untouched)) {
      runtimeChanges.push(changeOf(name, state))
    }
  }
  let { epochFloor } = input
  for (const name of input.before.keys()) {
    if (input.after.has(name)) continue
    const stored = input.states.get(name)
    epochFloor = Math.max(epochFloor, (stored ?? untouched).epoch)
    if (stored !== undefined) runtimeChanges.push(changeOf(name, undefined))
  }
  return { assignments, previous: assignmentsNow(input), runtimeChanges, dropped, epochFloor }
}

/** What is in force now. */
export function assignmentsNow({
  before,
  states,
}: Pick<AssignmentInput, 'before' | 'states'>): ReadonlyMap<string, Assignment> {
  return new Map(
    [...before].map(([name, spec]) => [name, assignmentOf(spec, states.get(name) ?? untouched)]),
  )
}

function assignmentOf(spec: UpstreamSpec, { epoch, split }: UpstreamState): Assignment {
  return split === undefined
    ? { weights: declaredWeights(spec), epoch, source: 'Definition' }
    : { weights: split.weights, epoch, source: 'RunTime' }
}

/** The run-time split after the change, and why a stored one has to go. */
function keptSplit(
  input: AssignmentInput,
  name: string,
  spec: UpstreamSpec,
): { split?: RuntimeSplit; why?: string } {
  if (input.operations?.has(name) === true) {
    const split = input.operations.get(name)
    return split === undefined ? {} : { split }
  }
  const split = input.states.get(name)?.split
  if (split === undefined) return {}
  if (split.declared !== declaredHash(spec)) return { why: 'the definition of the split changed' }
  const gone = Object.keys(split.weights).find((version) => spec.versions[version] === undefined)
  return gone === undefined ? { split } : { why: `version \`${gone}\` no longer exists` }
}

function nextEpoch(
  input: AssignmentInput,
  name: string,
  spec: UpstreamSpec,
  split: RuntimeSplit | undefined,
): number {
  const before = input.before.get(name)
  const state = input.states.get(name)
  if (before === undefined) return Math.max(input.epochFloor, state?.epoch ?? 0) + 1
  const { epoch, split: oldSplit } = state ?? untouched
  const oldDealing = dealingOf(before, oldSplit?.weights ?? declaredWeights(before))
  const newDealing = dealingOf(spec, split?.weights ?? declaredWeights(spec))
  return oldDealing === newDealing ? epoch : epoch + 1
}

function changeOf(name: string, state: UpstreamState | undefined): RuntimeChange {
  return { key: { workspace: defaultWorkspace, kind: upstream.kind, name }, state }
}
