/** Store mode, as scenarios: the store decides, requests change it. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { HeadgateError } from '../base/errors.ts'
import { verifyAudit } from '../store/audit-chain.ts'
import type { StoreEvent } from '../store/store.ts'
import type { ResourceInput } from './control-api.ts'
import type { Controller } from './controller.ts'
import { parseConfig } from './files/parse.ts'
import {
  bookshopInputs,
  type ControllerWorld,
  controllerWorld,
  info,
  keyOf,
  put,
  storeSource,
} from './testing/controller-world.ts'

const books = keyOf('Upstream', 'books')

function scenario(
  sentence: string,
  run: (controller: Controller, world: ControllerWorld) => Promise<void>,
): void {
  test(sentence, async () => {
    const world = await controllerWorld()
    try {
      const controller = await world.open(storeSource)
      await controller.start()
      await run(controller, world)
    } finally {
      await world.close()
    }
  })
}

const refused = (code: string, text: RegExp) => (thrown: unknown) => {
  ok(thrown instanceof HeadgateError, String(thrown))
  equal(thrown.code, code, thrown.message)
  match(thrown.message, text)
  return true
}

const booksTo = (url: string): ResourceInput => ({ kind: 'Upstream', name: 'books', spec: { url } })

scenario('an empty store serves at once, and applies are published', async (controller, world) => {
  equal(world.published.length, 1)
  equal(controller.notReadyReason(), undefined)
  const result = await controller.apply(put(...bookshopInputs), info)
  equal(result.revision, 1)
  deepEqual(result.plan.counts, {
    create: 2,
    change: 0,
    delete: 0,
    unchanged: 0,
    onlyOnServer: 0,
  })
  equal(world.published.at(-1)?.snapshot.revision, 1)
  const answer = await controller.testRoute({
    method: 'GET',
    url: 'http://localhost/books/1',
    headers: [],
    clientAddress: '127.0.0.1',
  })
  equal(answer.matched?.route, 'books')
})

scenario('a plan makes every check and changes nothing', async (controller, world) => {
  const plan = await controller.plan(put(...bookshopInputs))
  deepEqual(
    plan.changes.map(({ action, key }) => `${action} ${key.kind}/${key.name}`),
    ['create Upstream/books', 'create Route/books'],
  )
  equal(await world.store().currentRevision(), 0)
  equal(world.published.length, 1)
  const route = bookshopInputs.slice(1)
  await rejects(controller.plan(put(...route)), refused('config.invalid', /books/))
})

scenario(
  'what changes nothing makes no revision and publishes nothing',
  async (controller, world) => {
    await controller.apply(put(...bookshopInputs), info)
    const { plan, revision } = await controller.apply(put(...bookshopInputs), info)
    deepEqual([revision, plan.counts.unchanged, plan.changes], [1, 2, []])
    equal(world.published.length, 2)
  },
)

scenario('a refused change leaves store and workers alone', async (controller, world) => {
  await controller.apply(put(...bookshopInputs), info)
  const bad = { ...booksTo('ftp://h'), name: 'bad' }
  await rejects(
    controller.apply(put(booksTo('http://127.0.0.1:1'), bad), info),
    refused('config.invalid', /url/),
  )
  equal(await world.store().currentRevision(), 1)
  equal(world.published.length, 2)
})

scenario('what is in use cannot be deleted, except together with its users', async (controller) => {
  await controller.apply(put(...bookshopInputs), info)
  await rejects(
    controller.apply({ ...put(), deletes: [books] }, info),
    refused('config.in_use', /Route\/books|books/),
  )
  const both = { ...put(), deletes: [books, keyOf('Route', 'books')] }
  equal((await controller.apply(both, info)).plan.counts.delete, 2)
  await rejects(controller.apply(both, info), refused('admin.not_found', /Upstream\/books/))
})

scenario('expectations and base revisions refuse outdated changes', async (controller) => {
  await controller.apply(put(...bookshopInputs), info)
  const guarded = (expected: number | 'absent') => ({
    ...put(booksTo('http://127.0.0.1:1')),
    expected: new Map([['Upstream/books', expected]]),
  })
  await rejects(
    controller.apply(guarded(7), info),
    refused('admin.precondition_failed', /revision 1, not 7/),
  )
  await rejects(
    controller.apply(guarded('absent'), info),
    refused('admin.precondition_failed', /revision 1, not absent/),
  )
  await rejects(
    controller.apply({ ...put(booksTo('http://127.0.0.1:1')), baseRevision: 0 }, info),
    refused('admin.plan_outdated', /plan again/),
  )
  equal((await controller.apply(guarded(1), info)).revision, 2)
})

scenario('of two changes at once on one object exactly one wins', async (controller, world) => {
  await controller.apply(put(...bookshopInputs), info)
  const change = (port: number) =>
    controller.apply(
      { ...put(booksTo(`http://127.0.0.1:${port}`)), expected: new Map([['Upstream/books', 1]]) },
      info,
    )
  const results = await Promise.allSettled([change(1), change(2), change(3)])
  deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
  equal(await world.store().currentRevision(), 2)
})

scenario(
  'changes at once on different objects all come through, in order',
  async (controller, world) => {
    const names = Array.from({ length: 20 }, (_, index) => `u${index}`)
    const results = await Promise.all(
      names.map((name) => controller.apply(put({ ...booksTo('http://127.0.0.1:1'), name }), info)),
    )
    deepEqual(
      results.map(({ revision }) => revision),
      names.map((_, index) => index + 1),
    )
    deepEqual(
      world.published.map(({ snapshot }) => snapshot.revision),
      [0, ...names.map((_, index) => index + 1)],
    )
    equal(world.published.at(-1)?.snapshot.upstreams.length, 20)
  },
)

scenario(
  'prune deletes what the owner no longer names, and nothing of others',
  async (controller) => {
    const own = (name: string) => ({ ...booksTo('http://127.0.0.1:1'), name })
    await controller.apply({ ...put(own('a'), own('b')), managedBy: 'cli' }, info)
    await controller.apply({ ...put(own('c')), managedBy: 'console' }, info)
    const request = { ...put(own('a')), managedBy: 'cli', prune: true }
    const plan = await controller.plan(request)
    deepEqual(plan.counts, { create: 0, change: 0, delete: 1, unchanged: 1, onlyOnServer: 1 })
    await controller.apply(request, info)
    deepEqual(
      (await controller.list('Upstream', { limit: 10 })).items.map(({ name }) => name),
      ['a', 'c'],
    )
  },
)

scenario(
  'export, read back, plans no difference, and does not prune anything',
  async (controller) => {
    await controller.apply(
      put(
        ...bookshopInputs,
        { kind: 'Gateway', name: 'default', spec: { trustedProxies: ['10.0.0.0/8'] } },
        {
          kind: 'App',
          name: 'mobile',
          spec: { keys: [{ name: 'a', hash: `sha256:${'0'.repeat(64)}` }] },
        },
        {
          kind: 'PolicySet',
          name: 'std',
          spec: { policies: [{ 'rate-limit': { limit: '1/s' } }] },
        },
        {
          kind: 'Route',
          name: 'odd',
          labels: { team: '${x}' },
          description: 'yes',
          spec: {
            match: { hosts: ['*.example.com'], headers: { 'X-A': '*' }, addresses: ['::1'] },
            respond: { status: 200, json: { a: [1, null] } },
            policies: [{ set: 'std' }],
          },
        },
      ),
      info,
    )
    const text = await controller.exportYaml()
    const { documents, problems } = parseConfig([{ name: 'export.yaml', text }], {})
    deepEqual(problems, [])
    const plan = await controller.plan({ ...put(...documents), prune: true })
    deepEqual([plan.changes, plan.counts.unchanged, plan.counts.onlyOnServer], [[], 6, 0])
  },
)

scenario('revert makes a new revision that equals the old one', async (controller, world) => {
  await controller.apply(put(...bookshopInputs), info)
  const before = await world.store().at(1, 'default')
  await controller.apply(put(booksTo('http://127.0.0.1:1')), { ...info, note: 'oops' })
  await controller.apply(put({ kind: 'App', name: 'mobile', spec: {} }), info)
  const { revision, plan } = await controller.revert(1, info)
  equal(revision, 4)
  deepEqual(
    plan.changes.map(({ action, key }) => `${action} ${key.kind}`),
    ['change Upstream', 'delete App'],
  )
  deepEqual(await world.store().at(4, 'default'), before)
  deepEqual(await controller.diff(1, 4), [])
  equal((await controller.diff(1, 3)).length, 2)
  equal((await controller.get(books))?.managedBy, 'api')
  equal((await controller.revert(4, info)).plan.changes.length, 0)
  await rejects(controller.revert(99, info), refused('admin.not_found', /newest is 4/))
  await rejects(controller.diff(1, 99), refused('admin.not_found', /revision 99/))
  const [entry] = (await controller.audit({ limit: 1 })).items
  equal(entry?.action, 'revert')
})

scenario('the audit tells who did what, why, and through what', async (controller, world) => {
  await controller.apply(put(...bookshopInputs), { ...info, note: 'first' })
  await controller.apply(put(booksTo('http://127.0.0.1:1')), info)
  await controller.act(books, 'setSplit', { weights: { v1: 10_000 }, reason: 'check' }, info)
  const { items } = await controller.audit({ limit: 10 })
  deepEqual(
    items.map(({ action, object, actor }) => `${actor} ${action} ${object}`),
    ['ann setSplit Upstream/books', 'ann put Upstream/books', 'ann apply ', 'headgate start '],
  )
  equal(items[0]?.detail.note, 'check')
  equal(items[2]?.detail.note, 'first')
  deepEqual(items[2]?.detail.changes, ['create Upstream/books', 'create Route/books'])
  equal((await verifyAudit(world.store())).ok, true)
})

scenario('a split names versions of the upstream and adds up to the whole', async (controller) => {
  await controller.apply(put(...bookshopInputs), info)
  const set = (weights: unknown) => controller.act(books, 'setSplit', { weights }, info)
  await rejects(set({ v1: '90%' }), refused('admin.invalid_request', /add up to 100 %, not 90 %/))
  await rejects(set({ v1: '90%', v9: '10%' }), refused('admin.invalid_request', /v1, v2/))
  await rejects(set({ v1: 'most' }), refused('admin.invalid_request', /weights/))
  await rejects(set(undefined), refused('admin.invalid_request', /weights/))
  await rejects(
    controller.act(keyOf('Upstream', 'other'), 'clearSplit', {}, info),
    refused('admin.not_found', /Upstream\/other/),
  )
  await rejects(
    controller.act(books, 'promote', {}, info),
    refused('admin.not_found', /`setSplit`, `clearSplit`/),
  )
  equal((await controller.get(books))?.status.epoch, 1)
})

scenario('setting and clearing a split are events, epochs only grow', async (controller, world) => {
  await controller.apply(put(...bookshopInputs), info)
  const events: StoreEvent[] = []
  controller.watch((event) => events.push(event))
  const set = await controller.act(books, 'setSplit', { weights: { v1: '0%', v2: '100%' } }, info)
  const cleared = await controller.act(books, 'clearSplit', {}, info)
  deepEqual([set.epoch, cleared.epoch], [2, 3])
  deepEqual(cleared.weights, { v1: 10_000 })
  equal((await controller.get(books))?.status.splitSource, 'Definition')
  await controller.apply({ ...put(), deletes: [books, keyOf('Route', 'books')] }, info)
  await controller.apply(put(...bookshopInputs), info)
  equal((await controller.get(books))?.status.epoch, 4)
  equal(world.published.at(-1)?.snapshot.upstreams[0]?.split.epoch, 4)
  await new Promise((resolve) => setImmediate(resolve))
  deepEqual(
    events.map(({ type }) => type),
    ['runtime', 'runtime', 'revision', 'runtime', 'revision', 'runtime'],
  )
})

scenario(
  'a key is shown once, kept as a hash, and works from the next snapshot',
  async (controller, world) => {
    await controller.apply(
      { ...put({ kind: 'App', name: 'mobile', spec: {} }), managedBy: 'cli' },
      info,
    )
    const mobile = keyOf('App', 'mobile')
    const answer = await controller.act(mobile, 'issueKey', { name: 'first' }, info)
    const { key, prefix, hash } = answer
    ok(typeof key === 'string' && typeof prefix === 'string')
    match(key, /^hg_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$/)
    const sha256 = createHash('sha256').update(key).digest('hex')
    equal(hash, `sha256:${sha256}`)
    deepEqual(
      world.published.at(-1)?.snapshot.apps[0]?.keys.map((each) => [each.name, each.sha256]),
      [['first', sha256]],
    )
    const view = await controller.get(mobile)
    equal(view?.status.activeKeys, 1)
    equal(view?.managedBy, 'cli')
    const everything = [
      await controller.audit({ limit: 100 }),
      await controller.revisions({ limit: 100 }),
      await world.store().all('default'),
      world.lines,
    ]
    ok(!JSON.stringify(everything).includes(key.slice(12)))
    await rejects(
      controller.act(mobile, 'issueKey', { name: 'first' }, info),
      refused('admin.conflict', /choose another name/),
    )
    const expired = { name: 'old', expiresAt: '2001-01-01T00:00:00Z' }
    await controller.act(mobile, 'issueKey', expired, info)
    equal((await controller.get(mobile))?.status.activeKeys, 1)
  },
)

scenario(
  'when a worker refuses, the change is undone and the old one is served',
  async (controller, world) => {
    await controller.apply(put(...bookshopInputs), info)
    await controller.act(books, 'setSplit', { weights: { v1: '50%', v2: '50%' } }, info)
    world.refusals.push(new Error('no room'))
    const change = put(
      { ...booksTo('http://127.0.0.1:1'), labels: { a: 'b' } },
      { kind: 'App', name: 'mobile', spec: {} },
    )
    await rejects(controller.apply(change, info), refused('admin.publish_refused', /no room/))
    deepEqual(await world.store().at(3, 'default'), await world.store().at(1, 'default'))
    const { snapshot } = world.published.at(-1) ?? {}
    equal(snapshot?.revision, 3)
    deepEqual(snapshot?.upstreams[0]?.versions.length, 2)
    const status = (await controller.get(books))?.status
    deepEqual(status?.weights, { v1: 5_000, v2: 5_000 })
    // Some worker may have served the refused assignment, so its epoch is not used again.
    equal(status?.epoch, 4)
    equal(snapshot?.upstreams[0]?.split.epoch, 4)
    const { items } = await controller.audit({ limit: 3 })
    deepEqual(
      items.map(({ action }) => action),
      ['undo', 'dropSplit', 'apply'],
    )
    equal((await controller.apply(change, info)).revision, 4)
  },
)

scenario('a refused operation is undone as well', async (controller, world) => {
  await controller.apply(put(...bookshopInputs), info)
  world.refusals.push(new Error('no room'))
  await rejects(
    controller.act(books, 'setSplit', { weights: { v1: '50%', v2: '50%' } }, info),
    refused('admin.publish_refused', /no room/),
  )
  const status = (await controller.get(books))?.status
  deepEqual(
    [status?.weights, status?.splitSource, status?.epoch],
    [{ v1: 10_000 }, 'Definition', 3],
  )
  equal(await world.store().currentRevision(), 1)
})

scenario(
  'killed between commit and publish, the restart publishes what was committed',
  async (controller, world) => {
    await controller.apply(put(...bookshopInputs), info)
    const crashing = await world.open(storeSource, {
      publish: async ({ revision }) => {
        // The first publication is the start's; the process dies in the middle of the second.
        if (revision === 2) await new Promise(() => undefined)
      },
    })
    await crashing.start()
    void crashing.apply(put(booksTo('http://127.0.0.1:1')), info)
    while ((await world.store().currentRevision()) < 2)
      await new Promise((next) => setImmediate(next))
    await world.crash()
    const restarted = await world.open(storeSource)
    const outcome = await restarted.start()
    deepEqual([outcome.revision, outcome.serving], [2, 'Current'])
    equal(world.published.at(-1)?.snapshot.upstreams[0]?.versions[0]?.endpoints[0]?.port, 1)
  },
)

scenario(
  'a committed definition that no start can serve gives way to the last served',
  async (controller, world) => {
    await controller.apply(put(...bookshopInputs), info)
    const poison = { ...keyOf('Upstream', 'books'), labels: {}, spec: { url: 'not an address' } }
    await world.store().commit([{ type: 'put', resource: poison, managedBy: 'api' }], info)
    const restarted = await world.open(storeSource)
    const outcome = await restarted.start()
    deepEqual([outcome.revision, outcome.serving], [3, 'LastGood'])
    match(outcome.notices[0] ?? '', /Revision 2 cannot be served .* as revision 3/)
    deepEqual(await world.store().at(3, 'default'), await world.store().at(1, 'default'))
  },
)

scenario(
  'the gateway settings have a status before anybody has written them',
  async (controller) => {
    const view = await controller.get(keyOf('Gateway', 'default'))
    deepEqual([view?.revision, view?.managedBy, view?.status.mode], [0, 'default', 'store'])
    equal((await controller.list('Gateway', { limit: 10 })).items.length, 1)
    const write = {
      ...put({ kind: 'Gateway', name: 'default', spec: { trustedProxies: ['10.0.0.0/8'] } }),
      expected: new Map([['Gateway/default', 0]]),
    }
    equal((await controller.apply(write, info)).plan.counts.create, 1)
    equal((await controller.get(keyOf('Gateway', 'default')))?.revision, 1)
    await rejects(controller.apply(write, info), refused('admin.precondition_failed', /not 0/))
  },
)

scenario(
  'a reload reads secrets again, and one that is refused is cleared by the next change',
  async (controller, world) => {
    world.env = { PAY: 'one' }
    await controller.apply(
      put({ kind: 'Account', name: 'pay', spec: { bearer: { token: 'env:PAY' } } }),
      info,
    )
    world.env = { PAY: 'two' }
    deepEqual(await controller.reload(info), { revision: 1 })
    deepEqual(world.published.at(-1)?.leases.get('pay')?.fields, [['authorization', 'Bearer two']])
    world.refusals.push(new Error('no room'))
    await rejects(controller.reload(info), refused('admin.publish_refused', /no room/))
    const current = async () =>
      (await controller.get(keyOf('Gateway', 'default')))?.status.conditions.find(
        ({ type }) => type === 'ConfigCurrent',
      )?.status
    equal(await current(), 'False')
    await controller.apply(put(...bookshopInputs), info)
    equal(await current(), 'True')
  },
)

scenario('after closing, nothing is changed any more', async (controller) => {
  await controller.close()
  match(controller.notReadyReason() ?? '', /shutting down/)
  await rejects(
    controller.apply(put(...bookshopInputs), info),
    (thrown) => thrown instanceof HeadgateError && thrown.code === 'gateway.draining',
  )
})
