/** The registry of balancers. */
import type { BalancerDefinition } from './define-balancer.ts'
import { leastRequest } from './least-request.ts'
import { peakEwma } from './peak-ewma.ts'
import { roundRobin } from './round-robin.ts'

export const balancers: readonly BalancerDefinition[] = [roundRobin, leastRequest, peakEwma]
