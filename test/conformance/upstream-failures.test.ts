import { deepEqual, equal, ok as holds, match } from 'node:assert/strict'
import { test as plainTest } from 'node:test'
import { chooseTransport } from '../../src/wire/tcp/open-stream.ts'
import { eventually, turns } from '../support/eventually.ts'
import type { HttpMessage } from '../support/http-message.ts'
import type { RawSocket } from '../support/raw-socket.ts'
import { always, closedPort, ok, scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

const get = 'GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n'
const post = 'POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc'

function endpoints(urls: readonly string[], more = ''): string {
  return `version: 1
upstreams:
  - name: books
    versions:
      blue: { balance: RoundRobin, endpoints: [${urls.map((url) => `{ url: "${url}" }`).join(', ')}]${more} }
    live: blue
routes:
  - { name: books, match: { path: "/**" }, to: books }
`
}

function problemOf(response: HttpMessage): Record<string, unknown> {
  const problem: unknown = JSON.parse(response.text)
  holds(typeof problem === 'object' && problem !== null)
  return { ...problem }
}

function expectCode(response: HttpMessage, status: number, code: string): void {
  deepEqual([response.status, response.field('headgate-error')], [status, code])
  equal(problemOf(response).code, code)
}

test('an endpoint that refuses connections is passed over for the next one', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok('from the second')))
  const dead = await closedPort()
  const gateway = await testGateway(t, endpoints([`http://127.0.0.1:${dead}`, upstream.url]))
  const client = await gateway.connect()
  for (let count = 0; count < 4; count++) {
    // With a body too: nothing of it was sent to the first.
    equal((await client.send(count % 2 === 0 ? get : post).response()).text, 'from the second')
  }
  equal(gateway.counted('retries'), 2)
  holds(gateway.settled.some(({ attempts }) => attempts === 2))
})

test('when every endpoint refuses, the answer names the version and each endpoint that was tried', async (t) => {
  const urls = [`http://127.0.0.1:${await closedPort()}`, `http://127.0.0.1:${await closedPort()}`]
  const gateway = await testGateway(t, endpoints(urls))
  const client = await gateway.connect()
  const response = await client.send(get).response()
  expectCode(response, 502, 'upstream.connect_failed')
  const problem = problemOf(response)
  equal(problem.upstream, 'books')
  equal(problem.version, 'blue')
  holds(Array.isArray(problem.endpoints))
  deepEqual(new Set(problem.endpoints.map(({ url }) => url)), new Set(urls))
  for (const { outcome } of problem.endpoints) match(outcome, /ECONNREFUSED/)
  // The connection of the client is as good as before.
  equal((await client.send(post).response()).status, 502)
  deepEqual(
    gateway.settled.map(({ status, reason, attempts, isAnsweredByGateway }) => [
      status,
      reason,
      attempts,
      isAnsweredByGateway,
    ]),
    [
      [502, 'upstream.connect_failed', 2, true],
      [502, 'upstream.connect_failed', 2, true],
    ],
  )
})

test('no more than three endpoints are tried', async (t) => {
  const ports = await Promise.all(Array.from({ length: 5 }, closedPort))
  const gateway = await testGateway(t, endpoints(ports.map((port) => `http://127.0.0.1:${port}`)))
  const client = await gateway.connect()
  equal((await client.send(get).response()).status, 502)
  equal(gateway.settled[0]?.attempts, 3)
})

test('a queue for a connection that lasts too long is a connect timeout', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, {
      version: 'connectionsMax: 1, timeouts: { connect: 2s, firstByte: 60s }',
    }),
  )
  const first = await gateway.connect()
  first.send(get)
  const server = await upstream.connection(0)
  await server.request()
  const second = await gateway.connect()
  second.send(get)
  await eventually(() => gateway.inFlight() === 2, 'two exchanges')
  gateway.clock.advance(2_200)
  expectCode(await second.response(), 504, 'upstream.connect_timeout')
  server.send(ok('first'))
  equal((await first.response()).text, 'first')
  equal(upstream.connections.length, 1)
})

test('at the limit of connections requests wait their turn and reuse what comes back', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      await connection.request()
      await turns(3)
      connection.send(ok())
    }
  })
  const gateway = await testGateway(t, bookshop(upstream.url, { version: 'connectionsMax: 2' }))
  const clients = await Promise.all(Array.from({ length: 10 }, () => gateway.connect()))
  for (const client of clients) client.send(get)
  for (const client of clients) equal((await client.response()).status, 200)
  equal(upstream.connections.length, 2)
  equal(gateway.counted('upstreamConnectionsOpened'), 2)
  equal(gateway.counted('upstreamConnectionsReused'), 8)
})

test('an upstream that does not answer in time is given up with 504', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { version: 'timeouts: { firstByte: 3s }' }),
  )
  const client = await gateway.connect()
  client.send(get)
  const server = await upstream.connection(0)
  await server.request()
  gateway.clock.advance(2_900)
  await turns()
  equal(client.receivedBytes, 0)
  gateway.clock.advance(300)
  const response = await client.response()
  expectCode(response, 504, 'upstream.first_byte_timeout')
  match(String(problemOf(response).detail), /books v1/)
  holds((await server.ended()) !== 'open')
  equal(upstream.connections.length, 1, 'what may have been acted upon is not sent again')
})

test('a slow upload does not count as the upstream being slow', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { version: 'timeouts: { firstByte: 3s }' }),
  )
  const client = await gateway.connect()
  client.send('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n')
  const server = await upstream.connection(0)
  for (const byte of 'abcdef') {
    gateway.clock.advance(2_000)
    client.send(byte)
    await server.until(() => server.pending.includes(byte))
  }
  equal((await server.request()).text, 'abcdef')
  gateway.clock.advance(2_000)
  server.send(ok('patient'))
  equal((await client.response()).text, 'patient')
})

const framings = [
  ['with a length', 'Content-Length: 100\r\n', 'abc'],
  ['with chunks', 'Transfer-Encoding: chunked\r\n', '64\r\nabc'],
  ['until close', '', 'abc'],
] as const

for (const [what, fields, body] of framings) {
  test(`an upstream that stalls in a body ${what} is cut off so that the client notices`, async (t) => {
    const upstream = await scriptedUpstream(t)
    const gateway = await testGateway(
      t,
      bookshop(upstream.url, { version: 'timeouts: { idle: 3s }' }),
    )
    const client = await gateway.connect()
    client.send(get)
    const server = await upstream.connection(0)
    await server.request()
    server.send(`HTTP/1.1 200 OK\r\n${fields}\r\n${body}`)
    await client.until(() => client.pending.includes('abc'), 'the first part')
    gateway.clock.advance(2_000)
    await turns()
    equal(client.ending, 'open')
    gateway.clock.advance(1_300)
    const ending = await client.ended()
    // A body with a length or chunks shows itself that it is not whole.
    equal(ending, what === 'until close' ? 'reset' : 'fin')
    holds((await server.ended()) !== 'open')
    deepEqual(
      gateway.settled.map(({ status, reason, responseBytes }) => [status, reason, responseBytes]),
      [[200, 'upstream.idle_timeout', 3]],
    )
  })

  test(`an upstream that resets in a body ${what} is cut off so that the client notices`, async (t) => {
    const upstream = await scriptedUpstream(t)
    const gateway = await testGateway(t, bookshop(upstream.url))
    const client = await gateway.connect()
    client.send(get)
    const server = await upstream.connection(0)
    await server.request()
    server.send(`HTTP/1.1 200 OK\r\n${fields}\r\n${body}`)
    await client.until(() => client.pending.includes('abc'), 'the first part')
    server.reset()
    equal(await client.ended(), what === 'until close' ? 'reset' : 'fin')
    deepEqual(
      gateway.settled.map(({ reason }) => reason),
      ['upstream.connection_lost'],
    )
  })
}

test('an HTTP/1.0 client, which gets chunks decoded, notices a cut too', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send('GET /a HTTP/1.0\r\n\r\n')
  const server = await upstream.connection(0)
  await server.request()
  server.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc')
  await client.until(() => client.pending.includes('abc'), 'the first part')
  server.end()
  equal(await client.ended(), 'reset')
})

test('a broken chunk in a response is cut off, not passed on as an end', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send(get)
  const server = await upstream.connection(0)
  await server.request()
  server.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  await client.until(() => client.pending.includes('abc'), 'the first part')
  server.send('nonsense\r\n0\r\n\r\n')
  await client.ended()
  equal(client.pending.includes('nonsense'), false)
  deepEqual(
    gateway.settled.map(({ reason }) => reason),
    ['upstream.malformed_response'],
  )
})

test('the total time of an exchange is bounded, before and in the middle of the response', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { version: 'timeouts: { total: 5s, idle: 3s }' }),
  )
  const waiting = await gateway.connect()
  waiting.send(get)
  const streaming = await gateway.connect()
  const first = await upstream.connection(0)
  await first.request()
  streaming.send(get)
  const second = await upstream.connection(1)
  await second.request()
  second.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (let round = 0; round < 3; round++) {
    const seen = streaming.receivedBytes
    second.send('1\r\na\r\n')
    await streaming.until(() => streaming.receivedBytes > seen)
    gateway.clock.advance(1_800)
  }
  expectCode(await waiting.response(), 504, 'upstream.total_timeout')
  await streaming.ended()
  deepEqual(
    gateway.settled.map(({ reason }) => reason),
    ['upstream.total_timeout', 'upstream.total_timeout'],
  )
  holds((await first.ended()) !== 'open')
  holds((await second.ended()) !== 'open')
})

const firstRequests = [
  ['a reset', (server: RawSocket) => server.reset()],
  ['an orderly end', (server: RawSocket) => void server.end()],
] as const

for (const [what, fail] of firstRequests) {
  test(`${what} before any byte of the answer on a new connection is 502, and not repeated`, async (t) => {
    const upstream = await scriptedUpstream(t)
    const gateway = await testGateway(t, bookshop(upstream.url))
    const client = await gateway.connect()
    client.send(get)
    const server = await upstream.connection(0)
    await server.request()
    fail(server)
    expectCode(await client.response(), 502, 'upstream.connection_lost')
    equal(upstream.connections.length, 1)
  })

  test(`${what} on a connection that had been idle: a GET is repeated once, unseen`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection, index) => {
      await connection.request()
      connection.send(ok(`from ${index}`))
      await connection.request()
      if (index === 0) fail(connection)
      else connection.send(ok('second'))
    })
    const gateway = await testGateway(t, bookshop(upstream.url))
    const client = await gateway.connect()
    equal((await client.send(get).response()).text, 'from 0')
    equal((await client.send(get).response()).text, 'from 1')
    equal(gateway.settled[1]?.attempts, 2)
    equal(gateway.counted('retries'), 1)
  })

  test(`${what} on a connection that had been idle: a POST is not repeated`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      await connection.request()
      connection.send(ok())
      await connection.request()
      fail(connection)
    })
    const gateway = await testGateway(t, bookshop(upstream.url))
    const client = await gateway.connect()
    await client.send(get).response()
    expectCode(await client.send(post).response(), 502, 'upstream.connection_lost')
    equal(upstream.connections.length, 1)
  })
}

test('a GET is repeated once only: the second loss is told', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection, index) => {
    await connection.request()
    if (index === 0) {
      connection.send(ok())
      await connection.request()
    }
    connection.end()
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  await client.send(get).response()
  expectCode(await client.send(get).response(), 502, 'upstream.connection_lost')
  equal(upstream.connections.length, 2)
})

test('a part of a response head is the beginning of an answer: nothing is repeated', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.request()
    connection.send(ok())
    await connection.request()
    connection.send('HTTP/1.1 200 O').end()
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  await client.send(get).response()
  expectCode(await client.send(get).response(), 502, 'upstream.connection_lost')
  equal(upstream.connections.length, 1)
})

const malformed: readonly (readonly [what: string, bytes: string])[] = [
  ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  [
    'both framings',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n'],
  ['a folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n'],
  [
    'a switch of protocols nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
  ],
  ['a flood of 1xx', 'HTTP/1.1 103 Hint\r\n\r\n'.repeat(17)],
  ['a head of 70 KB', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`],
  ['300 fields', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(300)}\r\n`],
  ['a bad first chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
]

for (const [what, bytes] of malformed) {
  test(`${what} in a response is 502 and the connection is not used again`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection, index) => {
      await connection.request()
      connection.send(index === 0 ? bytes : ok('fine'))
    })
    const gateway = await testGateway(t, bookshop(upstream.url))
    const client = await gateway.connect()
    client.send(get)
    let response = await client.response()
    while (response.status === 103) response = await client.response()
    expectCode(response, 502, 'upstream.malformed_response')
    equal((await client.send(get).response()).text, 'fine')
    equal(upstream.connections.length, 2)
  })
}

test('bytes behind a response end the connection and never become an answer', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection, index) => {
    await connection.request()
    connection.send(index === 0 ? Buffer.concat([ok('one'), ok('forged')]) : ok('two'))
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  equal((await client.send(get).response()).text, 'one')
  equal((await client.send(get).response()).text, 'two')
})

test('bytes on an idle connection end it', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok('answer')))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  equal((await client.send(get).response()).text, 'answer')
  upstream.connections[0]?.send('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
  await upstream.connections[0]?.ended()
  equal((await client.send(get).response()).text, 'answer')
  equal(upstream.connections.length, 2)
})

test('an upstream that closes an idle connection costs nothing but a new connection', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.request()
    connection.send(ok()).end()
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  for (let count = 1; count <= 3; count++) {
    equal((await client.send(post).response()).status, 200)
    await upstream.connections[count - 1]?.closed()
  }
  equal(gateway.counted('retries'), 0)
})

test('`Connection: close` of the upstream is kept to and not passed on', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok('x', 'Connection: close\r\n')))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  for (let count = 1; count <= 2; count++) {
    equal((await client.send(get).response()).field('connection'), undefined)
    equal(upstream.connections.length, count)
  }
})

test('an idle upstream connection is closed before the upstream would', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  await client.send(get).response()
  gateway.clock.advance(54_000)
  await turns()
  equal(upstream.connections[0]?.ending, 'open')
  gateway.clock.advance(1_200)
  holds((await upstream.connections[0]?.ended()) !== 'open')
})

const abortMoments = [
  'before the answer',
  'in the middle of the answer',
  'in the middle of the request',
] as const

for (const moment of abortMoments) {
  for (const how of ['reset', 'destroy'] as const) {
    test(`a client that goes away (${how}) ${moment} cancels the upstream request at once`, async (t) => {
      const upstream = await scriptedUpstream(t)
      const gateway = await testGateway(t, bookshop(upstream.url))
      const client = await gateway.connect()
      const isRequestWhole = moment !== 'in the middle of the request'
      client.send(isRequestWhole ? get : post.slice(0, -1))
      const server = await upstream.connection(0)
      await server.until(() => server.pending.includes(isRequestWhole ? '\r\n\r\n' : 'ab'))
      if (moment === 'in the middle of the answer') {
        server.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
        await client.until(() => client.pending.includes('abc'))
      }
      client[how]()
      holds((await server.ended()) !== 'open')
      await eventually(() => gateway.settled.length === 1, 'the exchange to be settled')
      const status = moment === 'in the middle of the answer' ? 200 : 499
      deepEqual(
        gateway.settled.map((each) => [each.status, each.reason]),
        [[status, 'client.aborted']],
      )
      equal(gateway.inFlight(), 0)
    })
  }
}

test('a client that goes away while it waits for a connection leaves the queue', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url, { version: 'connectionsMax: 1' }))
  const clients = [await gateway.connect(), await gateway.connect(), await gateway.connect()]
  for (const [index, client] of clients.entries()) {
    client.send(`GET /${index} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await eventually(() => gateway.inFlight() === index + 1, 'the exchange')
  }
  const server = await upstream.connection(0)
  await server.request()
  clients[1]?.destroy()
  await eventually(() => gateway.settled.length === 1, 'its exchange to be settled')
  server.send(ok())
  equal((await server.request()).startLine, 'GET /2 HTTP/1.1')
  server.send(ok('for the third'))
  equal((await clients[2]?.response())?.text, 'for the third')
})

// Node's own sockets throw away what has arrived when a write fails.
plainTest(
  'over handles an answer is read although the upstream has closed while we were still sending',
  async (t) => {
    await chooseTransport('handle')
    const upstream = await scriptedUpstream(t)
    const gateway = await testGateway(t, bookshop(upstream.url))
    const client = await gateway.connect()
    client.send('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\nabc')
    const server = await upstream.connection(0)
    await server.until(() => server.pending.includes('abc'))
    server.pause()
    client.send('left unread')
    await turns()
    // In one turn, in this order: the gateway has more to send, and then meets a connection that
    // was reset behind an answer.
    client.send('more')
    server.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nnope')
    server.destroy()
    const response = await client.response()
    equal(response.status, 413)
    equal(response.text, 'nope')
  },
)
