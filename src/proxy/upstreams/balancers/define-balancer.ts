/** The contract of a balancer: which endpoint takes the next request. */
import type { Random } from '../../../base/random.ts'

/** What a balancer may look at. */
export type Balanced = {
  /** Relative to the others; never 0 here. */
  readonly weight: number
  /** Requests running now. */
  readonly inFlight: number
  /** Estimate of the time to answer, ms, decayed to now; 0 before the first answer. */
  latencyMs(nowMs: number): number
}

export type Balancer = {
  /** Index into the list; `candidates` is never empty and its members do not change between calls. */
  pick(candidates: readonly Balanced[], nowMs: number): number
}

export type BalancerDefinition = {
  /** As written in `balance` of an upstream version. */
  readonly name: 'RoundRobin' | 'LeastRequest' | 'PeakEwma'
  readonly summary: string
  /** One balancer per version and worker. */
  create(random: Random): Balancer
}

export function defineBalancer(definition: BalancerDefinition): BalancerDefinition {
  return definition
}

/** Index of the better of two different candidates drawn at random, the lower score winning. */
export function pickOfTwo(
  candidates: readonly Balanced[],
  random: Random,
  scoreOf: (candidate: Balanced) => number,
): number {
  if (candidates.length === 1) return 0
  const first = Math.floor(random.fraction() * candidates.length)
  const step = 1 + Math.floor(random.fraction() * (candidates.length - 1))
  const second = (first + step) % candidates.length
  const one = candidates[first]
  const other = candidates[second]
  if (one === undefined || other === undefined) return 0
  return scoreOf(one) <= scoreOf(other) ? first : second
}
