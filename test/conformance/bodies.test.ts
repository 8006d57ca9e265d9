import { equal, ok as holds } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { eventually, turns } from '../support/eventually.ts'
import type { RawSocket } from '../support/raw-socket.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

const megabyte = 1_048_576
const bigBytes = 10 * megabyte

/** Bytes that show a loss, a doubling or a swap of any part. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let index = 0; index + 4 <= size; index += 4)
    bytes.writeUInt32LE((index * 2_654_435_761) >>> 0, index)
  return bytes
}

const big = pattern(bigBytes)
const bigHash = createHash('sha256').update(big).digest('hex')

/** An upstream made with Node's own server: answers with a hash of the body, or with the body itself. */
async function nodeUpstream(t: TestContext): Promise<string> {
  const server: Server = createServer((request, response) => {
    if (request.url === '/echo') {
      request.pipe(response)
      return
    }
    const hash = createHash('sha256')
    request.on('data', (bytes: Buffer) => hash.update(bytes))
    request.on('end', () => response.end(hash.digest('hex')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  // The cast holds because the server listens on an address.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

type Sent = { status: number; body: Buffer }

/** Sends with Node's own client, in pieces. */
function send(
  port: number,
  path: string,
  options: { body: Buffer; isChunked: boolean },
): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const { body, isChunked } = options
    const headers = isChunked ? {} : { 'content-length': String(body.length) }
    const request = httpRequest(
      { host: '127.0.0.1', port, path, method: 'POST', headers, agent: false },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (bytes: Buffer) => parts.push(bytes))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) }),
        )
        response.on('error', reject)
      },
    )
    request.on('error', reject)
    for (let start = 0; start < body.length; start += 100_003)
      request.write(body.subarray(start, start + 100_003))
    request.end()
  })
}

/** Waits until nothing more moves. */
async function settledCount(read: () => number): Promise<number> {
  let last = -1
  while (last !== read()) {
    last = read()
    await turns(300)
  }
  return last
}

for (const isChunked of [false, true]) {
  const how = isChunked ? 'in chunks' : 'with a length'

  test(`10 MB sent ${how} arrive unchanged`, async (t) => {
    const gateway = await testGateway(t, bookshop(await nodeUpstream(t)))
    const { status, body } = await send(gateway.port, '/hash', { body: big, isChunked })
    equal(status, 200)
    equal(body.toString(), bigHash)
    equal(gateway.settled[0]?.requestBytes, bigBytes)
  })

  test(`10 MB sent ${how} and sent back while they arrive come back unchanged`, async (t) => {
    const gateway = await testGateway(t, bookshop(await nodeUpstream(t)))
    const { status, body } = await send(gateway.port, '/echo', { body: big, isChunked })
    equal(status, 200)
    equal(createHash('sha256').update(body).digest('hex'), bigHash)
    equal(gateway.settled[0]?.responseBytes, bigBytes)
  })
}

test('64 exchanges with bodies at the same time do not mix', async (t) => {
  const gateway = await testGateway(t, bookshop(await nodeUpstream(t)))
  const answers = await Promise.all(
    Array.from({ length: 64 }, async (_, index) => {
      const body = pattern(50_000 + index)
      const answer = await send(gateway.port, '/echo', { body, isChunked: index % 2 === 0 })
      return answer.body.equals(body)
    }),
  )
  equal(answers.filter((isSame) => isSame).length, 64)
})

/** What may wait on the way: socket buffers of the kernel on both hops, and little of ours. */
const onTheWayMax = 24 * megabyte
const total = 64 * megabyte

test('a client that does not read stops the upstream, and reading starts it again', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.discard()
  client.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n').pause()
  const server = await upstream.connection(0)
  await server.request()
  server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
  const before = process.memoryUsage().arrayBuffers
  const written = writeAll(server, total)
  const stuckAt = await settledCount(
    () => server.socket.bytesWritten - server.socket.writableLength,
  )
  holds(stuckAt < onTheWayMax, `${stuckAt} bytes left the upstream`)
  holds(
    process.memoryUsage().arrayBuffers - before < 16 * megabyte,
    'the gateway keeps next to nothing',
  )
  client.resume()
  await written
  await client.until(() => client.receivedBytes > total, 'all of it')
  equal(gateway.settled[0]?.responseBytes, total)
  equal(gateway.settled[0]?.reason, '')
})

test('an upstream that does not read stops the client, and reading starts it again', async (t) => {
  const upstream = await scriptedUpstream(t, (connection) => {
    connection.discard()
    connection.pause()
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send(`POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`)
  const server = await upstream.connection(0)
  const written = writeAll(client, total)
  const stuckAt = await settledCount(
    () => client.socket.bytesWritten - client.socket.writableLength,
  )
  holds(stuckAt < onTheWayMax, `${stuckAt} bytes left the client`)
  server.resume()
  await written
  await server.until(() => server.receivedBytes > total, 'all of it')
  server.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  equal((await client.response()).text, 'ok')
  equal(gateway.settled[0]?.requestBytes, total)
})

test('an upstream that stops taking the request is given up in its time', async (t) => {
  const upstream = await scriptedUpstream(t, (connection) => void connection.pause())
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { version: 'timeouts: { firstByte: 5s }' }),
  )
  const client = await gateway.connect()
  client.send(`POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`)
  writeAll(client, total).catch(() => undefined)
  await settledCount(() => client.socket.bytesWritten - client.socket.writableLength)
  gateway.clock.advance(5_300)
  await client.until(() => client.receivedBytes > 0, 'an answer')
  holds(client.pending.toString().startsWith('HTTP/1.1 504 '))
})

test('a client that stops taking its response is given up in its time', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { gateway: '{ clientTimeouts: { body: 5s } }' }),
  )
  const client = await gateway.connect()
  client.send('GET /a HTTP/1.1\r\nHost: a\r\n\r\n').pause()
  const server = await upstream.connection(0)
  await server.request()
  server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
  writeAll(server, total).catch(() => undefined)
  await settledCount(() => server.socket.bytesWritten - server.socket.writableLength)
  gateway.clock.advance(4_000)
  equal(gateway.inFlight(), 1)
  gateway.clock.advance(1_300)
  await eventually(() => gateway.openConnections() === 0, 'the connection to be dropped')
  equal(gateway.settled[0]?.reason, 'client.aborted')
  holds((await server.ended()) !== 'open')
})

async function writeAll(to: RawSocket, size: number): Promise<void> {
  const piece = Buffer.alloc(megabyte, 'x')
  for (let sent = 0; sent < size; sent += piece.length) await to.sendAll(piece)
}
