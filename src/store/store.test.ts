/** What every store promises; run on the one in memory and on the one in a file. */
import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type SimulatedClock, simulatedClock } from '../base/clock.ts'
import { HeadgateError } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { defaultWorkspace, type Resource } from '../kinds/define-kind.ts'
import { verifyAudit } from './audit-chain.ts'
import { openMemoryStore } from './memory.ts'
import { openSqliteStore } from './sqlite.ts'
import type { Change, ResourceKey, Store, StoreEvent } from './store.ts'

const info = { actor: 'ann', origin: 'test' }

const keyOf = (name: string): ResourceKey => ({
  workspace: defaultWorkspace,
  kind: 'Upstream',
  name,
})

function upstream(name: string, url = 'http://127.0.0.1:7001'): Resource {
  return { ...keyOf(name), labels: {}, spec: { versions: { v1: { url } }, live: 'v1' } }
}

const put = (resource: Resource, more: { expectedRevision?: number | 'absent' } = {}): Change => ({
  type: 'put',
  resource,
  managedBy: 'cli',
  ...more,
})
const remove = (name: string, more: { expectedRevision?: number } = {}): Change => ({
  type: 'delete',
  key: keyOf(name),
  ...more,
})

const hasCode = (code: string) => (thrown: unknown) =>
  thrown instanceof HeadgateError && thrown.code === code

/** Events arrive in microtasks; a turn of the loop lets all of them through. */
const delivered = () => new Promise((resolve) => setImmediate(resolve))

type World = { readonly store: Store; readonly clock: SimulatedClock }

const openers = {
  memory: async (clock: SimulatedClock) => ({
    store: await openMemoryStore({ clock }),
    cleanUp: async () => {
      // Nothing outlives the store in memory.
    },
  }),
  sqlite: async (clock: SimulatedClock) => {
    const folder = await mkdtemp(join(tmpdir(), 'headgate-store-'))
    const store = await openSqliteStore(join(folder, 'data', 'headgate.db'), {
      clock,
      random: seededRandom(1),
    })
    return { store, cleanUp: () => rm(folder, { recursive: true }) }
  },
}

for (const [name, open] of Object.entries(openers)) {
  const storeTest = (sentence: string, run: (world: World) => Promise<void>) =>
    test(`${name}: ${sentence}`, async () => {
      const clock = simulatedClock()
      const { store, cleanUp } = await open(clock)
      try {
        await run({ store, clock })
      } finally {
        await store.close()
        await cleanUp()
      }
    })

  storeTest('a commit stores resources under one new revision', async ({ store, clock }) => {
    equal(await store.currentRevision(), 0)
    const revision = await store.commit([put(upstream('a')), put(upstream('b'))], {
      ...info,
      note: 'first',
    })
    deepEqual(revision, {
      number: 1,
      at: new Date(clock.wallMs()).toISOString(),
      ...info,
      note: 'first',
      changes: [
        { key: keyOf('a'), after: upstream('a') },
        { key: keyOf('b'), after: upstream('b') },
      ],
    })
    deepEqual(await store.revision(1), revision)
    deepEqual(await store.get(keyOf('a')), {
      ...upstream('a'),
      revision: 1,
      createdAt: revision?.at,
      updatedAt: revision?.at,
      managedBy: 'cli',
    })
    equal(await store.get(keyOf('missing')), undefined)
    equal((await store.all(defaultWorkspace)).revision, 1)
  })

  storeTest('a change keeps the time of creation and records before and after', async (world) => {
    const { store, clock } = world
    const first = await store.commit([put(upstream('a'))], info)
    clock.advance(5_000)
    const changed = upstream('a', 'http://127.0.0.1:7002')
    const second = await store.commit([put(changed)], info)
    deepEqual(second?.changes, [{ key: keyOf('a'), before: upstream('a'), after: changed }])
    const stored = await store.get(keyOf('a'))
    equal(stored?.createdAt, first?.at)
    equal(stored?.updatedAt, second?.at)
    equal(stored?.revision, 2)
  })

  storeTest('what changes nothing makes no revision, event or audit entry', async ({ store }) => {
    await store.commit([put(upstream('a'))], info)
    const entries = (await store.audit({ limit: 10 })).items.length
    equal(
      await store.commit(
        [{ type: 'put', resource: upstream('a'), managedBy: 'api' }, remove('b')],
        info,
      ),
      undefined,
    )
    equal(await store.currentRevision(), 1)
    equal((await store.get(keyOf('a')))?.managedBy, 'cli')
    equal((await store.audit({ limit: 10 })).items.length, entries)
  })

  storeTest('the order of keys in a spec survives, because it deals traffic', async ({ store }) => {
    const spec = { versions: { z: 1, a: 2, m: 3 } }
    await store.commit([put({ ...upstream('a'), spec })], info)
    equal(JSON.stringify((await store.get(keyOf('a')))?.spec), JSON.stringify(spec))
  })

  storeTest('an expectation that does not hold refuses the whole commit', async ({ store }) => {
    await store.commit([put(upstream('a'))], info)
    const cases: Change[] = [
      put(upstream('a', 'http://127.0.0.1:1'), { expectedRevision: 7 }),
      put(upstream('a', 'http://127.0.0.1:1'), { expectedRevision: 'absent' }),
      put(upstream('new'), { expectedRevision: 1 }),
      remove('a', { expectedRevision: 7 }),
      remove('gone', { expectedRevision: 1 }),
    ]
    for (const change of cases) {
      await rejects(
        store.commit([put(upstream('b')), change], info),
        hasCode('admin.precondition_failed'),
      )
    }
    equal(await store.get(keyOf('b')), undefined)
    equal(await store.currentRevision(), 1)
    const good = put(upstream('a', 'http://127.0.0.1:2'), { expectedRevision: 1 })
    equal((await store.commit([good], info))?.number, 2)
    equal((await store.commit([remove('a', { expectedRevision: 2 })], info))?.number, 3)
    const fresh = put(upstream('a'), { expectedRevision: 'absent' })
    equal((await store.commit([fresh], info))?.number, 4)
  })

  storeTest('lists are ordered and paged by cursors that are opaque', async ({ store }) => {
    const names = ['d', 'b', 'a', 'e', 'c']
    const account: Resource = { ...upstream('z'), kind: 'Account' }
    await store.commit([...names.map((one) => put(upstream(one))), put(account)], info)
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await store.list(
        { workspace: defaultWorkspace, kind: 'Upstream' },
        { limit: 2, ...(after !== undefined && { after }) },
      )
      ok(page.items.length <= 2)
      for (const item of page.items) seen.push(item.name)
      after = page.next
    } while (after !== undefined)
    deepEqual(seen, ['a', 'b', 'c', 'd', 'e'])
    const everything = await store.list({ workspace: defaultWorkspace })
    deepEqual(
      everything.items.map((item) => item.name),
      ['z', 'a', 'b', 'c', 'd', 'e'],
    )
    for (const forged of ['', 'x', 'eyJhIjoxfQ', 'a'.repeat(5_000)]) {
      await rejects(
        store.list({ workspace: defaultWorkspace }, { limit: 2, after: forged }),
        hasCode('admin.invalid_request'),
      )
    }
  })

  storeTest('a page after an item that was deleted meanwhile goes on behind it', async (world) => {
    const { store } = world
    await store.commit(
      ['a', 'b', 'c'].map((one) => put(upstream(one))),
      info,
    )
    const page = await store.list({ workspace: defaultWorkspace }, { limit: 2 })
    await store.commit([remove('b')], info)
    const rest = await store.list(
      { workspace: defaultWorkspace },
      { limit: 2, after: page.next ?? '' },
    )
    deepEqual(
      rest.items.map((item) => item.name),
      ['c'],
    )
  })

  storeTest('every revision can be read back as it was', async ({ store }) => {
    await store.commit([put(upstream('a')), put(upstream('b'))], info)
    await store.commit([put(upstream('a', 'http://127.0.0.1:9')), remove('b')], info)
    await store.commit([put(upstream('b')), put(upstream('c'))], info)
    deepEqual(await store.at(0, defaultWorkspace), [])
    deepEqual(await store.at(1, defaultWorkspace), [upstream('a'), upstream('b')])
    deepEqual(await store.at(2, defaultWorkspace), [upstream('a', 'http://127.0.0.1:9')])
    equal((await store.at(3, defaultWorkspace))?.length, 3)
    for (const unknown of [-1, 4, 1.5]) equal(await store.at(unknown, defaultWorkspace), undefined)
    const page = await store.revisions({ limit: 2 })
    deepEqual(
      page.items.map((revision) => revision.number),
      [3, 2],
    )
    const rest = await store.revisions({ limit: 2, after: page.next ?? '' })
    deepEqual(
      rest.items.map((revision) => revision.number),
      [1],
    )
    equal(rest.next, undefined)
  })

  storeTest('run-time state is set, replaced and forgotten', async ({ store }) => {
    await store.setRuntime(keyOf('a'), { epoch: 1 }, info)
    await store.setRuntime(keyOf('a'), { epoch: 2 }, info)
    const [state] = await store.runtime()
    deepEqual(state?.state, { epoch: 2 })
    equal(await store.currentRevision(), 0)
    await store.setRuntime(keyOf('a'), undefined, info)
    deepEqual(await store.runtime(), [])
  })

  storeTest('what belongs to a commit is written with it or not at all', async ({ store }) => {
    const extras = {
      runtime: [{ key: keyOf('a'), state: { epoch: 4 } }],
      values: new Map([['source', 'x']]),
      audit: [{ action: 'apply', object: '', detail: { count: 1 } }],
    }
    await rejects(store.commit([remove('a', { expectedRevision: 3 })], info, extras))
    deepEqual(await store.runtime(), [])
    equal(await store.getValue('source'), undefined)
    equal((await store.audit({ limit: 5 })).items.length, 0)

    // This one fails at its last step, after everything else has been written.
    const unwritable = [{ action: 'apply', object: '', detail: { count: 1n } }]
    await rejects(store.commit([put(upstream('a'))], info, { ...extras, audit: unwritable }))
    deepEqual(await store.runtime(), [])
    deepEqual(await store.all(defaultWorkspace), { revision: 0, resources: [] })
    equal(await store.getValue('source'), undefined)

    await store.commit([put(upstream('a'))], info, extras)
    deepEqual((await store.runtime())[0]?.state, { epoch: 4 })
    equal(await store.getValue('source'), 'x')
    const [entry] = (await store.audit({ limit: 5 })).items
    equal(entry?.action, 'apply')
    deepEqual(entry?.detail, { count: 1, origin: 'test', revision: 1 })
  })

  storeTest('named values are kept and forgotten', async ({ store }) => {
    await store.setValue('token', 'a')
    await store.setValue('token', 'b')
    equal(await store.getValue('token'), 'b')
    await store.setValue('token', undefined)
    equal(await store.getValue('token'), undefined)
  })

  storeTest('the audit is a chain that verifies, and pages newest first', async ({ store }) => {
    await store.commit([put(upstream('a'))], info)
    await store.setRuntime(keyOf('a'), { epoch: 1 }, info)
    const entry = await store.appendAudit({
      actor: 'bob',
      action: 'reload-refused',
      object: '',
      detail: { 10: 'x', b: undefined, a: ['ü', 1.5] },
    })
    match(entry.hash, /^[0-9a-f]{64}$/)
    deepEqual(await verifyAudit(store), { ok: true, entryCount: 3 })
    const page = await store.audit({ limit: 2 })
    deepEqual(
      page.items.map(({ sequence, action }) => [sequence, action]),
      [
        [3, 'reload-refused'],
        [2, 'setRuntime'],
      ],
    )
    deepEqual(page.items[0], entry)
    const rest = await store.audit({ limit: 2, after: page.next ?? '' })
    equal(rest.items[0]?.action, 'commit')
    equal(rest.next, undefined)
  })

  storeTest('watchers hear of every change in order, until they close', async ({ store }) => {
    const heard: StoreEvent[] = []
    const watch = store.watch((event) => heard.push(event))
    equal(watch.isComplete, true)
    await store.commit([put(upstream('a'))], info, {
      runtime: [{ key: keyOf('a'), state: { epoch: 1 } }],
    })
    await store.setRuntime(keyOf('a'), undefined, info)
    await delivered()
    deepEqual(
      heard.map(({ type, sequence }) => [type, sequence]),
      [
        ['revision', 1],
        ['runtime', 2],
        ['runtime', 3],
      ],
    )
    watch.close()
    await store.commit([remove('a')], info)
    await delivered()
    equal(heard.length, 3)
  })

  storeTest('a watcher resumes behind the last event it saw', async ({ store }) => {
    for (const url of ['1', '2', '3'])
      await store.commit([put(upstream('a', `http://h:${url}`))], info)
    await store.setRuntime(keyOf('a'), { epoch: 1 }, info)
    const heard: number[] = []
    const watch = store.watch((event) => heard.push(event.sequence), { after: 2 })
    equal(watch.isComplete, true)
    await store.commit([remove('a')], info)
    await delivered()
    deepEqual(heard, [3, 4, 5])
    // A number that this store has not reached is from another one.
    equal(store.watch(() => undefined, { after: 99 }).isComplete, false)
    equal(store.watch(() => undefined, { after: -1 }).isComplete, false)
    equal(store.watch(() => undefined, { after: 5 }).isComplete, true)
  })

  storeTest('a watcher that writes is told of its own write afterwards', async ({ store }) => {
    const heard: string[] = []
    const watch = store.watch((event) => {
      heard.push(event.type)
      if (event.type === 'revision') void store.setRuntime(keyOf('a'), { epoch: 1 }, info)
    })
    store.watch((event) => heard.push(`second ${event.type}`))
    await store.commit([put(upstream('a'))], info)
    await delivered()
    deepEqual(heard.toSorted(), ['revision', 'runtime', 'second revision', 'second runtime'])
    ok(heard.indexOf('second revision') < heard.indexOf('second runtime'))
    watch.close()
  })
}

test('old revisions, events and audit entries are dropped and what is left still fits', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-store-'))
  const path = join(folder, 'headgate.db')
  const limits = { revisionsMax: 5, eventsMax: 4, replayMax: 3, auditMax: 3 }
  const options = { clock: simulatedClock(), random: seededRandom(1), limits }
  const store = await openSqliteStore(path, options)
  for (let port = 1; port <= 20; port++) {
    await store.commit([put(upstream('a', `http://h:${port}`))], info)
  }
  deepEqual(
    (await store.revisions({ limit: 100 })).items.map(({ number }) => number),
    [20, 19, 18, 17, 16],
  )
  deepEqual(await store.at(15, defaultWorkspace), [upstream('a', 'http://h:15')])
  equal(await store.at(14, defaultWorkspace), undefined)
  deepEqual(await verifyAudit(store), { ok: true, entryCount: 3 })
  equal(store.watch(() => undefined, { after: 17 }).isComplete, true)
  // Four events are kept, three may be replayed, and the sixteenth is gone.
  equal(store.watch(() => undefined, { after: 16 }).isComplete, false)
  await store.close()
  const wide = await openSqliteStore(path, { ...options, limits: { ...limits, replayMax: 100 } })
  equal(wide.watch(() => undefined, { after: 16 }).isComplete, true)
  equal(wide.watch(() => undefined, { after: 15 }).isComplete, false)
  notEqual(await wide.currentRevision(), 0)
  await wide.close()
  await rm(folder, { recursive: true })
})
