/** Who may come in: names of hosts, bearer tokens, scopes. */
import type { Context } from 'hono'
import { isIpAddress } from '../../base/cidr.ts'
import { HeadgateError } from '../../base/errors.ts'
import type { AdminCounters } from './counters.ts'
import type { AdminDeps, AdminEnv } from './deps.ts'
import type { Access } from './operation.ts'
import type { Throttle } from './throttle.ts'
import { allows, type TokenIdentity } from './tokens.ts'

const anonymous: TokenIdentity = { name: 'anonymous', scopes: [] }

/** Longer than any token; hashing megabytes for strangers is refused. */
const tokenCharactersMax = 512

export type Guard = {
  /** Returns the caller, or throws `admin.unauthenticated`, `forbidden`, `too_many_attempts`, `host_refused`. */
  admit(context: Context<AdminEnv>, access: Access): Promise<TokenIdentity>
}

export function createGuard(
  deps: Pick<AdminDeps, 'tokens' | 'hostNames'>,
  throttle: Throttle,
  counters: AdminCounters,
): Guard {
  return {
    async admit(context, access) {
      const token = bearerOf(context.req.header('authorization'))
      if (access === 'Public' && token === undefined) {
        checkHost(context, deps.hostNames ?? [])
        return anonymous
      }
      if (token === undefined) {
        throw new HeadgateError('admin.unauthenticated', {
          message: 'Send the token as `Authorization: Bearer <token>`.',
        })
      }
      const address = addressOf(context)
      const waitMs = throttle.waitMs(address)
      if (waitMs > 0) {
        counters.throttled += 1
        const retryAfter = Math.ceil(waitMs / 1_000)
        throw new HeadgateError('admin.too_many_attempts', {
          message: `Too many wrong tokens came from this address; try again in ${retryAfter} s.`,
          detail: { retryAfter },
        })
      }
      const identity =
        token.length > tokenCharactersMax ? undefined : await deps.tokens.verify(token)
      if (identity === undefined) {
        counters.wrongTokens += 1
        throttle.addWrongToken(address)
        throw new HeadgateError('admin.unauthenticated', { message: 'The token is not known.' })
      }
      throttle.clear(address)
      if (access === 'Public' || access === 'AnyToken') return identity
      if (!allows(identity, access)) {
        throw new HeadgateError('admin.forbidden', {
          message: `The token \`${identity.name}\` lacks the scope \`${access}\`.`,
          detail: { neededScope: access, scopes: identity.scopes },
        })
      }
      return identity
    },
  }
}

/** RFC 6750 §2.1; undefined when there is none of this form. */
function bearerOf(field: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(field ?? '')?.[1]
}

function addressOf(context: Context<AdminEnv>): string {
  return context.env?.incoming?.socket.remoteAddress ?? 'unknown'
}

/**
 * A web page can let its own name point to our address and then read what needs no token (DNS
 * rebinding). Its requests carry that name in `Host`; addresses and our own names cannot be had so.
 */
function checkHost(context: Context<AdminEnv>, hostNames: readonly string[]): void {
  const host = new URL(context.req.url).hostname.toLowerCase().replace(/\.$/, '')
  const bound = context.env?.boundHost?.toLowerCase()
  const isOurs =
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    isIpAddress(host.replace(/^\[|\]$/g, '')) ||
    host === bound ||
    hostNames.some((name) => name.toLowerCase() === host)
  if (isOurs) return
  throw new HeadgateError('admin.host_refused', {
    message:
      'Without a token, use the address of the gateway instead of a name, or the name it is bound to.',
  })
}
