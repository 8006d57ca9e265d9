import { deepEqual, equal, ok as holds } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { eventually, turns, within } from '../support/eventually.ts'
import { bookshop, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'
import { closeCodeOf, messageOf, openWebSocket, webSocketUpstream } from '../support/web-socket.ts'

async function chat(t: TestContext, options?: { isEcho: boolean }) {
  const upstream = await webSocketUpstream(t, options)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await openWebSocket(t, `ws://127.0.0.1:${gateway.port}/chat`)
  return { upstream, gateway, client, server: await upstream.accepted() }
}

test('text, binary and large messages come back as they were sent', async (t) => {
  const { client } = await chat(t)
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 5 * 1_048_576]) {
    const bytes = Buffer.from(seededRandom(size).secretBytes(size))
    client.send(bytes)
    holds((await messageOf(client)).equals(bytes), `${size} bytes`)
  }
  client.send('grüße')
  equal((await messageOf(client)).toString(), 'grüße')
})

test('1,000 messages arrive whole and in order, in both directions at once', async (t) => {
  const { client } = await chat(t)
  const sent: string[] = []
  const received: string[] = []
  client.on('message', (bytes: Buffer) => {
    const body = bytes.subarray(32)
    const sum = createHash('sha256').update(body).digest()
    equal(Buffer.compare(sum, bytes.subarray(0, 32)), 0)
    received.push(sum.toString('hex'))
  })
  const random = seededRandom(7)
  for (let index = 0; index < 1_000; index++) {
    const body = Buffer.from(random.secretBytes(Math.floor(random.fraction() * 20_000)))
    const sum = createHash('sha256').update(body).digest()
    client.send(Buffer.concat([sum, body]))
    sent.push(sum.toString('hex'))
  }
  await eventually(() => received.length === 1_000, 'every message to come back')
  deepEqual(received, sent)
})

test('a reader that stops stops the writer, and nothing is lost', async (t) => {
  const { client, server } = await chat(t, { isEcho: false })
  client.pause()
  const message = Buffer.alloc(1_048_576, 'x')
  const count = 64
  for (let index = 0; index < count; index++) server.send(message)
  let before = -1
  while (before !== server.bufferedAmount) {
    before = server.bufferedAmount
    await turns(200)
  }
  holds(before > (count / 2) * message.length, `only ${before} bytes wait at the sender`)
  let received = 0
  client.on('message', (bytes: Buffer) => {
    received += bytes.length
  })
  client.resume()
  await eventually(() => received === count * message.length, 'every byte')
})

test('pings and pongs pass', async (t) => {
  const { client, server } = await chat(t)
  const pinged = once(server, 'ping')
  client.ping('are you there')
  equal(String((await within(pinged, () => 'a ping'))[0]), 'are you there')
  const [payload] = await within(once(client, 'pong'), () => 'a pong')
  equal(String(payload), 'are you there')
})

for (const [who, from, to] of [
  ['client', 'client', 'server'],
  ['upstream', 'server', 'client'],
] as const) {
  test(`the close code of the ${who} arrives, and the exchange has no reason`, async (t) => {
    const world = await chat(t)
    const codes = Promise.all([closeCodeOf(world[from]), closeCodeOf(world[to])])
    world[from].close(4_321, 'bye')
    deepEqual(await codes, [4_321, 4_321])
    const { settled } = world.gateway
    await eventually(() => settled.length === 1, 'the exchange to be settled')
    deepEqual([settled[0]?.status, settled[0]?.reason], [101, ''])
  })

  test(`the ${who} dies, and the other end hears of it within 100 ms`, async (t) => {
    const world = await chat(t)
    const clock = systemClock()
    const closed = closeCodeOf(world[to])
    const sinceMs = clock.now()
    world[from].terminate()
    equal(await closed, 1_006)
    const tookMs = clock.now() - sinceMs
    holds(tookMs < 100, `after ${tookMs} ms`)
    await eventually(() => world.gateway.settled.length === 1, 'the exchange to be settled')
  })
}

test('a WebSocket goes on over reloads, new ones take the new upstream', async (t) => {
  const { client, gateway } = await chat(t)
  const other = await webSocketUpstream(t)
  for (let index = 0; index < 20; index++) {
    gateway.apply(bookshop(other.url))
    client.send(`message ${index}`)
    equal((await messageOf(client)).toString(), `message ${index}`)
  }
  await openWebSocket(t, `ws://127.0.0.1:${gateway.port}/chat`)
  await other.accepted()
  deepEqual([...gateway.tunnels().values()], [1, 1])
})

test('a drain lets a WebSocket finish, and ends when it has', async (t) => {
  const { client, gateway } = await chat(t)
  const drained = gateway.plane.drain(60_000)
  for (let step = 0; step < 20; step++) {
    gateway.clock.advance(100)
    await turns()
  }
  client.send('still here')
  equal((await messageOf(client)).toString(), 'still here')
  client.close(1_000)
  await closeCodeOf(client)
  equal(await within(drained, () => 'the drain'), 0)
})
