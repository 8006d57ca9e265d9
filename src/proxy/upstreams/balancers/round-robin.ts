import { defineBalancer } from './define-balancer.ts'

/**
 * Smooth weighted round robin, as nginx does it: every endpoint gains its weight each turn, the
 * richest one is picked and pays the sum, so that a heavy endpoint is not picked in bursts.
 */
export const roundRobin = defineBalancer({
  name: 'RoundRobin',
  summary: 'Each endpoint in turn, in proportion to its weight.',
  create() {
    const credits = new Map<object, number>()
    return {
      pick(candidates) {
        let total = 0
        let best = 0
        let bestCredit = Number.NEGATIVE_INFINITY
        for (let index = 0; index < candidates.length; index++) {
          const candidate = candidates[index]
          if (candidate === undefined) continue
          const credit = (credits.get(candidate) ?? 0) + candidate.weight
          credits.set(candidate, credit)
          total += candidate.weight
          if (credit <= bestCredit) continue
          best = index
          bestCredit = credit
        }
        const picked = candidates[best]
        if (picked !== undefined) credits.set(picked, bestCredit - total)
        return best
      },
    }
  },
})
