import { deepEqual, equal, ok as holds, match } from 'node:assert/strict'
import { eventually, turns } from '../support/eventually.ts'
import { always, ok, scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

type Refused = readonly [what: string, bytes: string, status: number, code: string]

const host = 'Host: a.example\r\n'
const post = `POST / HTTP/1.1\r\n${host}`

const refused: readonly Refused[] = [
  [
    'Content-Length with Transfer-Encoding',
    `${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'wire.ambiguous_length',
  ],
  [
    'Transfer-Encoding with Content-Length',
    `${post}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
    400,
    'wire.ambiguous_length',
  ],
  [
    'Content-Length twice',
    `${post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`,
    400,
    'wire.bad_content_length',
  ],
  [
    'Content-Length as a list',
    `${post}Content-Length: 3, 3\r\n\r\nabc`,
    400,
    'wire.bad_content_length',
  ],
  [
    'a signed Content-Length',
    `${post}Content-Length: +3\r\n\r\nabc`,
    400,
    'wire.bad_content_length',
  ],
  [
    'a negative Content-Length',
    `${post}Content-Length: -1\r\n\r\n`,
    400,
    'wire.bad_content_length',
  ],
  [
    'a hexadecimal Content-Length',
    `${post}Content-Length: 0x3\r\n\r\nabc`,
    400,
    'wire.bad_content_length',
  ],
  ['an empty Content-Length', `${post}Content-Length:\r\n\r\n`, 400, 'wire.bad_content_length'],
  [
    'a Content-Length with a fraction',
    `${post}Content-Length: 3.0\r\n\r\nabc`,
    400,
    'wire.bad_content_length',
  ],
  [
    'a Content-Length of 16 digits',
    `${post}Content-Length: 9007199254740993\r\n\r\n`,
    400,
    'wire.bad_content_length',
  ],
  [
    'a space inside Content-Length',
    `${post}Content-Length: 1 0\r\n\r\n`,
    400,
    'wire.bad_content_length',
  ],
  [
    'gzip as transfer coding',
    `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    400,
    'wire.bad_transfer_encoding',
  ],
  [
    'chunked twice',
    `${post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
    400,
    'wire.bad_transfer_encoding',
  ],
  [
    'two Transfer-Encoding fields',
    `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n`,
    400,
    'wire.bad_transfer_encoding',
  ],
  [
    'identity as transfer coding',
    `${post}Transfer-Encoding: identity\r\n\r\n`,
    400,
    'wire.bad_transfer_encoding',
  ],
  [
    'an obfuscated transfer coding',
    `${post}Transfer-Encoding: xchunked\r\n\r\n`,
    400,
    'wire.bad_transfer_encoding',
  ],
  [
    'a quoted transfer coding',
    `${post}Transfer-Encoding: "chunked"\r\n\r\n`,
    400,
    'wire.bad_transfer_encoding',
  ],
  [
    'a vertical tab before the transfer coding',
    `${post}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`,
    400,
    'wire.bad_field',
  ],
  [
    'a space before the colon of Transfer-Encoding',
    `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    400,
    'wire.bad_field',
  ],
  [
    'chunked from HTTP/1.0',
    `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'wire.bad_transfer_encoding',
  ],
  ['a bare LF after the request line', `GET / HTTP/1.1\n${host}\r\n`, 400, 'wire.bad_line_ending'],
  ['a bare LF after a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 400, 'wire.bad_line_ending'],
  ['a bare LF as the empty line', `GET / HTTP/1.1\r\n${host}\n`, 400, 'wire.bad_line_ending'],
  ['a bare CR in a value', `GET / HTTP/1.1\r\n${host}X: a\rb\r\n\r\n`, 400, 'wire.bad_line_ending'],
  ['a folded field', `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`, 400, 'wire.folded_field'],
  ['NUL in a value', `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`, 400, 'wire.bad_field'],
  [
    'a line without a colon',
    `GET / HTTP/1.1\r\n${host}nonsense\r\n\r\n`,
    400,
    'wire.bad_line_ending',
  ],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'wire.bad_host'],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400, 'wire.bad_host'],
  ['two Host fields', `GET / HTTP/1.1\r\n${host}${host}\r\n`, 400, 'wire.bad_host'],
  ['a path in Host', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400, 'wire.bad_host'],
  ['a user in Host', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400, 'wire.bad_host'],
  ['a list in Host', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', 400, 'wire.bad_host'],
  ['a port that is none', 'GET / HTTP/1.1\r\nHost: a:b\r\n\r\n', 400, 'wire.bad_host'],
  [
    'an absolute target that names another host',
    `GET http://b.example/ HTTP/1.1\r\n${host}\r\n`,
    400,
    'wire.bad_host',
  ],
  [
    'an absolute target with a user',
    'GET http://u@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n',
    400,
    'wire.bad_target',
  ],
  [
    'an absolute target of another scheme',
    `GET ftp://a.example/ HTTP/1.1\r\n${host}\r\n`,
    400,
    'wire.bad_target',
  ],
  ['a target without slash', `GET a HTTP/1.1\r\n${host}\r\n`, 400, 'wire.bad_target'],
  [
    'the asterisk with another method than OPTIONS',
    `GET * HTTP/1.1\r\n${host}\r\n`,
    400,
    'wire.bad_target',
  ],
  ['CONNECT', `CONNECT a.example:443 HTTP/1.1\r\n${host}\r\n`, 405, 'wire.connect_refused'],
  ['HTTP/2 in the form of HTTP/1.1', 'GET / HTTP/2.0\r\n\r\n', 505, 'wire.unsupported_version'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'wire.bad_method'],
  ['no HTTP at all', '\0\0\0\0', 400, 'wire.bad_method'],
  [
    'a head of 33 KB',
    `GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(33_000)}\r\n\r\n`,
    431,
    'wire.head_too_large',
  ],
  [
    'a head that never ends',
    `GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(40_000)}`,
    431,
    'wire.head_too_large',
  ],
  [
    '101 fields',
    `GET / HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(100)}\r\n`,
    431,
    'wire.too_many_fields',
  ],
  [
    'a target of 9 KB',
    `GET /${'a'.repeat(9_000)} HTTP/1.1\r\n${host}\r\n`,
    414,
    'wire.target_too_long',
  ],
  ['a bad chunk size', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400, 'wire.bad_chunk'],
  [
    'chunk data that is too long',
    `${post}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`,
    400,
    'wire.bad_chunk',
  ],
  [
    'a bare LF behind a chunk size',
    `${post}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n`,
    400,
    'wire.bad_chunk',
  ],
  [
    'endless trailers',
    `${post}Transfer-Encoding: chunked\r\n\r\n0\r\n${'A: b\r\n'.repeat(2_000)}`,
    400,
    'wire.trailers_too_large',
  ],
  ['a dot segment', `GET /a/../b HTTP/1.1\r\n${host}\r\n`, 400, 'wire.path_ambiguous'],
  ['an encoded dot segment', `GET /a/%2e%2E/b HTTP/1.1\r\n${host}\r\n`, 400, 'wire.path_ambiguous'],
  ['an encoded NUL', `GET /a%00b HTTP/1.1\r\n${host}\r\n`, 400, 'wire.path_ambiguous'],
]

for (const [what, bytes, status, code] of refused) {
  test(`${what} is refused with ${status}, counted, and closed on`, async (t) => {
    const upstream = await scriptedUpstream(t, always(ok()))
    const gateway = await testGateway(t, bookshop(upstream.url))
    const client = await gateway.connect()
    // What would be a second request must not be served.
    client.send(`${bytes}GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n`)
    const response = await client.response()
    equal(response.status, status)
    equal(response.field('content-type'), 'application/problem+json')
    equal(response.field('connection'), 'close')
    equal(response.field('headgate-error'), code)
    match(response.field('date') ?? '', /GMT$/)
    const problem: unknown = JSON.parse(response.text)
    holds(
      typeof problem === 'object' && problem !== null && 'code' in problem && 'instance' in problem,
    )
    equal(problem.code, code)
    equal(response.field('x-request-id') ?? problem.instance, problem.instance)
    equal(await client.ended(), 'fin')
    equal(client.pending.length, 0, 'one answer only')
    equal(gateway.refused(code), 1)
    await turns()
    deepEqual(
      upstream.connections.filter(({ receivedBytes }) => receivedBytes > 0),
      [],
    )
  })
}

test('what stands at the limit passes', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, {
      gateway: '{ limits: { headBytes: 1KiB, fieldCount: 5, targetBytes: 100B } }',
    }),
  )
  const client = await gateway.connect()
  const head = (fill: string) => `GET / HTTP/1.1\r\n${host}X: ${fill}\r\n\r\n`
  const fill = 'a'.repeat(1_024 - head('').length)
  equal((await client.send(head(fill)).response()).status, 200)
  equal(
    (await client.send(`GET / HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(4)}\r\n`).response()).status,
    200,
  )
  equal(
    (await client.send(`GET /${'a'.repeat(99)} HTTP/1.1\r\n${host}\r\n`).response()).status,
    200,
  )
  equal((await client.send(head(`${fill}a`)).response()).status, 431)
  const second = await gateway.connect()
  equal(
    (await second.send(`GET / HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(5)}\r\n`).response()).status,
    431,
  )
  const third = await gateway.connect()
  equal(
    (await third.send(`GET /${'a'.repeat(100)} HTTP/1.1\r\n${host}\r\n`).response()).status,
    414,
  )
})

test('a head that does not arrive within its time is answered with 408', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { gateway: '{ clientTimeouts: { head: 5s } }' }),
  )
  const client = await gateway.connect()
  client.send('GET / HTTP/1.1\r\n')
  for (let second = 0; second < 4; second++) {
    await turns()
    gateway.clock.advance(1_000)
    // Trickling does not win time.
    client.send('X: y\r\n')
  }
  equal(client.receivedBytes, 0)
  await turns()
  gateway.clock.advance(1_200)
  const response = await client.response()
  equal(response.status, 408)
  equal(response.field('headgate-error'), 'wire.head_timeout')
  equal(gateway.refused('wire.head_timeout'), 1)
  equal(await client.ended(), 'fin')
})

test('a body that stops arriving is answered with 408 and the upstream is given up', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { gateway: '{ clientTimeouts: { body: 5s } }' }),
  )
  const client = await gateway.connect()
  client.send(`${post}Content-Length: 10\r\n\r\nabc`)
  const server = await upstream.connection(0)
  await server.until(() => server.pending.includes('abc'))
  gateway.clock.advance(4_000)
  client.send('d')
  await server.until(() => server.pending.includes('abcd'))
  gateway.clock.advance(4_000)
  equal(client.receivedBytes, 0)
  gateway.clock.advance(1_200)
  const response = await client.response()
  equal(response.status, 408)
  equal(response.field('headgate-error'), 'wire.body_timeout')
  equal(response.field('connection'), 'close')
  holds((await server.ended()) !== 'open')
  equal(gateway.refused('wire.body_timeout'), 1)
  deepEqual(
    gateway.settled.map(({ status, reason }) => [status, reason]),
    [[408, 'wire.body_timeout']],
  )
})

test('a connection without a request is closed after its time, without a word', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { gateway: '{ clientTimeouts: { idle: 5s } }' }),
  )
  const client = await gateway.connect()
  await client.send(`GET / HTTP/1.1\r\n${host}\r\n`).response()
  gateway.clock.advance(4_000)
  await client.send(`GET / HTTP/1.1\r\n${host}\r\n`).response()
  gateway.clock.advance(4_000)
  await turns()
  equal(client.ending, 'open')
  gateway.clock.advance(1_200)
  equal(await client.ended(), 'fin')
  equal(client.receivedBytes > 0 && client.pending.length, 0)
  // A client that does not close its side is not waited for.
  equal(gateway.openConnections(), 1)
  gateway.clock.advance(2_200)
  await eventually(() => gateway.openConnections() === 0, 'the connection to be dropped')
})

test('a bad chunk in the middle of a body is refused, and the upstream does not get a whole message', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`)
  const server = await upstream.connection(0)
  await server.until(() => server.pending.includes('abc'))
  client.send('zz\r\n')
  const response = await client.response()
  equal(response.status, 400)
  equal(response.field('headgate-error'), 'wire.bad_chunk')
  equal(await client.ended(), 'fin')
  await server.ended()
  equal(server.pending.includes('0\r\n\r\n'), false)
  equal(gateway.refused('wire.bad_chunk'), 1)
})

test('a bad chunk is not held against the endpoint, whose connection serves on', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  await client.send(`GET / HTTP/1.1\r\n${host}\r\n`).response()
  const bad = await gateway.connect()
  const response = await bad.send(`${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`).response()
  equal(response.status, 400)
  holds(!response.text.includes(upstream.url), 'the upstream has nothing to do with it')
  await client.send(`GET / HTTP/1.1\r\n${host}\r\n`).response()
  equal(upstream.connections.length, 1)
  equal(upstream.connections[0]?.ending, 'open')
})

test('a client beyond the limit of connections is closed at once and counted', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { gateway: '{ limits: { connections: 2 } }' }),
  )
  const clients = [await gateway.connect(), await gateway.connect()]
  for (const client of clients)
    equal((await client.send(`GET / HTTP/1.1\r\n${host}\r\n`).response()).status, 200)
  const third = await gateway.connect()
  equal(await third.ended(), 'fin')
  equal(gateway.counted('connectionsRefused'), 1)
  equal(gateway.openConnections(), 2)
})

test('after the last request that a connection may carry it is closed', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(
    t,
    bookshop(upstream.url, { gateway: '{ limits: { requestsPerConnection: 2 } }' }),
  )
  const client = await gateway.connect()
  const request = `GET / HTTP/1.1\r\n${host}\r\n`
  equal((await client.send(request).response()).field('connection'), undefined)
  equal((await client.send(request).response()).field('connection'), 'close')
  equal(await client.ended(), 'fin')
})

const limited = (url: string) => bookshop(url, { gateway: '{ limits: { bodyBytes: 10B } }' })

test('a declared body that is too large is refused before the upstream is asked', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(t, limited(upstream.url))
  const client = await gateway.connect()
  const response = await client.send(`${post}Content-Length: 11\r\n\r\n`).response()
  equal(response.status, 413)
  equal(response.field('headgate-error'), 'client.body_too_large')
  equal(JSON.parse(response.text).limitBytes, 10)
  equal(upstream.connections.length, 0)
  // The rest is small: it is read, and the connection serves on.
  client.send(`01234567890${post}Content-Length: 10\r\n\r\n0123456789`)
  equal((await client.response()).status, 200)
})

test('a chunked body that is too large is refused, also when all of it comes with its head', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(t, limited(upstream.url))
  const client = await gateway.connect()
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n`)
  equal((await client.response()).status, 413)
  equal(upstream.connections[0]?.receivedBytes ?? 0, 0)
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n`)
  equal((await client.response()).status, 200, 'at the limit it passes')
})

test('a chunked body that grows too large is refused in mid-stream', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, limited(upstream.url))
  const client = await gateway.connect()
  client.send(`${post}Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n`)
  const server = await upstream.connection(0)
  await server.until(() => server.pending.includes('01234'))
  client.send('6\r\n567890\r\n')
  const response = await client.response()
  equal(response.status, 413)
  await server.ended()
  deepEqual(
    gateway.settled.map(({ status, reason, requestBytes }) => [status, reason, requestBytes]),
    [[413, 'client.body_too_large', 11]],
  )
})

test('a client that sends Expect is not waited for after a refusal: its body may never come', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, limited(upstream.url))
  const client = await gateway.connect()
  const response = await client
    .send(`${post}Expect: 100-continue\r\nContent-Length: 11\r\n\r\n`)
    .response()
  equal(response.status, 413)
  equal(response.field('connection'), 'close')
  equal(await client.ended(), 'fin')
})

test('an unwanted body of any length is not read for ever', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, limited(upstream.url))
  const client = await gateway.connect()
  const response = await client
    .send(`${post}Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n`)
    .response()
  equal(response.status, 413)
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536), Buffer.from('\r\n')])
  for (let count = 0; count < 64 && gateway.openConnections() > 0; count++) {
    client.send(chunk)
    await turns(5)
  }
  equal(gateway.openConnections(), 0)
  holds(client.ending !== 'open')
})

test('a head sent byte by byte costs no more scans than it has lines', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  // A quadratic scan of this takes minutes.
  const head = `GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(30_000)}\r\n\r\n`
  for (let position = 0; position < head.length; position += 3) {
    client.send(head.slice(position, position + 3))
    if (position % 300 === 0) await turns(1)
  }
  equal((await client.response()).status, 200)
})
