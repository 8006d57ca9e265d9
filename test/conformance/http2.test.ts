import { deepEqual, equal, match, ok as holds } from 'node:assert/strict'
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { TestContext } from 'node:test'
import { http2Limits } from '../../src/wire/http2/limits.ts'
import { eventually } from '../support/eventually.ts'
import { always, ok, scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

type Answer = {
  status: number
  fields: Record<string, unknown>
  body: string
  trailers: Record<string, unknown>
  /** What the stream ended with; 0 when it was complete. */
  code: number
  isEnded: boolean
}

function session(t: TestContext, port: number): ClientHttp2Session {
  const client = connect(`http://127.0.0.1:${port}`)
  client.on('error', () => undefined)
  t.after(() => client.destroy())
  return client
}

const shop: OutgoingHttpHeaders = { ':authority': 'shop.example', ':path': '/a' }

function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const answer: Answer = { status: 0, fields: {}, body: '', trailers: {}, code: 0, isEnded: false }
  return new Promise((resolve) => {
    stream.on('response', (fields) => {
      answer.status = fields[':status'] ?? 0
      answer.fields = fields
    })
    stream.on('data', (bytes: Buffer) => {
      answer.body += bytes.toString('latin1')
    })
    stream.on('trailers', (fields) => {
      answer.trailers = fields
    })
    stream.on('end', () => {
      answer.isEnded = true
    })
    stream.on('error', () => undefined)
    stream.on('close', () => {
      answer.code = stream.rstCode ?? 0
      resolve(answer)
    })
  })
}

test('a client that speaks HTTP/2 at once is served (RFC 9113 §3.3)', async (t) => {
  const received: unknown[] = []
  const upstream = await scriptedUpstream(t, async (connection) => {
    const request = await connection.request()
    received.push(...['host', 'via', 'cookie'].map((name) => request.field(name)))
    connection.send(ok('hello', 'Connection: x-hop\r\nX-Hop: 1\r\nX-Kept: Yes\r\n'))
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = session(t, gateway.port)
  const answer = await answerOf(client.request({ ...shop, cookie: ['a=1', 'b=2'] }))
  equal(answer.status, 200)
  equal(answer.body, 'hello')
  deepEqual(received, [`127.0.0.1:${upstream.port}`, '2.0 headgate', 'a=1; b=2'])
  equal(answer.fields['x-kept'], 'Yes')
  equal(answer.fields['x-hop'], undefined)
  equal(answer.code, 0)
  equal(gateway.counted('http2SessionsOpened'), 1)
  equal(gateway.counted('http2StreamsOpened'), 1)
  equal(gateway.openConnections(), 1)
})

test('a body without length goes out chunked, with its trailers', async (t) => {
  let received = ''
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.until(() => connection.pending.includes('\r\n0\r\n'))
    await connection.until(() => connection.pending.includes('x-sum: 7\r\n\r\n'))
    received = connection.pending.toString('latin1')
    connection.send(ok('taken'))
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const stream = session(t, gateway.port).request(
    { ...shop, ':method': 'POST' },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }))
  const answering = answerOf(stream)
  stream.end('hello')
  equal((await answering).body, 'taken')
  match(received, /transfer-encoding: chunked\r\n/)
  match(received, /\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n$/)
  equal(gateway.settled[0]?.requestBytes, 5)
})

test('a chunked response is taken apart, and its trailers are trailers', async (t) => {
  const upstream = await scriptedUpstream(
    t,
    always(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nGrpc-Status: 0\r\nContent-Length: 9\r\n\r\n',
    ),
  )
  const gateway = await testGateway(t, bookshop(upstream.url))
  const answer = await answerOf(session(t, gateway.port).request(shop))
  equal(answer.body, 'abcde')
  equal(answer.fields['transfer-encoding'], undefined)
  equal(answer.trailers['grpc-status'], '0')
  equal(answer.trailers['content-length'], undefined)
})

test('a response that is cut off ends with RST_STREAM, never as if complete', async (t) => {
  for (const head of ['content-length: 100', 'transfer-encoding: chunked']) {
    const upstream = await scriptedUpstream(t, async (connection) => {
      await connection.request()
      connection.send(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\nhello\r\n`)
      await eventually(() => gateway.inFlight() === 1, 'the exchange')
      connection.reset()
    })
    const gateway = await testGateway(t, bookshop(upstream.url))
    const answer = await answerOf(session(t, gateway.port).request(shop))
    equal(answer.code === 0 && answer.isEnded, false, head)
  }
})

test('a client that takes back a stream cancels the upstream, and the others go on', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection, index) => {
    await connection.request()
    if (index > 0) connection.send(ok('second'))
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = session(t, gateway.port)
  const first = client.request(shop)
  const waiting = answerOf(first)
  const connection = await upstream.connection(0)
  first.close(constants.NGHTTP2_CANCEL)
  await waiting
  await connection.ended()
  equal((await answerOf(client.request(shop))).body, 'second')
  equal(gateway.settled[0]?.reason, 'client.aborted')
})

test('requests that break the rules of HTTP/1.1 are refused in HTTP/2 too', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok()))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = session(t, gateway.port)
  for (const [fields, code] of [
    [{ host: 'other.example' }, 'wire.bad_host'],
    [{ ':path': `/${'a'.repeat(9_000)}` }, 'wire.target_too_long'],
  ] as const) {
    const answer = await answerOf(client.request({ ...shop, ...fields }))
    equal(answer.fields['headgate-error'], code, JSON.stringify([fields, answer]).slice(0, 300))
  }
  equal(upstream.connections.length, 0)
})

test('streams that are opened and taken back in a rush end the connection', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = session(t, gateway.port)
  for (let index = 0; index < http2Limits.resetsPerPeriodMax + 50 && !client.destroyed; index++) {
    const stream = client.request(shop)
    stream.on('error', () => undefined)
    if (stream.pending) await Promise.race([once(stream, 'ready'), once(stream, 'close')])
    stream.close(constants.NGHTTP2_CANCEL)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => client.destroyed, 'the connection to be closed')
  equal(gateway.refused('wire.http2_reset_flood'), 1)
})

test('PING and SETTINGS floods end the connection and are counted', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')
  for (const [frame, count, code] of [
    ['\0\0\x08\x06\0\0\0\0\0abcdefgh', http2Limits.pingsPerPeriodMax, 'wire.http2_ping_flood'],
    ['\0\0\0\x04\0\0\0\0\0', http2Limits.settingsPerPeriodMax, 'wire.http2_settings_flood'],
  ] as const) {
    const client = await gateway.connect()
    client.send(preface)
    client.send(Buffer.from(frame.repeat(count + 10), 'latin1'))
    await eventually(() => gateway.refused(code) === 1, code)
    await client.ended()
  }
})

test('draining announces the end and lets streams finish (RFC 9113 §6.8)', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = session(t, gateway.port)
  const lastStreams: number[] = []
  client.on('goaway', (_code, last) => void lastStreams.push(last))
  const answering = answerOf(client.request(shop))
  const connection = await upstream.connection(0)
  await connection.request()
  const draining = gateway.plane.drain(10_000)
  await eventually(() => {
    gateway.clock.advance(100)
    return lastStreams.length === 2
  }, 'the notice and the last stream')
  connection.send(ok('in time'))
  equal((await answering).body, 'in time')
  equal(await draining, 0)
  // Node repeats the last one when it closes.
  deepEqual([...new Set(lastStreams)], [2 ** 31 - 1, 1])
  holds(client.closed)
})
