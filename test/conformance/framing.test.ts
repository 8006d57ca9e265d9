import { deepEqual, equal, ok as holds, match, notEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { turns } from '../support/eventually.ts'
import type { HttpMessage } from '../support/http-message.ts'
import { always, ok, scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

const get = (path: string, fields = '') =>
  `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`

test('a response with a length passes on', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok('hello', 'X-Mixed-Case: Kept\r\n')))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  const response = await client.send(get('/a')).response()
  equal(response.startLine, 'HTTP/1.1 200 OK')
  equal(response.text, 'hello')
  holds(response.head.includes('\r\nX-Mixed-Case: Kept'))
  deepEqual(
    gateway.settled.map(({ path, status, responseBytes, version }) => ({
      path,
      status,
      responseBytes,
      version,
    })),
    [{ path: '/a', status: 200, responseBytes: 5, version: 'v1' }],
  )
})

test('a chunked response passes on byte for byte, extensions and trailers included', async (t) => {
  const body = '4;name=value\r\nWiki\r\n6\r\npedia!\r\n0\r\nX-Sum: 9\r\n\r\n'
  const upstream = await scriptedUpstream(
    t,
    always(
      Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${body}`),
    ),
  )
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send(get('/a'))
  await client.until(() => client.pending.includes(body), 'the body as it was')
  const response = await client.response()
  equal(response.text, 'Wikipedia!')
  equal(response.trailers, 'X-Sum: 9')
  // Data bytes are counted without their framing.
  equal(gateway.settled[0]?.responseBytes, 10)
  // The connection to the upstream carries on.
  equal((await client.send(get('/b')).response()).text, 'Wikipedia!')
  equal(upstream.connections.length, 1)
})

test('a chunked request passes on byte for byte, in whatever pieces it comes', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send('POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x="y"\r\nab')
  const server = await upstream.connection(0)
  await server.until(() => server.pending.includes('ab'), 'the first piece')
  client.send('c\r\n0\r\nX-T: 1\r\n\r\n')
  await server.until(() => server.pending.includes('3;x="y"\r\nabc\r\n0\r\nX-T: 1\r\n\r\n'))
  const request = await server.request()
  equal(request.text, 'abc')
  server.send(ok('done'))
  equal((await client.response()).text, 'done')
  equal(gateway.settled[0]?.requestBytes, 3)
})

test('a request with a length is streamed: its first part reaches the upstream before its last', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send('PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc')
  const server = await upstream.connection(0)
  await server.until(() => server.pending.includes('abc'), 'the first half')
  client.send('def')
  equal((await server.request()).text, 'abcdef')
  server.send(ok('stored'))
  equal((await client.response()).text, 'stored')
})

test('HEAD, 204 and 304 have no body, whatever their fields say', async (t) => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n',
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n',
  ]
  const upstream = await scriptedUpstream(t, async (connection) => {
    for (const answer of answers) {
      await connection.request()
      connection.send(answer)
    }
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  const head = await client.send('HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n').response('HEAD')
  equal(head.field('content-length'), '1000')
  equal((await client.send(get('/b')).response()).status, 204)
  const notModified = await client.send(get('/c')).response()
  equal(notModified.field('content-length'), '1000')
  equal(upstream.connections.length, 1, 'one upstream connection served all three')
})

test('framing fields that may not stand in a 204 are not passed on (RFC 9112 §6.1, RFC 9110 §8.6)', async (t) => {
  const answers = [
    'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX-Kept: 1\r\n\r\n',
    'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\nX-Kept: 1\r\n\r\n',
  ]
  const upstream = await scriptedUpstream(t, async (connection, index) => {
    await connection.request()
    connection.send(answers[index] ?? '').end()
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  for (const _ of answers) {
    const response = await client.send(get('/a')).response()
    equal(response.field('content-length'), undefined)
    equal(response.field('transfer-encoding'), undefined)
    equal(response.field('x-kept'), '1')
    await upstream.connections.at(-1)?.closed()
  }
})

test('a response that ends with its connection ends the client’s, with `connection: close`', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.request()
    connection.send('HTTP/1.1 200 OK\r\n\r\nuntil ')
    await turns()
    connection.send('the end').end()
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  const response = await client.send(get('/a')).response()
  equal(response.text, 'until the end')
  equal(response.field('connection'), 'close')
  equal(await client.ended(), 'fin')
  equal(gateway.settled[0]?.responseBytes, 13)
})

test('an HTTP/1.0 client is closed on by default and kept when it asks to be', async (t) => {
  const upstream = await scriptedUpstream(t, always(ok('x')))
  const gateway = await testGateway(t, bookshop(upstream.url))
  const keeper = await gateway.connect()
  for (const path of ['/a', '/b']) {
    const response = await keeper
      .send(`GET ${path} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n`)
      .response()
    equal(response.field('connection'), 'keep-alive')
    equal(response.startLine, 'HTTP/1.1 200 OK')
  }
  const closer = await gateway.connect()
  const response = await closer.send('GET /c HTTP/1.0\r\n\r\n').response()
  equal(response.field('connection'), 'close')
  equal(await closer.ended(), 'fin')
})

test('a chunked response is decoded for an HTTP/1.0 client, which knows no chunks', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.request()
    connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n4\r\nWi')
    await turns()
    connection.send('ki\r\n5;x=y\r\npedia\r\n0\r\nX-T: 1\r\n\r\n')
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  const response = await client.send('GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n').response()
  equal(response.field('transfer-encoding'), undefined)
  equal(response.field('x-a'), 'b')
  equal(response.field('connection'), 'close')
  equal(response.text, 'Wikipedia')
})

test('a HEAD of HTTP/1.0 does not see a transfer coding either (RFC 9112 §6.1)', async (t) => {
  const upstream = await scriptedUpstream(
    t,
    always('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
  )
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  const response = await client.send('HEAD /a HTTP/1.0\r\n\r\n').response('HEAD')
  equal(response.field('transfer-encoding'), undefined)
})

test('100-continue goes end to end: the body is sent when the upstream asks for it', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send('POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
  const server = await upstream.connection(0)
  await server.until(() => server.pending.includes('\r\n\r\n'), 'the head')
  match(server.pending.toString(), /expect: 100-continue/i)
  server.send('HTTP/1.1 100 Continue\r\n\r\n')
  equal((await client.response()).status, 100)
  client.send('abc')
  equal((await server.request()).text, 'abc')
  server.send(ok('thanks'))
  equal((await client.response()).text, 'thanks')
  // The connections are as good as before.
  client.send(get('/b'))
  equal((await server.request()).startLine, 'GET /b HTTP/1.1')
  server.send(ok('again'))
  equal((await client.response()).text, 'again')
})

test('early hints pass on with their fields; an HTTP/1.0 client gets the final response only', async (t) => {
  const upstream = await scriptedUpstream(
    t,
    always(
      Buffer.concat([
        Buffer.from(
          'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 5\r\nConnection: x\r\nX: 1\r\n\r\n',
        ),
        ok('page'),
      ]),
    ),
  )
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  const hints = await client.send(get('/a')).response()
  equal(hints.status, 103)
  equal(hints.field('link'), '</a.css>')
  equal(hints.field('connection'), undefined)
  equal(hints.field('x'), undefined, 'what Connection names ends here')
  equal(hints.field('content-length'), undefined, 'a 1xx has no length (RFC 9110 §8.6)')
  equal((await client.response()).text, 'page')
  const old = await gateway.connect()
  equal((await old.send('GET /a HTTP/1.0\r\n\r\n').response()).text, 'page')
})

test('an answer that comes before the end of the request reaches the client', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.until(() => connection.pending.includes('abc'), 'the first part')
    connection.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nnope')
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc')
  const response = await client.response()
  equal(response.status, 413)
  equal(response.text, 'nope')
  equal(
    response.field('connection'),
    'close',
    'the rest of the request cannot be told from the next one',
  )
  equal(await client.ended(), 'fin')
  notEqual(await upstream.connections[0]?.ended(), 'open', 'it is given up')
  equal(gateway.settled.length, 1)
})

test('a response may stream while its request still does', async (t) => {
  const upstream = await scriptedUpstream(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab')
  const server = await upstream.connection(0)
  await server.until(() => server.pending.includes('ab'))
  server.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nAB')
  await client.until(() => client.pending.includes('AB'), 'the first half of the answer')
  client.send('cd')
  equal((await server.request()).text, 'abcd')
  server.send('CD')
  equal((await client.response()).text, 'ABCD')
  equal(((await client.send(get('/b'))) && (await server.request())).startLine, 'GET /b HTTP/1.1')
  server.send(ok('next'))
  equal((await client.response()).text, 'next')
  equal(upstream.connections.length, 1)
})

test('pipelined requests in one packet are answered in order, each once', async (t) => {
  const seen: string[] = []
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      const request = await connection.request()
      const name = request.startLine.split(' ')[1] ?? ''
      seen.push(`${name} ${request.text}`)
      connection.send(ok(`answer to ${name}`))
    }
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send(
    `${get('/1')}POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc${get('/3')}` +
      `POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n${get('/5')}`,
  )
  const answers: HttpMessage[] = []
  for (let count = 0; count < 5; count++) answers.push(await client.response())
  deepEqual(
    answers.map((answer) => answer.text),
    ['/1', '/2', '/3', '/4', '/5'].map((name) => `answer to ${name}`),
  )
  deepEqual(seen, ['/1 ', '/2 abc', '/3 ', '/4 de', '/5 '])
})

test('a thousand pipelined requests do not grow the stack', async (t) => {
  const gateway = await testGateway(
    t,
    `version: 1
routes:
  - { name: ping, match: { path: /ping }, respond: { status: 200, body: pong } }
`,
  )
  const client = await gateway.connect()
  client.send('GET /ping HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1_000))
  for (let count = 0; count < 1_000; count++) equal((await client.response()).text, 'pong')
  equal(gateway.settled.length, 1_000)
})

test('an own answer to a request with a body keeps the connection once the body has arrived', async (t) => {
  const gateway = await testGateway(
    t,
    `version: 1
routes:
  - { name: ping, match: { path: /ping }, respond: { status: 200, body: pong } }
`,
  )
  const client = await gateway.connect()
  client.send(
    'POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /ping HTTP/1.1\r\nHost: a\r\n\r\n',
  )
  equal((await client.response()).text, 'pong')
  equal((await client.response()).text, 'pong')
})

const requestBytes = Buffer.from(
  'POST /a?b=c HTTP/1.1\r\nHost: a.example\r\nX-One: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;e=f\r\nde\r\n0\r\nX-T: t\r\n\r\n',
)

test('a request means the same at every position where it can be split', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      const request = await connection.request()
      connection.send(
        ok(`${request.startLine} ${request.field('x-one')} ${request.text} ${request.trailers}`),
      )
    }
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  for (let cut = 1; cut < requestBytes.length; cut++) {
    client.send(requestBytes.subarray(0, cut))
    await turns(2)
    client.send(requestBytes.subarray(cut))
    equal((await client.response()).text, 'POST /a?b=c HTTP/1.1 1 abcde X-T: t', `cut at ${cut}`)
  }
  // One byte at a time.
  for (const byte of requestBytes) {
    client.send(Buffer.from([byte]))
    await turns(1)
  }
  equal((await client.response()).text, 'POST /a?b=c HTTP/1.1 1 abcde X-T: t')
})

const responseBytes = Buffer.from(
  'HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\nX-One: 1\r\n\r\n3\r\nabc\r\n2;e=f\r\nde\r\n0\r\nX-T: t\r\n\r\n',
)

test('a response means the same at every position where it can be split', async (t) => {
  let cut = 1
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      await connection.request()
      connection.send(responseBytes.subarray(0, cut))
      await turns(2)
      connection.send(responseBytes.subarray(cut))
    }
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  for (cut = 1; cut < responseBytes.length; cut++) {
    client.send(get('/a'))
    equal((await client.response()).status, 103, `cut at ${cut}`)
    const response = await client.response()
    deepEqual(
      [response.startLine, response.text, response.trailers],
      ['HTTP/1.1 201 Made', 'abcde', 'X-T: t'],
    )
  }
  equal(upstream.connections.length, 1)
})

test('any sequence of requests arrives as it was sent, however it is cut into packets', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      const request = await connection.request()
      connection.send(ok(`${request.startLine}|${request.text}`))
    }
  })
  const gateway = await testGateway(t, bookshop(upstream.url))
  const one = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PURGE'),
    path: fc.stringMatching(/^\/[a-z0-9]{0,8}$/),
    body: fc.option(fc.array(fc.stringMatching(/^[a-z\r\n:0]{1,20}$/), { maxLength: 3 }), {
      nil: undefined,
    }),
    isChunked: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(one, { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(400), { maxLength: 4 }),
      async (requests, cuts) => {
        const client = await gateway.connect()
        const expected: string[] = []
        let text = ''
        for (const { method, path, body, isChunked } of requests) {
          const whole = (body ?? []).join('')
          expected.push(`${method} ${path} HTTP/1.1|${whole}`)
          text += `${method} ${path} HTTP/1.1\r\nHost: a\r\n`
          if (body === undefined) text += '\r\n'
          else if (isChunked)
            text += `Transfer-Encoding: chunked\r\n\r\n${body.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
          else text += `Content-Length: ${whole.length}\r\n\r\n${whole}`
        }
        const edges = [
          0,
          ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b),
          text.length,
        ]
        for (let index = 1; index < edges.length; index++) {
          client.send(text.slice(edges[index - 1], edges[index]))
          await turns(2)
        }
        for (const each of expected) equal((await client.response()).text, each)
        client.destroy()
      },
    ),
    { numRuns: 60, seed: 7 },
  )
})
