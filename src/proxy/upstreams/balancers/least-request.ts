import { defineBalancer, pickOfTwo } from './define-balancer.ts'

/** Power of two choices: nearly as even as looking at all, and workers do not herd onto one. */
export const leastRequest = defineBalancer({
  name: 'LeastRequest',
  summary: 'Of two endpoints drawn at random, the one with fewer requests running for its weight.',
  create(random) {
    return {
      pick: (candidates) =>
        pickOfTwo(candidates, random, ({ inFlight, weight }) => (inFlight + 1) / weight),
    }
  },
})
