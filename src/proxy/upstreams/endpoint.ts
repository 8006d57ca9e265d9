import type { EndpointEntry } from '../snapshot.ts'
import type { Balanced } from './balancers/define-balancer.ts'
import type { ConnectionPool } from './pool.ts'

/** Time in which an old latency loses all but a third of its weight. */
const decayMs = 10_000

/** One address of a version as a worker sees it; lives over reloads that leave it unchanged. */
export class Endpoint implements Balanced {
  readonly entry: EndpointEntry
  readonly pool: ConnectionPool
  inFlight = 0
  #latencyMs = 0
  #observedAtMs = 0

  constructor(entry: EndpointEntry, pool: ConnectionPool) {
    this.entry = entry
    this.pool = pool
  }

  get weight(): number {
    return this.entry.weight
  }

  latencyMs(nowMs: number): number {
    if (this.#latencyMs === 0) return 0
    // Without news an endpoint's latency fades, so that one slow answer does not banish it for ever.
    return this.#latencyMs * Math.exp(-(nowMs - this.#observedAtMs) / decayMs)
  }

  /** Takes the time from the request sent to the first byte of the answer. */
  observe(latencyMs: number, nowMs: number): void {
    const faded = this.latencyMs(nowMs)
    if (latencyMs >= faded) {
      this.#latencyMs = latencyMs
    } else {
      const share = Math.exp(-(nowMs - this.#observedAtMs) / decayMs)
      this.#latencyMs = this.#latencyMs * share + latencyMs * (1 - share)
    }
    this.#observedAtMs = nowMs
  }

  /** Counts a failed attempt as a slow answer, so that a refusing endpoint does not look fast. */
  observeFailure(nowMs: number): void {
    this.observe(Math.max(this.latencyMs(nowMs) * 2, failureLatencyMs), nowMs)
  }
}

const failureLatencyMs = 1_000
