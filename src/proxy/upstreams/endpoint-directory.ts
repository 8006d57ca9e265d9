/**
 * The endpoints of a worker, kept from snapshot to snapshot: a reload that leaves an address as it
 * was keeps its connections and what is known of its latency.
 */
import type { KeyTable } from '../../accounts/private-keys.ts'
import type { TlsTarget } from '../../wire/tcp/connect.ts'
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
    keys: KeyTable,
    lookUp: (endpointOf: (version: VersionEntry, entry: EndpointEntry) => Endpoint) => Result,
  ): Result {
    const next = new Map<string, Endpoint>()
    const result = lookUp((version, entry) => {
      const key = keyOf(version, entry)
      const endpoint = next.get(key) ?? this.#byKey.get(key) ?? this.#create(version, entry, keys)
      next.set(key, endpoint)
      return endpoint
    })
    for (const [key, endpoint] of this.#byKey) {
      if (!next.has(key)) endpoint.pool.close()
    }
    this.#byKey = next
    return result
  }

  #create(version: VersionEntry, entry: EndpointEntry, keys: KeyTable): Endpoint {
    const pool = new ConnectionPool({
      ...this.#services,
      connectionsMax: version.connectionsMax,
      target: {
        host: entry.host,
        port: entry.port,
        tls: entry.scheme === 'https' ? tlsTarget(version.tls, keys) : undefined,
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

function tlsTarget(tls: VersionEntry['tls'], keys: KeyTable): TlsTarget {
  const { name, pem } = tls?.clientCertificate ?? {}
  const keyPem = name === undefined ? undefined : keys.pemOf(name)
  return {
    serverName: tls?.serverName,
    caPem: tls?.caPem,
    isVerified: tls?.verify !== 'Off',
    ...(name !== undefined && { clientCertificate: { name, pem, keyPem } }),
  }
}

/** Everything that a connection or the endpoint's standing depends on. */
function keyOf(version: VersionEntry, entry: EndpointEntry): string {
  return JSON.stringify([entry, version.slot, version.tls ?? '', version.connectionsMax])
}
