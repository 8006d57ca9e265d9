/**
 * The endpoints of a worker, kept from snapshot to snapshot: a reload that leaves an address as it
 * was keeps its connections and what is known of its latency.
 */
import type { EndpointEntry, VersionEntry } from '../snapshot.ts'
import { Endpoint } from './endpoint.ts'
import { ConnectionPool, type PoolSettings } from './pool.ts'

export type EndpointServices = Omit<PoolSettings, 'target' | 'connectionsMax'>

export class EndpointDirectory {
  readonly #services: EndpointServices
  #byKey = new Map<string, Endpoint>()

  constructor(services: EndpointServices) {
    this.#services = services
  }

  /** Replaces the endpoints by those that `lookUp` asks for; what nobody asked for is closed. */
  renew<Result>(
    lookUp: (endpointOf: (version: VersionEntry, entry: EndpointEntry) => Endpoint) => Result,
  ): Result {
    const next = new Map<string, Endpoint>()
    const result = lookUp((version, entry) => {
      const key = keyOf(version, entry)
      const endpoint = next.get(key) ?? this.#byKey.get(key) ?? this.#create(version, entry)
      next.set(key, endpoint)
      return endpoint
    })
    for (const [key, endpoint] of this.#byKey) {
      if (!next.has(key)) endpoint.pool.close()
    }
    this.#byKey = next
    return result
  }

  #create(version: VersionEntry, entry: EndpointEntry): Endpoint {
    const { tls } = version
    const pool = new ConnectionPool({
      ...this.#services,
      connectionsMax: version.connectionsMax,
      target: {
        host: entry.host,
        port: entry.port,
        tls:
          entry.scheme === 'https'
            ? { serverName: tls?.serverName, caPem: tls?.caPem, isVerified: tls?.verify !== 'Off' }
            : undefined,
      },
    })
    return new Endpoint(entry, pool)
  }

  sweep(nowMs: number): void {
    for (const endpoint of this.#byKey.values()) endpoint.pool.sweep(nowMs)
  }

  close(): void {
    for (const endpoint of this.#byKey.values()) endpoint.pool.close()
    this.#byKey.clear()
  }
}

/** Everything that a connection or the endpoint's standing depends on. */
function keyOf(version: VersionEntry, entry: EndpointEntry): string {
  return JSON.stringify([entry, version.slot, version.tls ?? '', version.connectionsMax])
}
