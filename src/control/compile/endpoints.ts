import type { EndpointSpec } from '../../kinds/upstream.ts'
import type { EndpointEntry } from '../../proxy/snapshot.ts'

/** Takes the address of an endpoint apart; the schema has checked that it is a plain http(s) URL. */
export function compileEndpoint(spec: EndpointSpec, slot: number): EndpointEntry {
  const url = new URL(spec.url)
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    url: spec.url,
    slot,
    scheme,
    host: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port),
    authority: url.host,
    pathPrefix: url.pathname.replace(/\/+$/, ''),
    weight: spec.weight,
    zone: spec.zone,
  }
}

/** What names an endpoint in the slot tables: the same address in two versions is two endpoints. */
export function endpointSlotName(upstream: string, version: string, url: string): string {
  return `${versionSlotName(upstream, version)}/${url}`
}

export function versionSlotName(upstream: string, version: string): string {
  return `${upstream}/${version}`
}
