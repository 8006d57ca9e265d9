import { deepEqual, equal, match, notEqual, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { simulatedClock } from '../../base/clock.ts'
import { seededRandom } from '../../base/random.ts'
import { openMemoryStore } from '../../store/memory.ts'
import { allows, createTokenVerifier, ensureOwnerToken, renewOwnerToken } from './tokens.ts'

const random = seededRandom(7)
const openStore = () => openMemoryStore({ clock: simulatedClock() })
const given = 'x'.repeat(32)

test('the first start makes an owner token, and no later start shows it again', async () => {
  const store = await openStore()
  const { token = '' } = await ensureOwnerToken({ store, random })
  match(token, /^hgt_[A-Za-z0-9_-]{43}$/)
  deepEqual(await ensureOwnerToken({ store, random }), {})
  deepEqual(await createTokenVerifier(store).verify(token), { name: 'owner', scopes: ['owner'] })
})

test('the store holds a hash and never the token', async () => {
  const store = await openStore()
  const { token = '' } = await ensureOwnerToken({ store, random })
  const stored = `${await store.getValue('admin.tokens')}${JSON.stringify(await store.audit({ limit: 9 }))}`
  equal(stored.includes(token.slice(4)), false)
  match(stored, /"hash":"[0-9a-f]{64}"/)
})

test('a token from the environment replaces the one that was made', async () => {
  const store = await openStore()
  const { token = '' } = await ensureOwnerToken({ store, random })
  deepEqual(await ensureOwnerToken({ store, random, given }), {})
  const verifier = createTokenVerifier(store)
  equal((await verifier.verify(given))?.name, 'owner')
  equal(await verifier.verify(token), undefined)
})

test('the same token from the environment at every start is written to the audit once', async () => {
  const store = await openStore()
  await ensureOwnerToken({ store, random, given })
  await ensureOwnerToken({ store, random, given })
  const { items } = await store.audit({ limit: 10 })
  deepEqual(
    items.map(({ action, object }) => [action, object]),
    [['setOwnerToken', 'Token/owner']],
  )
})

test('a given token must have 32 to 512 visible characters, and the error does not repeat it', async () => {
  const store = await openStore()
  for (const bad of ['', 'x'.repeat(31), 'x'.repeat(513), `${'x'.repeat(40)} `, 'ü'.repeat(40)]) {
    await rejects(ensureOwnerToken({ store, random, given: bad }), (error: Error) => {
      equal('code' in error && error.code, 'run.owner_token_invalid')
      return bad === '' || !error.message.includes(bad)
    })
  }
  deepEqual(await ensureOwnerToken({ store, random, given: 'x'.repeat(512) }), {})
})

test('a renewed token counts at once, and the former one no longer does', async () => {
  const store = await openStore()
  const { token: former = '' } = await ensureOwnerToken({ store, random })
  const verifier = createTokenVerifier(store)
  equal((await verifier.verify(former))?.name, 'owner')
  const { token } = await renewOwnerToken({ store, random })
  notEqual(token, former)
  equal(await verifier.verify(former), undefined)
  equal((await verifier.verify(token))?.name, 'owner')
})

test('without any stored token nobody is known', async () => {
  equal(await createTokenVerifier(await openStore()).verify('hgt_whatever'), undefined)
})

test('the owner may do everything, other scopes only what they name', () => {
  const reader = { name: 'r', scopes: ['read'] } as const
  equal(allows(reader, 'read'), true)
  equal(allows(reader, 'write') || allows(reader, 'operate') || allows(reader, 'owner'), false)
  equal(allows({ name: 'o', scopes: ['owner'] }, 'operate'), true)
})
