import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTask } from 'node:timers/promises'
import { adminLimits } from './deps.ts'
import { serveAdmin } from './serve.ts'
import { openTestAdmin, upstreamSpec } from './testing/admin.ts'
import { openEventClient } from './testing/event-client.ts'

async function servedAdmin(context: TestContext) {
  const admin = await openTestAdmin()
  const server = await serveAdmin(admin.app, { host: '127.0.0.1', port: 0 })
  context.after(() => server.close())
  const metric = async (name: string) => {
    const { text } = await admin.call('GET', '/metrics')
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])
  }
  return {
    ...admin,
    server,
    metric,
    open: (options?: Parameters<typeof openEventClient>[2]) =>
      openEventClient(server.port, admin.token, options),
    create: (name: string) =>
      admin.call('PUT', `/api/v1/upstreams/${name}`, { body: { spec: upstreamSpec } }),
    /** Waits until `count` streams are open, or closed again. */
    async readers(count: number) {
      while ((await metric('headgate_admin_event_readers')) !== count) await nextTask()
    },
  }
}

test('a change is told with its sequence number, its revision and what it touched, not its contents', async (context) => {
  const { open, create, readers } = await servedAdmin(context)
  const client = open()
  match(await client.head(), /^HTTP\/1\.1 200 .*content-type: text\/event-stream; charset=utf-8/s)
  await readers(1)
  await create('books')
  const { id, event, data } = await client.next()
  equal(event, 'revision')
  const { sequence, revision, type } = JSON.parse(data)
  equal(type, 'revision')
  equal(String(sequence), id)
  deepEqual(revision.changes, [
    { action: 'create', key: { workspace: 'default', kind: 'Upstream', name: 'books' } },
  ])
  deepEqual([revision.number, revision.actor], [1, 'owner'])
  equal(data.includes('127.0.0.1:7001'), false)
  client.socket.destroy()
  await readers(0)
})

test('operations are told too, and a filter lets only its kind and name through', async (context) => {
  const { open, create, call, readers } = await servedAdmin(context)
  const client = open({ path: '/api/v1/events?kind=Upstream&name=books' })
  await readers(1)
  await create('films')
  await call('PUT', '/api/v1/routes/books', { body: { spec: { respond: { status: 204 } } } })
  await create('books')
  await call('POST', '/api/v1/upstreams/books:clearSplit')
  const events = [await client.next(), await client.next()]
  deepEqual(
    events.map(({ event }) => event),
    ['revision', 'runtime'],
  )
  match(events[0]?.data ?? '', /"name":"books"/)
  client.socket.destroy()
})

test('a reader that comes back with Last-Event-ID gets what it missed, once', async (context) => {
  const { open, create, readers } = await servedAdmin(context)
  const first = open()
  await readers(1)
  await create('a')
  const { id = '' } = await first.next()
  first.socket.destroy()
  await readers(0)
  await create('b')
  await create('c')
  const second = open({ lastEventId: id })
  await create('d')
  const names: string[] = []
  for (let count = 0; count < 3; count++) {
    names.push(JSON.parse((await second.next()).data).revision.changes[0].key.name)
  }
  deepEqual(names, ['b', 'c', 'd'])
  second.socket.destroy()
})

test('an id that is no longer known, or never was, is answered by reset', async (context) => {
  const { open, create, call } = await servedAdmin(context)
  await create('a')
  const client = open({ lastEventId: '999999' })
  const { event, data } = await client.next()
  deepEqual([event, data], ['reset', '{"type":"reset"}'])
  client.socket.destroy()
  const bad = await call('GET', '/api/v1/events', { headers: { 'last-event-id': 'x' } })
  equal(bad.status, 400)
})

test('a quiet stream has a heartbeat every 15 s', async (context) => {
  const { open, readers, clock } = await servedAdmin(context)
  const client = open()
  await client.head()
  await readers(1)
  clock.advance(adminLimits.heartbeatMs - 1)
  equal(client.received().includes(': heartbeat'), false)
  clock.advance(1)
  while (!client.received().includes(': heartbeat')) await once(client.socket, 'data')
  client.socket.destroy()
})

test('a reader that does not read is cut off and counted, and others do not notice', async (context) => {
  const { open, fake, readers, metric, clock } = await servedAdmin(context)
  const key = { workspace: 'default', kind: 'Upstream', name: 'books' }
  const filler = 'x'.repeat(100_000)
  let sentCount = 0
  const tell = () => {
    sentCount += 1
    return fake.store.setRuntime(key, { sentCount, filler }, { actor: 'test', origin: 'test' })
  }
  const slow = open({ isPaused: true })
  const good = open()
  await readers(2)
  // Past the first moments, in which a burst is a resume and not slowness.
  clock.advance(1)
  while ((await metric('headgate_admin_event_readers_cut_off_total')) === 0) {
    ok(sentCount < 500, 'the stream has no bound')
    await tell()
    await good.next()
  }
  await readers(1)
  slow.socket.resume()
  await slow.closed()
  await tell()
  equal((await good.next()).event, 'runtime')
  good.socket.destroy()
})

test('a filter that can never match is refused with what was meant', async () => {
  const { call } = await openTestAdmin()
  const { status, body } = await call('GET', '/api/v1/events?kind=Upstreams')
  equal(status, 400)
  match(JSON.stringify(body.errors), /did you mean `Upstream`\?/)
})

test('HEAD opens no stream', async () => {
  const { call } = await openTestAdmin()
  equal((await call('HEAD', '/api/v1/events')).status, 200)
  match((await call('GET', '/metrics')).text, /headgate_admin_event_readers 0\n/)
})

test('more streams than the limit are refused', async () => {
  const { app, token, call } = await openTestAdmin()
  const init = { headers: { authorization: `Bearer ${token}` } }
  const opened: Response[] = []
  for (let count = 0; count < adminLimits.eventReadersMax; count++) {
    opened.push(await app.request('/api/v1/events', init))
  }
  ok(opened.every(({ status }) => status === 200))
  const refused = await call('GET', '/api/v1/events')
  deepEqual([refused.status, refused.body.limit], [503, adminLimits.eventReadersMax])
  await opened[0]?.body?.cancel()
  const again = await app.request('/api/v1/events', init)
  equal(again.status, 200)
  for (const { body } of [...opened.slice(1), again]) await body?.cancel()
})
