/** The authority of a request: the Host field and the forms of the target (RFC 9112 §3.2). */
import type { ErrorCode } from '../../base/errors.ts'
import { fieldId } from './fields.ts'
import type { Head } from './head.ts'

const hostId = fieldId('host')

const hostPattern = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._~-]*)|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

const hostSizeMax = 300

/**
 * What is known of the last Host that a head held. Heads are reused, and most requests to a gateway
 * name the same few hosts: comparing some bytes saves making, hashing and checking a string.
 */
export class HostMemo {
  text = ''
  isValid = false
  /** Lower case, without port. */
  name = ''
  readonly #bytes = new Uint8Array(hostSizeMax)
  #size = 0

  /** Reads the field at `bytes[start, end)`. */
  read(bytes: Buffer, start: number, end: number): HostMemo {
    if (this.#size > 0 && this.#isSame(bytes, start, end)) return this
    this.text = bytes.toString('latin1', start, end)
    this.isValid = isValidHost(this.text)
    this.name = hostWithoutPort(this.text)
    this.#size = end - start <= hostSizeMax ? end - start : 0
    for (let index = 0; index < this.#size; index++) this.#bytes[index] = bytes[start + index] ?? 0
    return this
  }

  #isSame(bytes: Buffer, start: number, end: number): boolean {
    if (end - start !== this.#size) return false
    for (let index = 0; index < this.#size; index++) {
      if (this.#bytes[index] !== bytes[start + index]) return false
    }
    return true
  }
}

function hostOf(head: Head): HostMemo | undefined {
  const index = head.indexOfKnown(hostId)
  if (index === -1) return undefined
  return head.hostMemo.read(head.bytes, head.valueStart(index), head.valueEnd(index))
}

/** What is wrong with Host or with the form of the target, or undefined. */
export function hostProblem(head: Head): ErrorCode | undefined {
  if (head.method === 'CONNECT') return 'wire.connect_refused'
  if (head.isDuplicate(hostId)) return 'wire.bad_host'
  const host = hostOf(head)
  if (host === undefined) {
    if (head.minorVersion === 1) return 'wire.bad_host'
  } else if (!host.isValid) return 'wire.bad_host'
  const first = head.bytes[head.targetStart]
  if (first === 0x2f) return undefined
  if (first === 0x2a && head.targetEnd - head.targetStart === 1) {
    return head.method === 'OPTIONS' ? undefined : 'wire.bad_target'
  }
  return absoluteFormProblem(head.target(), host?.text)
}

function isValidHost(host: string): boolean {
  return host.length <= hostSizeMax && hostPattern.test(host)
}

/** An absolute target must name the same authority as Host: two readers could believe either. */
function absoluteFormProblem(target: string, host: string | undefined): ErrorCode | undefined {
  const match = /^https?:\/\/([^/?]+)(?:[/?].*)?$/i.exec(target)
  const authority = match?.[1]
  if (authority === undefined || !isValidHost(authority)) return 'wire.bad_target'
  return host === undefined || authority.toLowerCase() === host.toLowerCase()
    ? undefined
    : 'wire.bad_host'
}

export type Target = {
  /** Lower case, without port. */
  readonly host: string
  /** As received, without query; `*` for the asterisk form. */
  readonly path: string
  /** Without `?`. */
  readonly query: string
  /** Host with port as received, for `X-Forwarded-Host`. */
  readonly authority: string
}

/** Takes the request target apart. The head has passed `hostProblem`. */
export function targetOf(head: Head): Target {
  let target = head.target()
  const memo = hostOf(head)
  let authority = memo?.text ?? ''
  let host = memo?.name ?? ''
  if (target.charCodeAt(0) !== 0x2f && target !== '*') {
    const absolute = /^https?:\/\/([^/?]+)(.*)$/i.exec(target)
    authority = absolute?.[1] ?? authority
    host = hostWithoutPort(authority)
    const rest = absolute?.[2] ?? ''
    target = rest.startsWith('/') ? rest : `/${rest}`
  }
  const question = target.indexOf('?')
  return {
    host,
    path: question === -1 ? target : target.slice(0, question),
    query: question === -1 ? '' : target.slice(question + 1),
    authority,
  }
}

function hostWithoutPort(authority: string): string {
  const end = authority.startsWith('[') ? authority.indexOf(']') + 1 : authority.indexOf(':')
  const host = end <= 0 ? authority : authority.slice(0, end)
  const lower = host.toLowerCase()
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}
