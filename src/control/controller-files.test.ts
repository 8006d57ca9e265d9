/** File mode, as scenarios: the files decide, operations are kept beside them. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { rootCertificates } from 'node:tls'
import { systemClock } from '../base/clock.ts'
import { HeadgateError } from '../base/errors.ts'
import { verifyAudit } from '../store/audit-chain.ts'
import type { Controller } from './controller.ts'
import {
  bookshop,
  bookshopInputs,
  type ControllerWorld,
  controllerWorld,
  info,
  keyOf,
  put,
  storeSource,
} from './testing/controller-world.ts'

const books = keyOf('Upstream', 'books')

function scenario(sentence: string, run: (world: ControllerWorld) => Promise<void>): void {
  test(sentence, async () => {
    const world = await controllerWorld()
    try {
      await run(world)
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

async function actions(world: ControllerWorld): Promise<string[]> {
  const { items } = await world.store().audit({ limit: 100 })
  return items.map(({ action }) => action).toReversed()
}

async function configCurrent(controller: Controller) {
  const view = await controller.get(keyOf('Gateway', 'default'))
  return view?.status.conditions.find(({ type }) => type === 'ConfigCurrent')
}

function armsOf(world: ControllerWorld): readonly number[] | undefined {
  const upstream = world.published.at(-1)?.snapshot.upstreams.find(({ name }) => name === 'books')
  return upstream?.versions.map(
    (_, index) =>
      upstream.split.arms.find(({ versionIndex }) => versionIndex === index)?.basisPoints ?? 0,
  )
}

scenario('a first start loads the file as revision 1 and publishes it', async (world) => {
  await world.write(bookshop())
  const controller = await world.open()
  match(controller.notReadyReason() ?? '', /no definition is served yet/)
  const outcome = await controller.start()
  deepEqual(
    [outcome.mode, outcome.revision, outcome.serving, outcome.problems, outcome.notices],
    ['file', 1, 'Current', [], []],
  )
  equal(controller.notReadyReason(), undefined)
  equal(world.published.length, 1)
  equal(world.published[0]?.snapshot.revision, 1)
  const view = await controller.get(books)
  equal(view?.managedBy, 'file')
  deepEqual(view?.status.weights, { v1: 10_000 })
  equal(view?.status.splitSource, 'Definition')
  deepEqual(
    view?.status.conditions.map(({ type, status }) => [type, status]),
    [['Programmed', 'True']],
  )
  equal((await configCurrent(controller))?.status, 'True')
  deepEqual(await actions(world), ['start'])
})

scenario('a first start with a broken file fails with every problem', async (world) => {
  await world.write('version: 1\nroutes:\n  - { name: r, to: nowhere, priority: high }\n')
  const controller = await world.open()
  await rejects(controller.start(), refused('config.invalid', /headgate\.yaml:3:\d+/))
  equal(world.published.length, 0)
  equal(await world.store().currentRevision(), 0)
})

scenario('a reload changes only what differs, as one revision', async (world) => {
  await world.write(bookshop())
  const controller = await world.open()
  await controller.start()
  await world.write(bookshop('live: v2'))
  deepEqual(await controller.reload(info), { revision: 2 })
  const revision = await controller.revision(2)
  deepEqual(
    revision?.changes.map(({ key }) => `${key.kind}/${key.name}`),
    ['Upstream/books'],
  )
  deepEqual(armsOf(world), [0, 10_000])
  deepEqual((await controller.diff(1, 2))[0]?.effects, [
    'moves 100 % of the traffic of `books` to `v2`',
  ])
  match(world.lines.at(-1) ?? '', /reloaded: revision 2 \(0 created, 1 changed, 0 deleted\)/)
})

scenario('objects that leave the file are deleted', async (world) => {
  await world.write(bookshop())
  const controller = await world.open()
  await controller.start()
  await world.write('version: 1\nupstreams: [{ name: other, url: "http://127.0.0.1:1" }]\n')
  await controller.reload(info)
  equal(await controller.get(books), undefined)
  equal((await controller.list('Route', { limit: 10 })).items.length, 0)
})

scenario('a broken file is refused whole and the last good one keeps serving', async (world) => {
  await world.write(bookshop())
  const controller = await world.open()
  await controller.start()
  await world.write(`${bookshop('live: v2')}  - { name: other, to: nowhere }\n`)
  await rejects(controller.reload(info), refused('config.invalid', /nowhere/))
  equal(world.published.length, 1)
  equal(controller.notReadyReason(), undefined)
  deepEqual((await controller.get(books))?.status.weights, { v1: 10_000 })
  const condition = await configCurrent(controller)
  deepEqual([condition?.status, condition?.reason], ['False', 'Refused'])
  match(condition?.message ?? '', /nowhere/)
  match(world.lines.at(-1) ?? '', /^refused, revision 1 keeps serving: .*nowhere/)

  // Saved again with the same mistake: the condition stands, and the audit does not fill up.
  world.clock.advance(60_000)
  await rejects(controller.reload(info))
  equal((await configCurrent(controller))?.since, condition?.since)
  deepEqual(await actions(world), ['start', 'reload-refused'])

  await world.write(bookshop('live: v2'))
  await controller.reload(info)
  equal((await configCurrent(controller))?.status, 'True')
  deepEqual(await actions(world), ['start', 'reload-refused', 'reload'])
  deepEqual(await verifyAudit(world.store()), { ok: true, entryCount: 3 })
})

scenario(
  'a file that was emptied deletes nothing, until it says that it means it',
  async (world) => {
    await world.write(bookshop())
    const controller = await world.open()
    await controller.start()
    for (const text of ['', '\n# nothing\n', 'version: 1\n', 'version: 1\nroutes:\n']) {
      await world.write(text)
      await rejects(controller.reload(info), refused('config.emptied', /hold nothing/))
    }
    equal(world.published.length, 1)
    await world.write('version: 1\ngateway: {}\n')
    await controller.reload(info)
    equal((await controller.list('Route', { limit: 10 })).items.length, 0)
  },
)

scenario(
  'restarted with a broken file, the last good one is served and it says so',
  async (world) => {
    await world.write(bookshop('live: v2'))
    await (await world.open()).start()
    await world.write('version: 1\nroutes: [\n')
    const controller = await world.open()
    const outcome = await controller.start()
    equal(outcome.serving, 'LastGood')
    equal(outcome.revision, 1)
    ok(outcome.problems.length > 0)
    match(outcome.notices[0] ?? '', /is refused: .*headgate\.yaml:2:.*revision 1, is served until/)
    deepEqual(armsOf(world), [0, 10_000])
    equal((await configCurrent(controller))?.status, 'False')
    await world.write(bookshop())
    deepEqual(await controller.reload(info), { revision: 2 })
    equal((await configCurrent(controller))?.status, 'True')
  },
)

scenario('the last good definition of another file is never served', async (world) => {
  await world.write(bookshop())
  await (await world.open()).start()
  await world.write('version: 1\nroutes: [\n', 'other.yaml')
  const controller = await world.open({ type: 'files', path: join(world.folder, 'other.yaml') })
  await rejects(controller.start(), refused('config.invalid', /other\.yaml/))
  await rejects(
    (await world.open({ type: 'files', path: join(world.folder, 'missing.yaml') })).start(),
    refused('config.invalid', /missing\.yaml/),
  )
})

scenario('the watched file is reloaded when it is replaced by a rename', async (world) => {
  await world.write(bookshop())
  const controller = await world.open()
  await controller.start()
  const reloaded = new Promise<void>((resolve) => {
    controller.watch((event) => {
      if (event.type === 'revision') resolve()
    })
  })
  await writeFile(join(world.folder, 'new'), bookshop('live: v2'))
  await rename(join(world.folder, 'new'), world.configPath)
  // The watcher waits on the simulated clock until the file has been quiet.
  const ticking = systemClock().every(5, () => world.clock.advance(100))
  await reloaded
  ticking.cancel()
  equal(await world.store().currentRevision(), 2)
})

scenario('definitions are refused with the YAML to write, actions work', async (world) => {
  await world.write(bookshop())
  const controller = await world.open()
  await controller.start()
  const [upstream] = bookshopInputs
  ok(upstream)
  const changed = { ...upstream, spec: { url: 'http://127.0.0.1:9999' } }
  await rejects(controller.apply(put(changed), info), (thrown) => {
    refused('admin.file_owned', /`patch`/)(thrown)
    ok(thrown instanceof HeadgateError)
    match(String(thrown.detail.patch), /url: http:\/\/127\.0\.0\.1:9999/)
    return true
  })
  const removal = { ...put(), deletes: [keyOf('Route', 'books')] }
  await rejects(controller.apply(removal, info), (thrown) => {
    refused('admin.file_owned', /take Route\/books out/)(thrown)
    ok(thrown instanceof HeadgateError)
    deepEqual(thrown.detail.remove, ['Route/books'])
    return true
  })
  await rejects(
    controller.apply(put({ ...changed, spec: { url: 1 } }), info),
    refused('config.invalid', /url/),
  )
  equal((await controller.plan(put(changed))).counts.change, 1)
  // What is there already may be applied: a pipeline that runs twice is no mistake.
  equal((await controller.apply(put(upstream), info)).plan.counts.unchanged, 1)
  equal(await world.store().currentRevision(), 1)
  const answer = await controller.act(books, 'setSplit', { weights: { v1: '95%', v2: '5%' } }, info)
  deepEqual(answer, { weights: { v1: 9_500, v2: 500 }, splitSource: 'RunTime', epoch: 2 })
  deepEqual(armsOf(world), [9_500, 500])
})

scenario(
  'a run-time split survives a restart and reloads that do not concern it',
  async (world) => {
    await world.write(bookshop())
    const first = await world.open()
    await first.start()
    await first.act(
      books,
      'setSplit',
      { weights: { v1: '90%', v2: '10%' } },
      { ...info, note: 'try' },
    )
    const second = await world.open()
    const outcome = await second.start()
    deepEqual(outcome.notices, ['A run-time split of `books` is in force: v1 90 %, v2 10 %.'])
    deepEqual(armsOf(world), [9_000, 1_000])
    await world.write(bookshop().replace('7002', '7003'))
    await second.reload(info)
    deepEqual(armsOf(world), [9_000, 1_000])
    const status = (await second.get(books))?.status
    deepEqual([status?.splitSource, status?.epoch], ['RunTime', 2])
    match(
      status?.conditions.find(({ type }) => type === 'SplitHeld')?.message ?? '',
      /ann set v1 90 %, v2 10 % .*\(try\)/,
    )
  },
)

scenario(
  'a run-time split is dropped when its definition changes, live or over a restart',
  async (world) => {
    await world.write(bookshop())
    const first = await world.open()
    await first.start()
    await first.act(books, 'setSplit', { weights: { v1: '90%', v2: '10%' } }, info)
    await world.write(bookshop('split: { weights: { v1: 50%, v2: 50% } }'))
    await first.reload(info)
    deepEqual(armsOf(world), [5_000, 5_000])
    equal((await first.get(books))?.status.epoch, 3)
    await first.act(books, 'setSplit', { weights: { v1: '20%', v2: '80%' } }, info)
    await world.write(bookshop('live: v2'))
    const second = await world.open()
    const outcome = await second.start()
    match(outcome.notices[0] ?? '', /run-time split of `books` \(v1 20 %, v2 80 %\) was dropped/)
    deepEqual(armsOf(world), [0, 10_000])
    equal((await second.get(books))?.status.epoch, 5)
    equal((await actions(world)).filter((action) => action === 'dropSplit').length, 2)
  },
)

scenario('a key cannot be issued in file mode, and the answer says what to do', async (world) => {
  await world.write('version: 1\napps: [{ name: mobile }]\n')
  const controller = await world.open()
  await controller.start()
  await rejects(
    controller.act(keyOf('App', 'mobile'), 'issueKey', { name: 'second' }, info),
    (thrown) => {
      refused('admin.file_owned', /headgate key new second/)(thrown)
      ok(thrown instanceof HeadgateError)
      match(String(thrown.detail.patch), /name: second, hash: "?sha256:…/)
      return true
    },
  )
})

scenario('a secret that cannot be read refuses what brings it', async (world) => {
  const text = (name: string) =>
    `version: 1\naccounts: [{ name: pay, bearer: { token: "env:${name}" } }]\nupstreams: [{ name: pay, url: "http://h:1", account: pay }]\n`
  await world.write(text('PAY_A'))
  const controller = await world.open()
  await rejects(controller.start(), refused('config.invalid', /headgate\.yaml:2:\d+: .*PAY_A/))
  world.env = { PAY_A: 'token-a' }
  await controller.start()
  deepEqual(world.published.at(-1)?.leases.get('pay')?.fields, [
    ['authorization', 'Bearer token-a'],
  ])
  await world.write(text('PAY_B'))
  await rejects(controller.reload(info), refused('config.invalid', /PAY_B/))
  equal(world.published.length, 1)
})

scenario(
  'a secret that vanishes later is used on, and after a restart only its account is out',
  async (world) => {
    await world.write(
      'version: 1\naccounts: [{ name: pay, bearer: { token: "file:token" } }]\nupstreams: [{ name: pay, url: "http://h:1", account: pay }]\n',
    )
    await world.write('one\n', 'token')
    const first = await world.open()
    await first.start()
    await world.write('two\n', 'token')
    await first.reload(info)
    const fields = () => world.published.at(-1)?.leases.get('pay')?.fields
    deepEqual(fields(), [['authorization', 'Bearer two']])
    await rename(join(world.folder, 'token'), join(world.folder, 'gone'))
    await first.reload(info)
    deepEqual(fields(), [['authorization', 'Bearer two']])
    const secretResolved = async (controller: Controller) =>
      (await controller.get(keyOf('Account', 'pay')))?.status.conditions.find(
        ({ type }) => type === 'SecretResolved',
      )?.reason
    equal(await secretResolved(first), 'Stale')
    const second = await world.open()
    const outcome = await second.start()
    equal(outcome.serving, 'Current')
    deepEqual(outcome.warnings.filter(({ code }) => code === 'config.secret_unresolved').length, 1)
    equal(fields(), undefined)
    equal(await secretResolved(second), 'Unresolved')
    ok(!JSON.stringify(await second.audit({ limit: 100 })).includes('two'))
  },
)

scenario('a policy of the user that fails to be made refuses the change', async (world) => {
  await world.write('version: 1\ngateway: { policiesFolder: policies }\n')
  await world.write(
    `import { definePolicy, s } from 'headgate/policy'
export const moody = definePolicy({
  name: 'moody', summary: 'Fails when asked to.', phase: 'transform',
  config: s.strictObject({ fails: s.boolean() }),
  create({ fails }) {
    if (fails) throw new Error('not today')
    return { onRequest: () => ({ type: 'proceed' }) }
  },
})
`,
    'policies/moody.ts',
  )
  const controller = await world.open()
  await controller.start()
  const withPolicy = (fails: boolean) =>
    `version: 1\ngateway: { policiesFolder: policies }\nroutes: [{ name: r, to: "http://h:1", policies: [{ moody: { fails: ${fails} } }] }]\n`
  await world.write(withPolicy(true))
  await rejects(controller.reload(info), refused('config.invalid', /not today/))
  equal(world.published.length, 1)
  await world.write(withPolicy(false))
  await controller.reload(info)
  equal(world.published.at(-1)?.snapshot.policies[0]?.policy, 'moody')
  equal(world.published.at(-1)?.snapshot.policyModules.length, 1)
})

scenario('a certificate file that is none refuses the change', async (world) => {
  const text = `version: 1\nupstreams: [{ name: a, versions: { v1: { url: "https://h:1", tls: { caFile: ca.pem } } } }]\n`
  await world.write(text)
  const controller = await world.open()
  await rejects(controller.start(), refused('config.invalid', /caFile.*ca\.pem/))
  await world.write('not a certificate', 'ca.pem')
  await rejects(controller.start(), refused('config.invalid', /caFile.*(?:PEM|certificate)/))
  await world.write(rootCertificates[0] ?? '', 'ca.pem')
  await controller.start()
  const { tls } = world.published[0]?.snapshot.upstreams[0]?.versions[0] ?? {}
  equal(tls?.caPem, rootCertificates[0])
  // Gone later, it is not needed anew: what was read is used on.
  await rename(join(world.folder, 'ca.pem'), join(world.folder, 'gone.pem'))
  await controller.reload(info)
  equal(world.published.length, 2)
})

scenario(
  'when the workers refuse the file at start, the last good definition is served',
  async (world) => {
    await world.write(bookshop())
    await (await world.open()).start()
    await world.write(bookshop('live: v2'))
    const controller = await world.open()
    world.refusals.push(new Error('no room'))
    const outcome = await controller.start()
    deepEqual([outcome.serving, outcome.revision], ['LastGood', 3])
    match(outcome.notices[0] ?? '', /no room/)
    deepEqual(armsOf(world), [10_000, 0])
    deepEqual(await actions(world), ['start', 'start', 'undo', 'start', 'reload-refused'])
  },
)

scenario('a gateway that cannot run keeps the definition it was given', async (world) => {
  await world.write(bookshop())
  const controller = await world.open()
  world.refusals.push(new HeadgateError('run.address_in_use', { message: 'port taken' }))
  await rejects(controller.start(), refused('run.address_in_use', /port taken/))
  equal(await world.store().currentRevision(), 1)
  const again = await world.open()
  equal((await again.start()).revision, 1)
})

scenario('files do not replace what store mode has made', async (world) => {
  const first = await world.open(storeSource)
  await first.start()
  await first.apply(put(...bookshopInputs), info)
  await world.write(bookshop())
  const second = await world.open()
  await rejects(
    second.start(),
    refused('run.mode_conflict', /2 definitions made in store mode .*headgate export/),
  )
  equal(await world.store().currentRevision(), 1)
})

scenario(
  'store mode adopts what files have left, and back again nothing is lost',
  async (world) => {
    await world.write(bookshop())
    await (await world.open()).start()
    const adopted = await world.open(storeSource)
    const outcome = await adopted.start()
    match(outcome.notices[0] ?? '', /2 definitions that were loaded from .* are adopted/)
    equal(armsOf(world)?.length, 2)
    // Nothing was changed here, so the file may decide again.
    const file = await world.open()
    equal((await file.start()).revision, 1)
    const again = await world.open(storeSource)
    await again.start()
    await again.apply(put({ kind: 'App', name: 'mobile', spec: {} }), info)
    await rejects((await world.open()).start(), refused('run.mode_conflict', /App\/mobile/))
  },
)
