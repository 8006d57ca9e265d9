/** What router and policies may ask of a request; strings are made only for what is asked. */
import type { Head } from '../wire/http1/head.ts'
import type { Target } from '../wire/http1/host.ts'
import type { Inbound } from '../wire/inbound.ts'
import type { RequestView } from './policies/define-policy.ts'
import type { RoutableRequest } from './router/match.ts'

export class RequestFacts implements RequestView, RoutableRequest {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: string
  /** Host and port as the client wrote them. */
  readonly authority: string
  readonly scheme: string
  readonly clientAddress: string
  readonly headBytes: number
  readonly contentLength: number | undefined
  /** Undefined once the exchange is over: its head then serves another one. */
  #head: Head | undefined
  #parameters: URLSearchParams | undefined
  #cookies: ReadonlyMap<string, string> | undefined

  constructor(inbound: Inbound, target: Target, clientAddress: string) {
    const { head } = inbound
    this.#head = head
    this.method = head.method
    this.host = target.host
    this.path = target.path
    this.query = target.query
    this.authority = target.authority
    this.scheme = inbound.scheme
    this.clientAddress = clientAddress
    this.headBytes = head.end - head.start
    this.contentLength = inbound.bodyFraming === 'chunked' ? undefined : inbound.bodyLength
  }

  /** The same request as the router sees it, under another method. */
  withMethod(method: string): RoutableRequest {
    return {
      method,
      host: this.host,
      path: this.path,
      clientAddress: this.clientAddress,
      field: (name) => this.field(name),
      cookie: (name) => this.cookie(name),
      queryParameter: (name) => this.queryParameter(name),
    }
  }

  /** Lets go of the head. A policy that still works on an exchange that is over must not see another's fields. */
  release(): void {
    this.#head = undefined
  }

  field(name: string): string | undefined {
    return this.#head?.value(name)
  }

  fieldAll(name: string): string | undefined {
    return this.#head?.combinedValue(name)
  }

  fieldCount(): number {
    return this.#head?.fieldCount ?? 0
  }

  cookie(name: string): string | undefined {
    this.#cookies ??= parseCookies(this.#head?.combinedValue('cookie') ?? '')
    return this.#cookies.get(name)
  }

  queryParameter(name: string): string | undefined {
    if (this.query === '') return undefined
    this.#parameters ??= new URLSearchParams(this.query)
    return this.#parameters.get(name) ?? undefined
  }
}

/** Cookie pairs (RFC 6265 §5.4); of a name that stands twice the first counts, as it does for most servers. */
export function parseCookies(text: string): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  // Several Cookie fields were joined with a comma, which no cookie value may hold unquoted.
  for (const pair of text.split(/[;,]/)) {
    const equals = pair.indexOf('=')
    if (equals === -1) continue
    const name = pair.slice(0, equals).trim()
    if (!cookies.has(name)) cookies.set(name, unquoted(pair.slice(equals + 1).trim()))
  }
  return cookies
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value
}
