import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { chainHash } from '../../src/store/audit-chain.ts'
import { type Workbench, workbench } from '../support/headgate-process.ts'
import { type CurlAnswer, curl } from './support/curl.ts'
import { type Gateway, type Json, startGateway } from './support/gateway.ts'
import { startUpstream } from './support/upstream.ts'

/** curl against this gateway with its token; a body is sent as JSON. */
function client(gateway: Gateway) {
  return (method: string, path: string, ...more: readonly string[]): Promise<CurlAnswer> =>
    curl(
      ...['-X', method, '-H', `authorization: Bearer ${gateway.token}`],
      ...(more.some((word) => /content-type/i.test(word))
        ? []
        : ['-H', 'content-type: application/json']),
      ...more,
      `${gateway.adminUrl}${path}`,
    )
}

function expectStatus(answer: CurlAnswer, status: number): void {
  equal(answer.status, status, answer.text)
}

const routeSpec = (path: string, more = {}) =>
  JSON.stringify({ spec: { match: { path }, to: 'books', ...more } })

test('objects are created, guarded by their ETag, rehearsed and deleted with curl', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'books')
  const gateway = await startGateway(bench, { workers: 1 })
  const call = client(gateway)
  const books = JSON.stringify({ spec: { url: upstream.url } })

  const created = await call('PUT', '/api/v1/upstreams/books', '-d', books)
  expectStatus(created, 201)
  equal(created.headers.get('location'), '/api/v1/upstreams/books')
  const etag = created.headers.get('etag') ?? ''
  match(etag, /^"\d+"$/)
  expectStatus(await call('PUT', '/api/v1/routes/books', '-d', routeSpec('/books/**')), 201)
  equal((await fetch(`${gateway.url}/books/1?size=3`)).status, 200)

  const unguarded = await call('PUT', '/api/v1/upstreams/books', '-d', books)
  expectStatus(unguarded, 428)
  equal(unguarded.body.currentEtag, etag)
  expectStatus(
    await call('PUT', '/api/v1/upstreams/books', '-d', books, '-H', 'if-none-match: *'),
    412,
  )
  const patch = JSON.stringify({ spec: { versions: { v1: { connectionsMax: 7 } } } })
  const patchAt = (known: string) =>
    call('PATCH', '/api/v1/upstreams/books', '-d', patch, '-H', `if-match: ${known}`)
  const patched = await patchAt(etag)
  expectStatus(patched, 200)
  equal(patched.body.spec?.versions?.v1?.connectionsMax, 7)
  notEqual(patched.headers.get('etag'), etag)
  const outdated = await patchAt(etag)
  expectStatus(outdated, 412)
  equal(outdated.headers.get('content-type'), 'application/problem+json')
  equal(outdated.body.currentEtag, patched.headers.get('etag'))
  expectStatus(
    await call(
      'GET',
      '/api/v1/upstreams/books',
      '-H',
      `if-none-match: ${patched.headers.get('etag')}`,
    ),
    304,
  )

  await t.test('a rehearsal changes nothing', async () => {
    const rehearsed = await call('PUT', '/api/v1/routes/new?dryRun=true', '-d', routeSpec('/new'))
    expectStatus(rehearsed, 200)
    equal(rehearsed.body.plan?.changes?.[0]?.action, 'create')
    expectStatus(await call('GET', '/api/v1/routes/new'), 404)
    equal((await fetch(`${gateway.url}/new`)).status, 404)
  })
  const used = await call('DELETE', '/api/v1/upstreams/books')
  expectStatus(used, 409)
  match(used.text, /Route\/books/)
  const wrong = await call('PUT', '/api/v1/routes/wrong', '-d', routeSpec('books', { priorty: 1 }))
  expectStatus(wrong, 422)
  deepEqual([...(wrong.body.errors ?? [])].map(({ pointer }) => String(pointer)).sort(), [
    '/spec/match/path',
    '/spec/priorty',
  ])
  for (const path of ['routes/books', 'upstreams/books'])
    expectStatus(await call('DELETE', `/api/v1/${path}`), 204)
  equal((await fetch(`${gateway.url}/books/1`)).status, 404)

  await expectGuard(gateway)
  await gateway.stop()
})

async function expectGuard(gateway: Gateway): Promise<void> {
  expectStatus(await curl(`${gateway.adminUrl}/api/v1/routes`), 401)
  expectStatus(
    await curl('-H', 'authorization: Bearer hgt_wrong', `${gateway.adminUrl}/api/v1/routes`),
    401,
  )
  expectStatus(await curl(`${gateway.adminUrl}/livez`), 200)
}

const bookshop = (url: string) => `version: 1
upstreams:
  - name: books
    versions: { v1: { url: "${url}" }, v2: { url: "${url}", balance: RoundRobin } }
    live: v1
    split: { weights: { v1: 75%, v2: 25% }, sticky: { by: Header, name: x-user } }
accounts:
  - { name: key, header: { name: x-key, secret: "env:E2E_KEY" } }
policySets:
  - { name: standard, policies: [{ rate-limit: { limit: 1000/min } }, cors: { origins: ["*"] }] }
apps:
  - { name: mobile, consumer: Acme, keys: [{ name: first, hash: "sha256:${'5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8'}" }] }
routes:
  - { name: books, match: { path: "/books/**" }, policies: [{ set: standard }], to: books }
  - { name: old, match: { path: "/v1/{id}" }, redirect: { path: "/books/{id}" } }
gateway:
  requestId: { accept: Always }
`

test('plan and apply agree, an export serves elsewhere, and any revision can come back', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'books')
  const env = { E2E_KEY: 'the-key-of-the-test' }
  const gateway = await startGateway(bench, { workers: 1, env })
  const call = client(gateway)
  const yaml = ['-H', 'content-type: application/yaml', '--data-binary']

  const plan = await call('POST', '/api/v1/plan', ...yaml, bookshop(upstream.url))
  expectStatus(plan, 200)
  equal(plan.body.counts?.create, 7)
  expectStatus(
    await call('POST', '/api/v1/apply?baseRevision=99', ...yaml, bookshop(upstream.url)),
    409,
  )
  const applied = await call('POST', '/api/v1/apply?reason=first', ...yaml, bookshop(upstream.url))
  expectStatus(applied, 200)
  const first = Number(applied.body.revision)
  equal((await fetch(`${gateway.url}/books/1?size=3`)).status, 200)

  const exported = await call('GET', '/api/v1/export')
  match(exported.headers.get('content-type') ?? '', /application\/yaml/)
  expectNothingToDo(await call('POST', '/api/v1/plan', ...yaml, exported.text))
  await expectSameElsewhere(bench, env, exported.text)

  const second = await call(
    'POST',
    '/api/v1/apply',
    '-d',
    JSON.stringify({
      puts: [
        {
          kind: 'Route',
          name: 'more',
          spec: { match: { path: '/more' }, respond: { status: 204 } },
        },
      ],
      deletes: [{ kind: 'Route', name: 'old' }],
      reason: 'second',
    }),
  )
  expectStatus(second, 200)
  equal((await fetch(`${gateway.url}/more`)).status, 204)
  const diff = await call('GET', `/api/v1/revisions/${second.body.revision}/diff?against=${first}`)
  deepEqual(changesOf(diff.body.changes), ['create Route/more', 'delete Route/old'])

  const reverted = await call(
    'POST',
    `/api/v1/revisions/${first}:revert`,
    '-d',
    '{"reason":"third"}',
  )
  expectStatus(reverted, 200)
  equal((await fetch(`${gateway.url}/more`)).status, 404)
  equal((await fetch(`${gateway.url}/v1/7`, { redirect: 'manual' })).status, 308)
  expectNothingToDo(await call('POST', '/api/v1/plan', ...yaml, bookshop(upstream.url)))
  const none = await call(
    'GET',
    `/api/v1/revisions/${reverted.body.revision}/diff?against=${first}`,
  )
  deepEqual(changesOf(none.body.changes), [])

  const repeated = ['-H', 'idempotency-key: once', '-d', '{"name":"second"}']
  const issued = await call('POST', '/api/v1/apps/mobile:issueKey', ...repeated)
  expectStatus(issued, 200)
  equal((await call('POST', '/api/v1/apps/mobile:issueKey', ...repeated)).text, issued.text)
  await expectKeyLetsIn(gateway, String(issued.body.key))
  await expectAuditChain(call, ['first', 'second', 'third'])
  await gateway.stop()
})

/** The key that was shown once opens a route that asks for one. */
async function expectKeyLetsIn(gateway: Gateway, key: string): Promise<void> {
  const keyed = await gateway.admin('PUT', '/api/v1/routes/keyed', {
    spec: { match: { path: '/keyed' }, respond: { status: 204 }, policies: ['api-key'] },
  })
  equal(keyed.status, 201, keyed.text)
  equal((await fetch(`${gateway.url}/keyed`)).status, 401)
  equal((await fetch(`${gateway.url}/keyed`, { headers: { 'x-api-key': key } })).status, 204)
}

function changesOf(changes: Json | undefined): string[] {
  return [...(changes ?? [])].map(({ action, key }) => `${action} ${key?.kind}/${key?.name}`)
}

function expectNothingToDo(plan: CurlAnswer): void {
  expectStatus(plan, 200)
  deepEqual(changesOf(plan.body.changes), [])
}

async function expectSameElsewhere(
  bench: Workbench,
  env: Readonly<Record<string, string>>,
  exported: string,
): Promise<void> {
  const other = await startGateway(bench, { workers: 1, env, argv: ['--data', 'other'] })
  const call = client(other)
  const yaml = ['-H', 'content-type: application/yaml', '--data-binary', exported]
  expectStatus(await call('POST', '/api/v1/apply', ...yaml), 200)
  equal((await call('GET', '/api/v1/export')).text, exported)
  expectNothingToDo(await call('POST', '/api/v1/plan', ...yaml))
  equal((await fetch(`${other.url}/books/1?size=3`)).status, 200)
  await other.stop()

  await bench.write('exported.yaml', exported)
  const files = ['-c', join(bench.cwd, 'exported.yaml'), '--data', 'third']
  const third = await startGateway(bench, { workers: 1, env, argv: files })
  equal((await fetch(`${third.url}/books/1?size=3`)).status, 200)
  equal((await third.admin('GET', '/api/v1/export')).text, exported)
  await third.stop()
}

async function expectAuditChain(
  call: ReturnType<typeof client>,
  notesExpected: readonly string[],
): Promise<void> {
  const entries: Json[] = []
  let query = '?limit=4'
  while (query !== '') {
    const page = await call('GET', `/api/v1/audit${query}`)
    expectStatus(page, 200)
    entries.push(...(page.body.items ?? []))
    query =
      page.body.next === undefined
        ? ''
        : `?limit=4&after=${encodeURIComponent(String(page.body.next))}`
  }
  ok(entries.length >= 6)
  for (const [index, entry] of entries.entries()) {
    const before = entries[index + 1]
    if (before === undefined) break
    const { sequence, at, actor, action, object, detail, hash } = JSON.parse(JSON.stringify(entry))
    equal(chainHash(String(before.hash), { sequence, at, actor, action, object, detail }), hash)
  }
  const notes = entries.map(({ detail }) => detail?.note).filter((note) => note !== undefined)
  for (const note of notesExpected) ok(notes.map(String).includes(note), note)
}

/** Reads the event stream until `count` events have come. */
async function readEvents(
  gateway: Gateway,
  { count, lastEventId }: { count: number; lastEventId?: string },
): Promise<{ id: string; type: string; names: string[] }[]> {
  const abort = new AbortController()
  const response = await fetch(`${gateway.adminUrl}/api/v1/events`, {
    headers: {
      authorization: `Bearer ${gateway.token}`,
      ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
    },
    signal: AbortSignal.any([abort.signal, AbortSignal.timeout(15_000)]),
  })
  equal(response.status, 200)
  const events: { id: string; type: string; names: string[] }[] = []
  let text = ''
  const decoder = new TextDecoder()
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true })
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const field = (name: string) =>
        new RegExp(`^${name}: (.*)$`, 'm').exec(text.slice(0, end))?.[1]
      const type = field('event')
      if (type !== undefined) {
        const data = JSON.parse(field('data') ?? '{}')
        const changes: Json[] = data.revision?.changes ?? [{ key: data.key }]
        events.push({
          id: field('id') ?? '',
          type,
          names: changes.map(({ key }) => String(key?.name)),
        })
      }
      text = text.slice(end + 2)
    }
    if (events.length >= count) break
  }
  abort.abort()
  return events
}

test('the event stream resumes after the last event seen, over a restart', async (t) => {
  const bench = await workbench(t)
  const gateway = await startGateway(bench, { workers: 1 })
  const put = (on: Gateway, name: string) =>
    on.admin('PUT', `/api/v1/routes/${name}`, {
      spec: { match: { path: `/${name}` }, respond: { status: 204 } },
    })
  const live = readEvents(gateway, { count: 1 })
  let seen: Awaited<typeof live> | undefined
  void live.then((events) => {
    seen = events
  })
  // The stream may open after a change: change until it has told one.
  for (let number = 0; seen === undefined; number++)
    equal((await put(gateway, `a${number}`)).status, 201)
  const [last] = await live
  equal((await put(gateway, 'missed')).status, 201)
  await gateway.stop()

  const again = await startGateway(bench, { workers: 1, token: gateway.token })
  equal((await put(again, 'after')).status, 201)
  const from = { lastEventId: last?.id ?? '' }
  let missed = await readEvents(again, { count: 2, ...from })
  // Whatever was put between the event and the last put comes first, in order.
  while (!missed.some(({ names }) => names.includes('after')))
    missed = await readEvents(again, { count: missed.length + 1, ...from })
  const names = missed.flatMap((event) => event.names)
  deepEqual(names.slice(-2), ['missed', 'after'])
  const ids = missed.map(({ id }) => Number(id))
  deepEqual(
    ids,
    ids.map((_, index) => Number(last?.id) + 1 + index),
    'none is left out',
  )
  deepEqual(
    (await readEvents(again, { count: 1, lastEventId: '999999' })).map(({ type }) => type),
    ['reset'],
  )
  await again.stop()
})

test('a process that is killed in the middle of changes has lost none that it had confirmed', async (t) => {
  const bench = await workbench(t)
  const gateway = await startGateway(bench, { workers: 1 })
  const confirmed: string[] = []
  const lanes = Array.from({ length: 4 }, async (_, lane) => {
    for (let number = 0; ; number++) {
      const name = `lane-${lane}-${number}`
      const spec = { match: { path: `/${name}` }, respond: { status: 204 } }
      const answer = await gateway.admin('PUT', `/api/v1/routes/${name}`, { spec })
      if (answer.status !== 201) throw new Error(answer.text)
      confirmed.push(name)
      if (confirmed.length === 40) gateway.child.kill('SIGKILL')
    }
  })
  await Promise.allSettled(lanes)
  await gateway.ended
  ok(confirmed.length >= 40)

  const again = await startGateway(bench, { workers: 1, token: gateway.token })
  for (const name of confirmed) equal((await fetch(`${again.url}/${name}`)).status, 204, name)
  const revisions = await again.admin('GET', '/api/v1/revisions?limit=1')
  ok(Number(revisions.body.items?.[0]?.number) >= confirmed.length)
  await expectAuditChain(client(again), [])
  equal((await again.stop()).exitCode, 0)
})
