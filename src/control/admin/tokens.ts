/**
 * Bearer tokens of the admin API. The store keeps only SHA-256 hashes. A fast hash is right here,
 * because tokens are 256 random bits (or at least 32 characters that the operator chose): there is
 * nothing to guess, and a slow one would let wrong tokens cost us more than their sender.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { HeadgateError } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import { s } from '../../base/schema.ts'
import type { Store } from '../../store/store.ts'

/**
 * What a token allows. `owner` allows everything; the others are independent of each other:
 * `read` shows, `write` changes definitions, `operate` runs actions.
 */
export const scopes = ['owner', 'read', 'write', 'operate'] as const
export type Scope = (typeof scopes)[number]

export type TokenIdentity = { readonly name: string; readonly scopes: readonly Scope[] }

export type TokenVerifier = {
  /** Whose token it is; undefined when it is nobody's. Takes the same time wherever it differs. */
  verify(token: string): Promise<TokenIdentity | undefined>
}

/** Whether a token with these scopes may do what needs `needed`. */
export function allows(identity: TokenIdentity, needed: Scope): boolean {
  return identity.scopes.includes('owner') || identity.scopes.includes(needed)
}

const valueName = 'admin.tokens'
const ownerName = 'owner'
const tokensMax = 1_000

const storedTokens = s.object({
  tokens: s
    .array(
      s.object({
        name: s.string().max(63),
        scopes: s.array(s.enum(scopes)).max(scopes.length),
        /** SHA-256, hexadecimal. */
        hash: s.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .max(tokensMax),
})

type StoredToken = s.infer<typeof storedTokens>['tokens'][number]

/** What tokens need of the store. */
export type TokenStore = Pick<Store, 'getValue' | 'setValue' | 'appendAudit'>

/**
 * Makes the owner token at the first start and returns it, once. `given`, from the operator's
 * environment, replaces whatever there was. Throws `run.owner_token_invalid`.
 */
export async function ensureOwnerToken(options: {
  readonly store: TokenStore
  readonly random: Random
  readonly given?: string | undefined
}): Promise<{ token?: string }> {
  const { store, random, given } = options
  if (given !== undefined) {
    checkGiven(given)
    await setOwnerToken(store, given, 'setOwnerToken')
    return {}
  }
  const tokens = await readTokens(store)
  if (tokens.some((token) => token.name === ownerName)) return {}
  return renewOwnerToken({ store, random })
}

/** Makes another owner token; the former one is refused from then on. */
export async function renewOwnerToken(options: {
  readonly store: TokenStore
  readonly random: Random
}): Promise<{ token: string }> {
  const token = `hgt_${Buffer.from(options.random.secretBytes(32)).toString('base64url')}`
  await setOwnerToken(options.store, token, 'renewOwnerToken')
  return { token }
}

/** Verifies tokens against the store; a renewed token counts at once. */
export function createTokenVerifier(store: Pick<Store, 'getValue'>): TokenVerifier {
  let cachedText: string | undefined
  let cached: readonly { identity: TokenIdentity; hash: Buffer }[] = []
  return {
    async verify(token) {
      // Reading one value is cheap; parsing it is what the cache saves.
      const text = await store.getValue(valueName)
      if (text !== cachedText) {
        cached = parseTokens(text).map(({ name, scopes, hash }) => ({
          identity: { name, scopes },
          hash: Buffer.from(hash, 'hex'),
        }))
        cachedText = text
      }
      const presented = createHash('sha256').update(token).digest()
      let found: TokenIdentity | undefined
      // No early end: the time must not tell which entry was near.
      for (const entry of cached) {
        if (timingSafeEqual(presented, entry.hash)) found = entry.identity
      }
      return found
    },
  }
}

function checkGiven(given: string): void {
  if (/^[\x21-\x7e]{32,512}$/.test(given)) return
  throw new HeadgateError('run.owner_token_invalid', {
    message: `The given owner token has ${given.length} characters; it must have 32 to 512, all visible ASCII without spaces.`,
  })
}

async function setOwnerToken(store: TokenStore, token: string, action: string): Promise<void> {
  const owner: StoredToken = {
    name: ownerName,
    scopes: ['owner'],
    hash: createHash('sha256').update(token).digest('hex'),
  }
  const tokens = await readTokens(store)
  const former = tokens.find(({ name }) => name === ownerName)
  // The same token at every start is no change, so it leaves no trace in the audit.
  if (former?.hash === owner.hash) return
  const others = tokens.filter(({ name }) => name !== ownerName)
  await store.setValue(valueName, JSON.stringify({ tokens: [owner, ...others] }))
  await store.appendAudit({ actor: 'operator', action, object: `Token/${ownerName}`, detail: {} })
}

async function readTokens(store: Pick<Store, 'getValue'>): Promise<readonly StoredToken[]> {
  return parseTokens(await store.getValue(valueName))
}

function parseTokens(text: string | undefined): readonly StoredToken[] {
  return text === undefined ? [] : storedTokens.parse(JSON.parse(text)).tokens
}
