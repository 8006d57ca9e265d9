import { HeadgateError } from './errors.ts'

/** An address to listen on or to connect to. */
export type HostPort = { readonly host: string; readonly port: number }

const portMax = 65_535

/**
 * Parses `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` and `:8080` (all IPv4 addresses).
 * Throws `run.address_invalid`. Port 0 lets the system choose.
 */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > portMax) {
    throw new HeadgateError('run.address_invalid', {
      message: `\`${text}\` is not HOST:PORT`,
      detail: { address: text },
    })
  }
  const host = match[1] ?? match[2] ?? ''
  return { host: host === '' ? '0.0.0.0' : host, port }
}

/** Writes the form that `parseHostPort` reads, with IPv6 addresses in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
