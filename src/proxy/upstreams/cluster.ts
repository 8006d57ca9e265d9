import type { Balancer } from './balancers/define-balancer.ts'
import type { Endpoint } from './endpoint.ts'

/** The endpoints of one upstream version and the way one is picked. */
export class Cluster {
  /** Those that take traffic: weight above 0. */
  readonly endpoints: readonly Endpoint[]
  readonly #balancer: Balancer

  constructor(endpoints: readonly Endpoint[], balancer: Balancer) {
    this.endpoints = endpoints.filter((endpoint) => endpoint.weight > 0)
    this.#balancer = balancer
  }

  /** The endpoint for the next attempt, none of those in `tried`; undefined when none is left. */
  pick(tried: readonly Endpoint[], nowMs: number): Endpoint | undefined {
    if (tried.length === 0) {
      if (this.endpoints.length === 0) return undefined
      return this.endpoints[this.#balancer.pick(this.endpoints, nowMs)]
    }
    const left = this.endpoints.filter((endpoint) => !tried.includes(endpoint))
    return left.length === 0 ? undefined : left[this.#balancer.pick(left, nowMs)]
  }
}
