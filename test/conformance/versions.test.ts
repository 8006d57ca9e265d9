import { deepEqual, equal, ok as holds } from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { s } from '../../src/base/schema.ts'
import { definePolicy, proceed } from '../../src/proxy/policies/define-policy.ts'
import { eventually, turns } from '../support/eventually.ts'
import { always, closedPort, ok, scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, type TestGateway, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

const get = (fields = '') => `GET /a HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`

/** Two versions that answer with their name. */
async function twoVersions(t: TestContext): Promise<(more: string) => string> {
  const v1 = await scriptedUpstream(t, always(ok('v1')))
  const v2 = await scriptedUpstream(t, always(ok('v2')))
  return (more) => `version: 1
upstreams:
  - name: books
    versions: { v1: { url: "${v1.url}" }, v2: { url: "${v2.url}" } }
    live: v1
${more}
routes: [{ name: books, match: { path: "/**" }, to: books }]
`
}

async function count(gateway: TestGateway, fieldsOf: (index: number) => string): Promise<string[]> {
  const client = await gateway.connect()
  const answers: string[] = []
  for (let index = 0; index < 200; index++)
    answers.push((await client.send(get(fieldsOf(index))).response()).text)
  return answers
}

test('weights deal requests to versions', async (t) => {
  const config = await twoVersions(t)
  const gateway = await testGateway(t, config('    split: { weights: { v1: 80%, v2: 20% } }'))
  const answers = await count(gateway, () => '')
  const share = answers.filter((answer) => answer === 'v2').length
  holds(share > 20 && share < 60, `${share} of 200`)
  deepEqual(new Set(gateway.settled.map(({ version }) => version)), new Set(['v1', 'v2']))
})

test('a unit keeps its version, and others get theirs', async (t) => {
  const config = await twoVersions(t)
  const gateway = await testGateway(
    t,
    config('    split: { weights: { v1: 50%, v2: 50% }, sticky: { by: Header, name: X-User } }'),
  )
  for (let user = 0; user < 5; user++) {
    const answers = await count(gateway, () => `x-user: user-${user}\r\n`)
    equal(new Set(answers).size, 1)
  }
  equal(new Set(await count(gateway, (index) => `x-user: user-${index}\r\n`)).size, 2)
})

const forced = (addresses: string) =>
  `    forcedVersion: { header: x-version, addresses: [${addresses}] }`

test('a tester forces a version, and the field ends here', async (t) => {
  const config = await twoVersions(t)
  const seen: (string | undefined)[] = []
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      seen.push((await connection.request()).field('x-version'))
      connection.send(ok('v2'))
    }
  })
  const text = config(forced('127.0.0.0/8')).replace(
    /v2: \{ url: "[^"]*" \}/,
    `v2: { url: "${upstream.url}" }`,
  )
  const gateway = await testGateway(t, text)
  const client = await gateway.connect()
  equal((await client.send(get('X-Version: v2\r\n')).response()).text, 'v2')
  equal((await client.send(get()).response()).text, 'v1')
  deepEqual(seen, [undefined])
  const unknown = await client.send(get('X-Version: v9\r\n')).response()
  deepEqual([unknown.status, unknown.field('headgate-error')], [503, 'route.version_unknown'])
  holds(unknown.text.includes('v1, v2'))
})

test('anybody else forces nothing, and the field ends here all the same', async (t) => {
  const seen: (string | undefined)[] = []
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      seen.push((await connection.request()).field('x-version'))
      connection.send(ok('v1'))
    }
  })
  const config = await twoVersions(t)
  const text = config(forced('10.0.0.0/8')).replace(
    /v1: \{ url: "[^"]*" \}/,
    `v1: { url: "${upstream.url}" }`,
  )
  const gateway = await testGateway(t, text)
  const client = await gateway.connect()
  equal((await client.send(get('X-Version: v2\r\n')).response()).text, 'v1')
  deepEqual(seen, [undefined])
})

/** Tells when its instances come and go. */
function witness(events: string[], mark: string) {
  return definePolicy({
    name: 'witness',
    summary: 'Tells when it is made and closed.',
    phase: 'admit',
    config: s.strictObject({ mark: s.string() }),
    create: ({ mark: name }) => {
      events.push(`made ${name}`)
      return {
        onRequest: () => proceed,
        onResponse: (exchange) => exchange.responseFields.set('x-mark', `${mark}${name}`),
        close: () => void events.push(`closed ${name}`),
      }
    },
  })
}

const marked = (url: string, mark: string) => `version: 1
upstreams: [{ name: books, url: "${url}" }]
routes: [{ name: books, match: { path: "/**" }, to: books, policies: [{ witness: { mark: ${mark} } }] }]
`

test('an exchange ends on the snapshot it began with, whose policies close when the last one has ended', async (t) => {
  const events: string[] = []
  const policies = [witness(events, '')]
  const before = await scriptedUpstream(t)
  const after = await scriptedUpstream(t, always(ok('new')))
  const gateway = await testGateway(t, marked(before.url, 'old'), { policies })
  const streaming = await gateway.connect()
  streaming.send(get())
  const waiting = await gateway.connect()
  const servers = [await before.connection(0)]
  await servers[0]?.request()
  servers[0]?.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nold')
  await streaming.until(() => streaming.pending.includes('old'), 'the first half')
  waiting.send(get())
  servers.push(await before.connection(1))
  await servers[1]?.request()

  gateway.apply(marked(after.url, 'new'))
  deepEqual(events, ['made old', 'made new'])
  const fresh = await gateway.connect()
  const answer = await fresh.send(get()).response()
  deepEqual([answer.text, answer.field('x-mark')], ['new', 'new'])

  servers[0]?.send('old')
  const first = await streaming.response()
  deepEqual([first.text, first.field('x-mark')], ['oldold', 'old'])
  deepEqual(events, ['made old', 'made new'])
  servers[1]?.send(ok('late'))
  const second = await waiting.response()
  deepEqual([second.text, second.field('x-mark')], ['late', 'old'])
  deepEqual(events, ['made old', 'made new', 'closed old'])
  // The same client connection is on the new one from its next request on.
  equal((await streaming.send(get()).response()).text, 'new')
  // Connections to an endpoint that is gone do not stay.
  for (const server of servers) holds((await server.ended()) !== 'open')
})

test('a request that waits for a connection gets it although its endpoint has left the configuration', async (t) => {
  const old = await scriptedUpstream(t)
  const next = await scriptedUpstream(t, always(ok('new')))
  const limited = (url: string) => bookshop(url, { version: 'connectionsMax: 1' })
  const gateway = await testGateway(t, limited(old.url))
  const clients = [await gateway.connect(), await gateway.connect(), await gateway.connect()]
  for (const [index, client] of clients.entries()) {
    client.send(get())
    await eventually(() => gateway.inFlight() === index + 1, 'the exchange')
  }
  // Applied in the same turn as the request: its connection is still being made.
  gateway.apply(limited(next.url))
  const server = await old.connection(0)
  for (const client of clients) {
    await server.request()
    server.send(ok('old'))
    equal((await client.response()).text, 'old')
  }
  holds((await server.ended()) !== 'open')
  equal(old.connections.length, 1)
})

test('a request whose connection is being made survives a reload', async (t) => {
  const old = await scriptedUpstream(t, always(ok('old')))
  const next = await scriptedUpstream(t, always(ok('new')))
  const gateway = await testGateway(t, bookshop(old.url))
  for (let round = 0; round < 20; round++) {
    gateway.apply(bookshop(old.url))
    const client = await gateway.connect()
    client.send(get())
    await eventually(() => gateway.inFlight() === 1, 'the exchange')
    gateway.apply(bookshop(next.url))
    equal((await client.response()).text, 'old')
  }
})

test('a reload that leaves an endpoint as it was keeps its connections', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  for (let round = 0; round < 5; round++) {
    equal((await client.send(get()).response()).status, 200)
    gateway.apply(bookshop(upstream.url))
  }
  equal(upstream.connections.length, 1)
})

test('another limit on fields holds from the next request on, also on connections that stand', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  equal((await client.send(get('A: 1\r\nB: 2\r\nC: 3\r\n')).response()).status, 200)
  gateway.apply(bookshop(upstream.url, { gateway: '{ limits: { fieldCount: 3 } }' }))
  equal((await client.send(get('A: 1\r\nB: 2\r\n')).response()).status, 200)
  equal((await client.send(get('A: 1\r\nB: 2\r\nC: 3\r\n')).response()).status, 431)
})

test('an idle connection that turns out stale does not make its endpoint look slow', async (t) => {
  const flaky = await scriptedUpstream(t, async (connection) => {
    await connection.request()
    connection.send(ok('flaky'))
    await connection.request()
    connection.end()
  })
  const steady = await scriptedUpstream(t, always(ok('steady')))
  const urls = [flaky.url, steady.url]
  const gateway = await testGateway(
    t,
    `version: 1
upstreams: [{ name: books, versions: { v1: { balance: PeakEwma, endpoints: [${urls.map((url) => `{ url: "${url}" }`).join(', ')}] } }, live: v1 }]
routes: [{ name: books, match: { path: "/**" }, to: books }]
`,
  )
  const client = await gateway.connect()
  for (let round = 0; round < 60; round++) equal((await client.send(get()).response()).status, 200)
  const answers = gateway.settled.map(({ endpoint }) => endpoint)
  for (const url of urls)
    holds(answers.filter((each) => each === url).length > 5, `${url} is left out`)
})

test('a drain lets exchanges end and closes what is idle; nothing is cut off', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const idle = await gateway.connect()
  const waiting = await gateway.connect()
  const streaming = await gateway.connect()
  await eventually(() => gateway.openConnections() === 3, 'three connections')
  waiting.send(get())
  const first = await upstream.connection(0)
  await first.request()
  streaming.send(get())
  const second = await upstream.connection(1)
  await second.request()
  second.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc')
  await streaming.until(() => streaming.pending.includes('abc'))

  let cutOff = -1
  void gateway.plane.drain(10_000).then((result) => {
    cutOff = result
  })
  // The drain looks at its clock between turns of the event loop.
  for (let step = 0; step < 10; step++) {
    gateway.clock.advance(100)
    await turns()
  }
  equal(await idle.ended(), 'fin')
  idle.end()
  equal(cutOff, -1)
  first.send(ok('done'))
  const answer = await waiting.response()
  deepEqual([answer.text, answer.field('connection')], ['done', 'close'])
  equal(await waiting.ended(), 'fin')
  waiting.end()
  second.send('def')
  equal((await streaming.response()).text, 'abcdef')
  equal(await streaming.ended(), 'fin')
  streaming.end()
  await eventually(() => cutOff === 0, 'the drain to end')
  const late = gateway.connect()
  await late.then(
    (client) => client.closed(),
    () => undefined,
  )
})

test('a drain cuts off what has not ended in its time', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send(get())
  const server = await upstream.connection(0)
  await server.request()
  let cutOff = -1
  void gateway.plane.drain(2_000).then((result) => {
    cutOff = result
  })
  for (let step = 0; step < 30; step++) {
    gateway.clock.advance(100)
    await turns()
  }
  await eventually(() => cutOff === 1, 'the drain to end')
  await client.ended()
  holds((await server.ended()) !== 'open')
  equal(gateway.settled.length, 1)
})

test('an endpoint that comes back is used again without a restart', async (t) => {
  const port = await closedPort()
  const gateway = await testGateway(t, bookshop(`http://127.0.0.1:${port}`))
  const client = await gateway.connect()
  equal((await client.send(get()).response()).status, 502)
  const upstream = await scriptedUpstream(t, always(ok('back')), port)
  equal((await client.send(get()).response()).text, 'back')
  equal(upstream.connections.length, 1)
})
