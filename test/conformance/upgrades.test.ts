import { deepEqual, equal, ok as holds } from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { s } from '../../src/base/schema.ts'
import { definePolicy, proceed } from '../../src/proxy/policies/define-policy.ts'
import { eventually, turns } from '../support/eventually.ts'
import type { RawSocket } from '../support/raw-socket.ts'
import { always, ok, scriptedUpstream } from '../support/scripted-upstream.ts'
import {
  bookshop,
  type GatewayOptions,
  type TestGateway,
  testGateway,
} from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

const asked = (fields = '', upgrade = 'websocket') =>
  `GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n${fields}\r\n`
const switched = (fields = '') =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${fields}\r\n`

/** A client and the upstream's connection, before the upstream has answered. */
async function asking(
  t: TestContext,
  options: { request?: string; config?: (url: string) => string; more?: GatewayOptions } = {},
) {
  const upstream = await scriptedUpstream(t)
  const config = (options.config ?? bookshop)(upstream.url)
  const gateway = await testGateway(t, config, options.more)
  const client = await gateway.connect()
  client.send(options.request ?? asked())
  const server = await upstream.connection(0)
  const request = await server.request()
  return { gateway, client, server, request, upstream, config }
}

/** The same with an open tunnel between them. */
async function tunnelled(t: TestContext, options: Parameters<typeof asking>[1] = {}) {
  const world = await asking(t, options)
  world.server.send(switched())
  equal((await world.client.response()).status, 101)
  return world
}

const settledOne = async ({ settled }: TestGateway) => {
  await eventually(() => settled.length === 1, 'the exchange to be settled')
  return settled[0]
}

async function carries(from: RawSocket, to: RawSocket, text: string): Promise<void> {
  from.send(text)
  await to.until(() => to.pending.toString('latin1').endsWith(text), `${text} to arrive`)
}

test('an upgrade is asked for and answered hop by hop, and other fields of the hop end here', async (t) => {
  const request = asked('Sec-WebSocket-Key: abc\r\nKeep-Alive: 5\r\n').replace(
    'Connection: Upgrade',
    'Connection: keep-alive, Upgrade, X-Hop\r\nX-Hop: 1',
  )
  const world = await asking(t, { request })
  deepEqual(
    ['connection', 'upgrade', 'sec-websocket-key', 'x-hop', 'keep-alive'].map((name) =>
      world.request.field(name),
    ),
    ['upgrade', 'websocket', 'abc', undefined, undefined],
  )
  const { server, client } = world
  server.send(
    switched('Sec-WebSocket-Accept: def\r\nKeep-Alive: timeout=5\r\nContent-Length: 9\r\n'),
  )
  const answer = await client.response()
  equal(answer.status, 101)
  deepEqual(
    ['connection', 'upgrade', 'sec-websocket-accept', 'keep-alive', 'content-length'].map((name) =>
      answer.field(name),
    ),
    ['upgrade', 'websocket', 'def', undefined, undefined],
  )
})

test('bytes flow both ways as they come, also those behind the two heads', async (t) => {
  const { client, server, gateway } = await asking(t, { request: `${asked()}early` })
  server.send(`${switched()}hello`)
  await client.response()
  await client.until(() => client.pending.toString() === 'hello', 'what came behind the 101')
  await server.until(() => server.pending.toString() === 'early', 'what came behind the request')
  await carries(client, server, 'one\r\n\r\n')
  await carries(server, client, 'HTTP/1.1 500 Not A Response\r\n\r\n')
  equal(gateway.inFlight(), 1)
  client.end()
  server.end()
  const { status, reason, requestBytes, responseBytes } = (await settledOne(gateway)) ?? {}
  deepEqual([status, reason, requestBytes, responseBytes], [101, '', 12, 36])
})

test('each direction ends by itself', async (t) => {
  const { client, server, gateway } = await tunnelled(t)
  client.end()
  equal(await server.ended(), 'fin')
  await carries(server, client, 'more')
  equal(gateway.settled.length, 0)
  server.end()
  equal(await client.closed(), 'fin')
  equal((await settledOne(gateway))?.reason, '')
})

test('the upstream may end first and still be sent to', async (t) => {
  const { client, server, gateway } = await tunnelled(t)
  server.end()
  equal(await client.ended(), 'fin')
  await carries(client, server, 'more')
  client.end()
  await server.ended()
  equal((await settledOne(gateway))?.reason, '')
})

test('a client that breaks off breaks the upstream off, at once', async (t) => {
  const { client, server, gateway } = await tunnelled(t)
  client.reset()
  equal(await server.closed(), 'reset')
  equal((await settledOne(gateway))?.reason, 'client.aborted')
  // No time went by on the simulated clock: nothing waited for a sweep.
})

test('an upstream that breaks off breaks the client off, and is named', async (t) => {
  const { client, server, gateway } = await tunnelled(t)
  server.reset()
  equal(await client.closed(), 'reset')
  const settled = await settledOne(gateway)
  deepEqual([settled?.status, settled?.reason], [101, 'upstream.connection_lost'])
})

test('an answer that is no 101 is an ordinary response, and both connections go on', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok('no')))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  equal((await client.send(asked()).response()).text, 'no')
  equal((await client.send(asked()).response()).text, 'no')
  equal(upstream.connections.length, 1)
  deepEqual(
    gateway.settled.map(({ status }) => status),
    [200, 200],
  )
})

test('a 101 after other interim answers opens the tunnel', async (t) => {
  const { client, server } = await asking(t)
  server.send(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${switched()}`)
  equal((await client.response()).status, 103)
  equal((await client.response()).status, 101)
  await carries(client, server, 'ping')
})

for (const [what, request, answer] of [
  ['to a request that asked for nothing', 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n', switched()],
  ['to another protocol', asked(), switched().replace('websocket', 'other')],
  ['to another protocol besides', asked(), switched().replace('websocket', 'websocket, other')],
  ['without `Upgrade`', asked(), switched().replace(/Upgrade: .*\r\n/, '')],
  ['without `Connection: upgrade`', asked(), switched().replace('Connection: Upgrade\r\n', '')],
  ['of HTTP/1.0', asked(), switched().replace('HTTP/1.1', 'HTTP/1.0')],
] as const) {
  test(`a 101 ${what} is a malformed response`, async (t) => {
    const { client, server, gateway } = await asking(t, { request })
    server.send(`${answer}secret`)
    const refused = await client.response()
    deepEqual(
      [refused.status, refused.field('headgate-error')],
      [502, 'upstream.malformed_response'],
    )
    holds(refused.text.includes('wire.unexpected_upgrade'))
    await server.ended()
    equal(gateway.settled[0]?.reason, 'upstream.malformed_response')
  })
}

for (const [what, request] of [
  ['`Upgrade` that `Connection` does not name', asked().replace('Connection: Upgrade\r\n', '')],
  ['an upgrade of HTTP/1.0', asked().replace('HTTP/1.1', 'HTTP/1.0')],
  ['an upgrade with a body', asked('Content-Length: 2\r\n').concat('ab')],
  ['an upgrade to a protocol that the route does not list', asked('', 'h2c')],
] as const) {
  test(`${what} goes on as an ordinary request`, async (t) => {
    const world = await asking(t, { request })
    deepEqual(
      [world.request.field('connection'), world.request.field('upgrade')],
      [undefined, undefined],
    )
    world.server.send(ok('fine'))
    equal((await world.client.response()).text, 'fine')
  })
}

const withUpgrades = (list: string) => (url: string) =>
  bookshop(url).replace('to: books }', `to: books, upgrades: [${list}] }`)

test('a route lists its protocols; of several that a client asks for, these are passed on', async (t) => {
  const config = withUpgrades('Other/1.0, websocket'.toLowerCase())
  const world = await asking(t, { config, request: asked('', 'h2c, other/1.0, foo') })
  equal(world.request.field('upgrade'), 'other/1.0')
  world.server.send(switched().replace('websocket', 'Other/1.0'))
  equal((await world.client.response()).field('upgrade'), 'Other/1.0')
  await carries(world.client, world.server, 'ping')
})

test('an empty list allows no upgrade', async (t) => {
  const world = await asking(t, { config: withUpgrades('') })
  equal(world.request.field('upgrade'), undefined)
})

const seen = definePolicy<unknown>({
  name: 'seen',
  summary: 'Notes what it sees.',
  phase: 'access',
  config: s.strictObject({}),
  create: () => ({
    onRequest(exchange) {
      exchange.requestFields.set('x-seen', 'request')
      return proceed
    },
    onResponse(exchange, response) {
      exchange.responseFields.set('x-seen', String(response.status))
    },
  }),
})
const withPolicy = (url: string) =>
  bookshop(url).replace('to: books }', 'to: books, policies: [seen] }')

test('policies see the request and the 101', async (t) => {
  const world = await asking(t, { config: withPolicy, more: { policies: [seen] } })
  equal(world.request.field('x-seen'), 'request')
  world.server.send(switched())
  equal((await world.client.response()).field('x-seen'), '101')
})

test('a policy that fails on the 101 refuses it, and the upstream is let go', async (t) => {
  const failing = definePolicy<unknown>({
    ...seen,
    create: () => ({
      onResponse(_, response) {
        if (response.status === 101) throw new Error('no')
      },
    }),
  })
  const world = await asking(t, { config: withPolicy, more: { policies: [failing] } })
  world.server.send(`${switched()}secret`)
  const answer = await world.client.response()
  deepEqual([answer.status, answer.field('headgate-error')], [500, 'policy.failed'])
  await world.server.ended()
  deepEqual([...world.gateway.tunnels()], [])
  holds(!world.client.pending.includes('secret'))
})

test('a policy that refuses leaves the upstream unasked', async (t) => {
  const upstream = await scriptedUpstream(t)
  const config = bookshop(upstream.url).replace(
    'to: books }',
    'to: books, policies: [{ ip-filter: { deny: [127.0.0.1] } }] }',
  )
  const gateway = await testGateway(t, config)
  const client = await gateway.connect()
  equal((await client.send(asked()).response()).status, 403)
  equal(upstream.connections.length, 0)
})

const withTimeouts = (timeouts: string) => (url: string) =>
  bookshop(url, { version: `timeouts: { ${timeouts} }` })

test('a tunnel may be silent for `tunnelIdle`, other time limits do not apply', async (t) => {
  const config = withTimeouts('idle: 1s, firstByte: 1s, total: 2s, tunnelIdle: 10s')
  const { client, server, gateway } = await tunnelled(t, { config })
  for (const from of [client, server]) {
    gateway.clock.advance(9_900)
    await carries(from, from === client ? server : client, 'still here')
  }
  gateway.clock.advance(9_900)
  await turns()
  equal(gateway.settled.length, 0)
  gateway.clock.advance(300)
  await client.ended()
  await server.ended()
  deepEqual(
    gateway.settled.map(({ status, reason }) => [status, reason]),
    [[101, 'tunnel.idle_timeout']],
  )
})

test('a tunnel lives for `tunnelTotal`, however busy', async (t) => {
  const { client, server, gateway } = await tunnelled(t, {
    config: withTimeouts('tunnelTotal: 20s'),
  })
  for (const text of ['a', 'b', 'c']) {
    gateway.clock.advance(6_000)
    await carries(client, server, text)
  }
  gateway.clock.advance(2_300)
  await client.ended()
  await server.ended()
  equal(gateway.settled[0]?.reason, 'tunnel.total_timeout')
})

test('tunnels outlive reloads on the snapshot they began with, and are counted by it', async (t) => {
  const { client, server, gateway, config } = await tunnelled(t)
  const other = await scriptedUpstream(t)
  equal(gateway.counted('retries'), 0)
  deepEqual([...gateway.tunnels()], [[1, 1]])
  gateway.apply(bookshop(other.url))
  await carries(client, server, 'ping')
  const second = await gateway.connect()
  second.send(asked())
  const late = await other.connection(0)
  await late.request()
  late.send(switched())
  await second.response()
  deepEqual([...gateway.tunnels()].sort(), [
    [1, 1],
    [2, 1],
  ])
  gateway.apply(config)
  await carries(server, client, 'pong')
  client.end()
  server.end()
  await eventually(() => gateway.settled.length === 1, 'the first tunnel to be over')
  deepEqual([...gateway.tunnels()], [[2, 1]])
})

test('a drain waits for tunnels, and closes them at its end', async (t) => {
  const { client, server, gateway } = await tunnelled(t)
  const drained = gateway.plane.drain(5_000)
  const advance = async (ms: number) => {
    gateway.clock.advance(ms)
    await turns()
  }
  for (let step = 0; step < 40; step++) await advance(100)
  await carries(client, server, 'still here')
  equal(gateway.settled.length, 0)
  for (let step = 0; step < 12; step++) await advance(100)
  equal(await drained, 1)
  await client.ended()
  await server.ended()
  equal(gateway.settled[0]?.reason, 'gateway.draining')
})

test('a slow reader stops the sender, in both directions', async (t) => {
  const { client, server, gateway } = await tunnelled(t)
  const block = Buffer.alloc(1_048_576, 'x')
  const size = 64 * block.length
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    to.discard()
    to.receivedBytes = 0
    to.pause()
    let taken = 0
    const pump = async () => {
      for (; taken < size; taken += block.length) await from.sendAll(block)
    }
    const pumping = pump()
    let before = -1
    // Until nothing moves any more: the buffers of the kernel are full, and ours must not grow.
    while (before !== taken || taken === 0) {
      before = taken
      await turns(200)
    }
    holds(taken < size / 2, `${taken} bytes were taken from a sender nobody reads`)
    to.resume()
    await pumping
    await to.until(() => to.receivedBytes === size, 'everything to arrive')
  }
  client.end()
  server.end()
  const settled = await settledOne(gateway)
  deepEqual([settled?.requestBytes, settled?.responseBytes], [size, size])
})

test('a connection in a tunnel keeps its place among those of the version', async (t) => {
  const { gateway, upstream } = await tunnelled(t, {
    config: (url) => bookshop(url, { version: 'connectionsMax: 1, timeouts: { connect: 1s }' }),
  })
  const second = await gateway.connect()
  second.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n')
  await turns()
  equal(upstream.connections.length, 1)
  gateway.clock.advance(1_300)
  equal((await second.response()).status, 504)
})

test('request and 101 may be cut at any byte, with the first bytes of the tunnel behind them', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const request = `${asked()}from-client`
  const answer = `${switched()}from-server`
  const cuts = Math.max(request.length, answer.length)
  for (let cut = 1; cut < cuts; cut++) {
    const client = await gateway.connect()
    client.send(request.slice(0, cut))
    await turns(2)
    client.send(request.slice(cut))
    const server = await upstream.connection(cut - 1)
    await server.request()
    server.send(answer.slice(0, cut))
    await turns(2)
    server.send(answer.slice(cut))
    equal((await client.response()).status, 101)
    await client.until(() => client.pending.toString() === 'from-server', `cut ${cut}, client`)
    await server.until(() => server.pending.toString() === 'from-client', `cut ${cut}, upstream`)
    client.end()
    server.end()
    await client.closed()
  }
  await eventually(() => gateway.settled.length === cuts - 1, 'every tunnel to be settled')
  holds(gateway.settled.every(({ status, reason }) => status === 101 && reason === ''))
  deepEqual([...gateway.tunnels()], [])
})
