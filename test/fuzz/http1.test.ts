/** Nearly valid messages, made from fixed seeds, thrown at a gateway that must stay sound. */
import { deepEqual, equal, ok as holds } from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { type Random, seededRandom } from '../../src/base/random.ts'
import { eventually, turns } from '../support/eventually.ts'
import { mutate, pieces } from '../support/mutate.ts'
import type { RawSocket } from '../support/raw-socket.ts'
import { ok, scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, type TestGateway, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

const requests = [
  'GET /books?id=1 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nX-One: 1\r\n\r\n',
  'POST /books HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\n\r\nhello world',
  'PUT /books/1 HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: 1\r\n\r\n',
  'GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, x-y\r\nX-Y: 1\r\n\r\n',
  'GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /two HTTP/1.1\r\nHost: a\r\n\r\n',
] as const

function pick(random: Random): string {
  return requests[Math.floor(random.fraction() * requests.length)] ?? ''
}

/** Sends the text in pieces and waits a little: for an answer, an end, or nothing. */
async function provoke(gateway: TestGateway, text: string, random: Random): Promise<RawSocket> {
  const client = await gateway.connect()
  for (const piece of pieces(text, random)) {
    client.send(piece)
    await turns(2)
  }
  return client
}

async function endAll(gateway: TestGateway, clients: readonly RawSocket[]): Promise<void> {
  // Whatever was not answered runs into a time limit.
  for (let step = 0; step < 20 && gateway.openConnections() > 0; step++) {
    gateway.clock.advance(10_000)
    await turns(3)
  }
  await eventually(() => gateway.openConnections() === 0, 'every connection to end')
  for (const client of clients) client.destroy()
}

const rounds = 12
const perRound = 60

test('whatever is sent is answered or ended, and nothing is thrown', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      await connection.request()
      connection.send(ok())
    }
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const random = seededRandom(20_260_101)
  for (let round = 0; round < rounds; round++) {
    const clients: RawSocket[] = []
    for (let count = 0; count < perRound; count++)
      clients.push(await provoke(gateway, mutate(pick(random), random), random))
    await endAll(gateway, clients)
    for (const client of clients) {
      const text = client.pending.toString('latin1')
      holds(text === '' || text.startsWith('HTTP/1.1 '), JSON.stringify(text.slice(0, 100)))
    }
  }
  deepEqual(gateway.lines, [])
  equal(gateway.inFlight(), 0)
  // It serves as on the first day.
  const client = await gateway.connect()
  equal((await client.send(requests[0]).response()).text, 'ok')
})

type Seen = { readonly method: string; readonly path: string; readonly bodyBytes: number }
type Witness = { readonly url: string; readonly seen: Seen[]; readonly errors: string[] }

/** Node's own server: what it takes a message for, and what it refuses. */
async function witness(t: TestContext): Promise<Witness> {
  const seen: Seen[] = []
  const errors: string[] = []
  const server = createServer((request, response) => {
    let bodyBytes = 0
    request.on('data', (bytes: Buffer) => {
      bodyBytes += bytes.length
    })
    request.on('end', () => {
      const path = (request.url ?? '').split('?')[0] ?? ''
      seen.push({ method: request.method ?? '', path, bodyBytes })
      response.end('seen')
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    errors.push(error.code ?? error.message)
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  // The cast holds because the server listens on an address.
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, errors }
}

/** Node knows a list of methods, HTTP does not; a client that goes away is nobody's mistake. */
const tolerated = new Set(['HPE_INVALID_METHOD', 'ECONNRESET', 'HPE_INVALID_EOF_STATE'])

test('what is forwarded is the same messages to another parser: none more, none less, same bodies', async (t) => {
  const other = await witness(t)
  const gateway = await testGateway(t, bookshop(other.url))
  const random = seededRandom(20_260_102)
  let compared = 0
  for (let count = 0; count < rounds * perRound; count++) {
    const before = gateway.settled.length
    other.seen.length = 0
    const text = mutate(pick(random), random)
    const client = await provoke(gateway, text, random)
    await turns(12)
    client.destroy()
    await eventually(() => gateway.inFlight() === 0 && gateway.openConnections() === 0, 'the end')
    const forwarded = gateway.settled
      .slice(before)
      .filter(({ isAnsweredByGateway, status }) => !isAnsweredByGateway && status === 200)
      .map(({ path, requestBytes }) => ({ path, bodyBytes: requestBytes }))
    const seen = other.seen.map(({ path, bodyBytes }) => ({ path, bodyBytes }))
    // What the client gave up may have been seen or not; everything answered was seen, in order.
    deepEqual(seen.slice(0, forwarded.length), forwarded, JSON.stringify(text))
    holds(seen.length <= gateway.settled.length - before, JSON.stringify(text))
    compared += forwarded.length
  }
  holds(compared > 100, `${compared} messages came through`)
  deepEqual(
    other.errors.filter((code) => !tolerated.has(code)),
    [],
  )
})

const responses = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged',
  'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi',
] as const

test('whatever an upstream answers, the next request gets its own answer', async (t) => {
  const random = seededRandom(20_260_103)
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      const request = await connection.request()
      if (!request.startLine.startsWith('GET /fuzz ')) {
        connection.send(ok(request.startLine))
        continue
      }
      const base = responses[Math.floor(random.fraction() * responses.length)] ?? ''
      connection.send(mutate(base, random))
      if (random.fraction() < 0.3) connection.end()
    }
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const plain = await gateway.connect()
  for (let count = 0; count < 400; count++) {
    const client = await gateway.connect()
    client.send('GET /fuzz HTTP/1.1\r\nHost: a\r\n\r\n')
    await turns(6)
    // A response that never ends is given up.
    if (gateway.inFlight() > 0) gateway.clock.advance(61_000)
    client.destroy()
    await eventually(() => gateway.inFlight() === 0, 'the exchange to end')
    if (plain.ending === 'open' && count % 20 !== 0) gateway.clock.advance(10)
    const target = `/plain/${count}`
    const asker = await gateway.connect()
    const answer = await asker.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).response()
    equal(answer.text, `GET ${target} HTTP/1.1`)
    asker.destroy()
  }
  deepEqual(gateway.lines, [])
})
