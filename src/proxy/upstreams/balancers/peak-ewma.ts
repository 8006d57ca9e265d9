import { defineBalancer, pickOfTwo } from './define-balancer.ts'

/**
 * Latency (peak-sensitive moving average, see `Endpoint`) times queue: the expected wait, as Finagle
 * introduced it. An endpoint never heard of is tried once, then waits for its first answer.
 */
export const peakEwma = defineBalancer({
  name: 'PeakEwma',
  summary:
    'Of two endpoints drawn at random, the one with the lower latency times requests running.',
  create(random) {
    return {
      pick: (candidates, nowMs) =>
        pickOfTwo(candidates, random, (candidate) => {
          const latencyMs = candidate.latencyMs(nowMs)
          if (latencyMs === 0) return candidate.inFlight === 0 ? 0 : Number.MAX_VALUE / 2
          return (latencyMs * (candidate.inFlight + 1)) / candidate.weight
        }),
    }
  },
})
