import { deepEqual, equal, ok as holds, match, notEqual } from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { s } from '../../src/base/schema.ts'
import {
  definePolicy,
  type PolicyExchange,
  proceed,
  respond,
} from '../../src/proxy/policies/define-policy.ts'
import { eventually } from '../support/eventually.ts'
import type { HttpMessage } from '../support/http-message.ts'
import { ok, type ScriptedUpstream, scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

type Recorder = { upstream: ScriptedUpstream; requests: HttpMessage[]; answer: string | Buffer }

/** An upstream that keeps what it is asked. */
async function recorder(t: TestContext): Promise<Recorder> {
  const requests: HttpMessage[] = []
  const upstream = await scriptedUpstream(t, async (connection) => {
    while (true) {
      requests.push(await connection.request())
      connection.send(recorded.answer)
    }
  })
  const recorded: Recorder = { upstream, requests, answer: ok() }
  return recorded
}

const get = (fields = '') => `GET /a HTTP/1.1\r\nHost: shop.example:8080\r\n${fields}\r\n`

test('hop-by-hop fields and those that Connection names end here, in both directions', async (t) => {
  const { upstream, requests, ...recorded } = await recorder(t)
  const gateway = await testGateway(t, bookshop(upstream.url))
  const client = await gateway.connect()
  client.send(
    get(
      'Connection: keep-alive, X-Secret , upgrade\r\nConnection: x-other\r\nX-Secret: 1\r\nx-OTHER: 2\r\nX-Secret: 3\r\n' +
        'Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n' +
        'Proxy-Authorization: Basic x\r\nX-Kept: yes\r\nAuthorization: Bearer mine\r\n',
    ),
  )
  const response = await client.response()
  equal(response.status, 200)
  const [request] = requests
  for (const name of [
    'connection',
    'x-secret',
    'x-other',
    'keep-alive',
    'proxy-connection',
    'te',
    'upgrade',
    'http2-settings',
    'proxy-authorization',
  ]) {
    equal(request?.field(name), undefined, name)
  }
  equal(request?.field('x-kept'), 'yes')
  equal(request?.field('authorization'), 'Bearer mine')
  equal(recorded.answer.length > 0, true)
})

test('hop-by-hop fields of a response end here', async (t) => {
  const recorded = await recorder(t)
  recorded.answer = ok(
    'x',
    'Connection: X-Internal\r\nX-Internal: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nServer: books/1\r\nX-Request-Id: theirs\r\n',
  )
  const gateway = await testGateway(t, bookshop(recorded.upstream.url))
  const response = await (await gateway.connect()).send(get()).response()
  for (const name of ['connection', 'x-internal', 'keep-alive', 'proxy-authenticate', 'upgrade'])
    equal(response.field(name), undefined, name)
  equal(response.field('server'), 'books/1')
  deepEqual(response.all('x-request-id'), [gateway.settled[0]?.requestId])
})

test('Connection cannot be used to take away what frames or routes the message', async (t) => {
  const recorded = await recorder(t)
  const gateway = await testGateway(t, bookshop(recorded.upstream.url))
  const client = await gateway.connect()
  client.send(
    'POST /a HTTP/1.1\r\nHost: a\r\nConnection: content-length, host, transfer-encoding, x-forwarded-for\r\nContent-Length: 3\r\n\r\nabc',
  )
  equal((await client.response()).status, 200)
  equal(recorded.requests[0]?.text, 'abc')
  equal(recorded.requests[0]?.field('x-forwarded-for'), '127.0.0.1')
  equal(recorded.requests.length, 1)
})

test('an unknown client is believed nothing: its claims are replaced', async (t) => {
  const recorded = await recorder(t)
  const gateway = await testGateway(t, bookshop(recorded.upstream.url))
  const client = await gateway.connect()
  await client
    .send(
      get(
        'X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Request-Id: mine\r\nVia: 1.0 other\r\n',
      ),
    )
    .response()
  const [request] = recorded.requests
  deepEqual(request?.all('x-forwarded-for'), ['127.0.0.1'])
  deepEqual(request?.all('x-forwarded-proto'), ['http'])
  deepEqual(request?.all('x-forwarded-host'), ['shop.example:8080'])
  deepEqual(request?.all('via'), ['1.0 other, 1.1 headgate'])
  for (const name of ['x-forwarded-port', 'forwarded', 'x-real-ip'])
    equal(request?.field(name), undefined, name)
  deepEqual(request?.all('x-request-id'), [gateway.settled[0]?.requestId])
  notEqual(gateway.settled[0]?.requestId, 'mine')
  deepEqual(request?.all('host'), [recorded.upstream.url.slice('http://'.length)])
})

test('a trusted proxy is believed, and its chain goes on', async (t) => {
  const recorded = await recorder(t)
  const gateway = await testGateway(
    t,
    bookshop(recorded.upstream.url, { gateway: '{ trustedProxies: [127.0.0.0/8, 10.0.0.0/8] }' }),
  )
  const client = await gateway.connect()
  await client
    .send(
      get(
        'X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-Forwarded-For: 10.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example\r\nForwarded: for=x\r\nX-Real-IP: 1.2.3.4\r\nX-Request-Id: req-1\r\n',
      ),
    )
    .response()
  const [request] = recorded.requests
  deepEqual(request?.all('x-forwarded-for'), ['203.0.113.9, 198.51.100.7, 10.1.1.1, 127.0.0.1'])
  deepEqual(request?.all('x-forwarded-proto'), ['https'])
  deepEqual(request?.all('x-forwarded-host'), ['www.example'])
  equal(request?.field('forwarded'), 'for=x')
  equal(request?.field('x-request-id'), 'req-1')
  equal(gateway.settled[0]?.requestId, 'req-1')
})

const idRules = [
  ['Never', '[127.0.0.1/32]', false],
  ['FromTrusted', '[127.0.0.1/32]', true],
  ['FromTrusted', '[10.0.0.0/8]', false],
  ['Always', '[10.0.0.0/8]', true],
] as const

for (const [accept, proxies, isKept] of idRules) {
  test(`request ids with \`accept: ${accept}\` and trust in ${proxies} are ${isKept ? 'kept' : 'replaced'}`, async (t) => {
    const recorded = await recorder(t)
    const gateway = await testGateway(
      t,
      bookshop(recorded.upstream.url, {
        gateway: `{ trustedProxies: ${proxies}, requestId: { accept: ${accept}, header: x-trace } }`,
      }),
    )
    const client = await gateway.connect()
    const response = await client.send(get('X-Trace: mine-1\r\n')).response()
    equal(response.field('x-trace') === 'mine-1', isKept)
    deepEqual(recorded.requests[0]?.all('x-trace'), [response.field('x-trace')])
    // What does not look like an id is never kept.
    for (const odd of ['a b', 'a'.repeat(129), '"x"', 'a;b']) {
      const other = await client.send(get(`X-Trace: ${odd}\r\n`)).response()
      match(other.field('x-trace') ?? '', /^[0-9a-f]{20}$/)
    }
  })
}

test('a valid traceparent passes on, anything else is replaced together with its tracestate', async (t) => {
  const recorded = await recorder(t)
  const gateway = await testGateway(t, bookshop(recorded.upstream.url))
  const client = await gateway.connect()
  const valid = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  await client.send(get(`traceparent: ${valid}\r\ntracestate: a=b\r\n`)).response()
  deepEqual(recorded.requests[0]?.all('traceparent'), [valid])
  equal(recorded.requests[0]?.field('tracestate'), 'a=b')
  const invalid = [
    '',
    'traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\r\n',
    'traceparent: nonsense\r\ntracestate: a=b\r\n',
    `traceparent: ${valid}\r\ntraceparent: ${valid}\r\ntracestate: a=b\r\n`,
  ]
  for (const fields of invalid) {
    await client.send(get(fields)).response()
    const request = recorded.requests.at(-1)
    equal(request?.all('traceparent').length, 1)
    match(request?.field('traceparent') ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    equal(request?.field('tracestate'), undefined)
  }
})

const rewrites = [
  ['', '/a/b%20c?d=%2F&e', '/base/a/b%20c?d=%2F&e', undefined],
  ['rewrite: { host: Preserve }', '/a/b', '/base/a/b', 'shop.example:8080'],
  ['rewrite: { host: books.internal }', '/a/b', '/base/a/b', 'books.internal'],
  ['rewrite: { stripPrefix: /a }', '/a/b?c', '/base/b?c', undefined],
  ['rewrite: { addPrefix: /v2 }', '/a/b?c', '/base/v2/a/b?c', undefined],
  ['rewrite: { path: "/x/{**}" }', '/a/b?c', '/base/x/b?c', undefined],
] as const

for (const [rewrite, target, expected, expectedHost] of rewrites) {
  test(`the target goes on ${rewrite === '' ? 'as it came, behind the prefix of the endpoint' : `with ${rewrite}`}`, async (t) => {
    const recorded = await recorder(t)
    const gateway = await testGateway(
      t,
      `version: 1
upstreams: [{ name: books, url: "${recorded.upstream.url}/base" }]
routes: [{ name: books, match: { path: "/a/**" }, to: books${rewrite === '' ? '' : `, ${rewrite}`} }]
`,
    )
    const client = await gateway.connect()
    await client.send(`GET ${target} HTTP/1.1\r\nHost: shop.example:8080\r\n\r\n`).response()
    equal(recorded.requests[0]?.startLine, `GET ${expected} HTTP/1.1`)
    deepEqual(recorded.requests[0]?.all('host'), [
      expectedHost ?? recorded.upstream.url.slice('http://'.length),
    ])
    // An absolute target is brought to the same form.
    await client
      .send(`GET HTTP://Shop.example:8080${target} HTTP/1.1\r\nHost: shop.example:8080\r\n\r\n`)
      .response()
    equal(recorded.requests[1]?.startLine, `GET ${expected} HTTP/1.1`)
  })
}

test('`OPTIONS *` names no path and so belongs to no route', async (t) => {
  const recorded = await recorder(t)
  const gateway = await testGateway(t, bookshop(`${recorded.upstream.url}/base`))
  const client = await gateway.connect()
  const response = await client.send('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n').response()
  deepEqual([response.status, response.field('headgate-error')], [404, 'route.not_found'])
  equal(recorded.requests.length, 0)
})

test('a client of HTTP/1.0 without Host still gives the upstream one', async (t) => {
  const recorded = await recorder(t)
  const gateway = await testGateway(
    t,
    `version: 1
upstreams: [{ name: books, url: "${recorded.upstream.url}" }]
routes: [{ name: books, match: { path: "/**" }, to: books, rewrite: { host: Preserve } }]
`,
  )
  const client = await gateway.connect()
  await client.send('GET /a HTTP/1.0\r\n\r\n').response()
  equal(recorded.requests[0]?.field('host'), recorded.upstream.url.slice('http://'.length))
  equal(recorded.requests[0]?.field('x-forwarded-host'), undefined)
  equal(recorded.requests[0]?.field('via'), '1.0 headgate')
  equal(recorded.requests[0]?.startLine, 'GET /a HTTP/1.1')
})

const withAccount = (url: string) => `version: 1
accounts: [{ name: books-key, bearer: { token: "env:TOKEN" } }]
upstreams: [{ name: books, url: "${url}", account: books-key }]
routes: [{ name: books, match: { path: "/**" }, to: books }]
`

test('the account takes the place of whatever the client sent under that name', async (t) => {
  const recorded = await recorder(t)
  const gateway = await testGateway(t, withAccount(recorded.upstream.url), {
    leases: { 'books-key': [['authorization', 'Bearer of-the-gateway']] },
  })
  const client = await gateway.connect()
  await client.send(get('Authorization: Bearer mine\r\nAUTHORIZATION: Basic x\r\n')).response()
  deepEqual(recorded.requests[0]?.all('authorization'), ['Bearer of-the-gateway'])
  await client.send(get('Connection: authorization\r\nAuthorization: Bearer mine\r\n')).response()
  deepEqual(recorded.requests[1]?.all('authorization'), ['Bearer of-the-gateway'])
})

test('an account without credential answers 503 and names the account, not its secret', async (t) => {
  const recorded = await recorder(t)
  const gateway = await testGateway(t, withAccount(recorded.upstream.url))
  const client = await gateway.connect()
  const response = await client.send(get()).response()
  deepEqual(
    [response.status, response.field('headgate-error')],
    [503, 'upstream.account_unavailable'],
  )
  holds(response.text.includes('books-key'))
  equal(recorded.upstream.connections.length, 0)
})

/** A policy that does what a test tells it, in both directions. */
function custom(act: {
  onRequest?(
    exchange: PolicyExchange,
  ): ReturnType<typeof respond> | Promise<ReturnType<typeof respond>>
  onResponse?(exchange: PolicyExchange): void
}) {
  return definePolicy({
    name: 'custom',
    summary: 'Does what a test says.',
    phase: 'transform',
    config: s.strictObject({}),
    create: () => ({ onRequest: () => proceed, ...act }),
  })
}

const withPolicy = (url: string) => `version: 1
upstreams: [{ name: books, url: "${url}" }]
routes: [{ name: books, match: { path: "/**" }, to: books, policies: [{ custom: {} }] }]
`

test('what policies change is what the other side sees', async (t) => {
  const recorded = await recorder(t)
  recorded.answer = ok('x', 'X-Old: 1\r\nX-Gone: 1\r\nx-gone: 2\r\n')
  const policy = custom({
    onRequest(exchange) {
      exchange.requestFields.set('x-user', 'ann')
      exchange.requestFields.add('x-tag', 'a')
      exchange.requestFields.add('x-tag', 'b')
      exchange.requestFields.remove('cookie')
      exchange.removeQueryParameter('key')
      return proceed
    },
    onResponse(exchange) {
      exchange.responseFields.set('x-old', '2')
      exchange.responseFields.remove('x-gone')
      exchange.responseFields.set('x-new', '3')
    },
  })
  const gateway = await testGateway(t, withPolicy(recorded.upstream.url), { policies: [policy] })
  const client = await gateway.connect()
  client.send(
    'GET /a?x=1&key=secret&y=%20&k%65y=2&z HTTP/1.1\r\nHost: a\r\nX-User: bob\r\nCookie: a=b\r\nx-tag: mine\r\n\r\n',
  )
  const response = await client.response()
  const [request] = recorded.requests
  equal(request?.startLine, 'GET /a?x=1&y=%20&z HTTP/1.1')
  deepEqual(request?.all('x-user'), ['ann'])
  deepEqual(request?.all('x-tag'), ['a', 'b', 'mine'])
  equal(request?.field('cookie'), undefined)
  deepEqual(
    [response.all('x-old'), response.all('x-gone'), response.all('x-new')],
    [['2'], [], ['3']],
  )
})

const splitters = ['a\r\nX-Injected: 1', 'a\nb', 'a\rb', 'a\0b', 'aĊX-Injected: 1', 'a\u{1f4a5}']

for (const text of splitters) {
  test(`a policy cannot split a message with ${JSON.stringify(text)}`, async (t) => {
    const recorded = await recorder(t)
    let direction: 'request' | 'response' | 'answer' = 'request'
    const policy = custom({
      onRequest(exchange) {
        if (direction === 'request') exchange.requestFields.set('x-a', text)
        return direction === 'answer' ? respond(200, [['x-a', text]]) : proceed
      },
      onResponse(exchange) {
        if (direction === 'response') exchange.responseFields.set('x-a', text)
      },
    })
    const gateway = await testGateway(t, withPolicy(recorded.upstream.url), {
      policies: [policy],
    })
    for (direction of ['request', 'response', 'answer'] as const) {
      const client = await gateway.connect()
      const response = await client.send(get()).response()
      deepEqual(
        [response.status, response.field('headgate-error')],
        [500, 'policy.failed'],
        direction,
      )
      equal(response.field('x-injected'), undefined)
    }
    holds(recorded.requests.every((request) => request.field('x-injected') === undefined))
  })
}

test('a policy that outlives its exchange does not see the fields of another one', async (t) => {
  const recorded = await recorder(t)
  const seen: (string | undefined)[] = []
  let release = () => {}
  const policy = custom({
    async onRequest(exchange) {
      if (exchange.request.field('x-who') !== 'first') return proceed
      await new Promise<void>((resolve) => {
        release = resolve
      })
      seen.push(exchange.request.field('x-who'), exchange.request.path)
      return proceed
    },
  })
  const gateway = await testGateway(t, withPolicy(recorded.upstream.url), { policies: [policy] })
  const first = await gateway.connect()
  first.send(get('X-Who: first\r\n'))
  await eventually(() => gateway.inFlight() === 1, 'the first exchange')
  first.destroy()
  await eventually(() => gateway.settled.length === 1, 'its end')
  const second = await gateway.connect()
  second.send(get('X-Who: second\r\n'))
  await second.response()
  const third = await gateway.connect()
  third.send('POST /a HTTP/1.1\r\nHost: a\r\nX-Who: third\r\nContent-Length: 1\r\n\r\n')
  await eventually(() => gateway.inFlight() === 1, 'an exchange that runs')
  release()
  await eventually(() => seen.length === 2, 'the policy to go on')
  deepEqual(seen, [undefined, '/a'])
  equal(recorded.requests.length, 1)
})

test('a policy that waits lets the body wait too, and then all of it arrives', async (t) => {
  const recorded = await recorder(t)
  let release = () => {}
  const policy = custom({
    async onRequest() {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return proceed
    },
  })
  const gateway = await testGateway(t, withPolicy(recorded.upstream.url), { policies: [policy] })
  const client = await gateway.connect()
  client.send('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n')
  client.send(Buffer.alloc(200_000, 'x'))
  await eventually(() => gateway.inFlight() === 1, 'the exchange')
  release()
  equal((await client.response()).status, 200)
  equal(recorded.requests[0]?.body.length, 200_000)
  equal(gateway.settled[0]?.requestBytes, 200_000)
})

test('a limit that a policy sets holds for a declared body, before the upstream is asked', async (t) => {
  const recorded = await recorder(t)
  const policy = custom({
    onRequest(exchange) {
      exchange.limitRequestBody(5)
      return proceed
    },
  })
  const gateway = await testGateway(t, withPolicy(recorded.upstream.url), { policies: [policy] })
  const client = await gateway.connect()
  client.send('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef')
  equal((await client.response()).status, 413)
  equal(recorded.upstream.connections.length, 0)
  client.send('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde')
  equal((await client.response()).status, 200)
})

test('a policy that refuses a response gives the client that instead, and the connections serve on', async (t) => {
  const recorded = await recorder(t)
  let isBroken = true
  const policy = custom({
    onResponse() {
      if (isBroken) throw new Error('no')
    },
  })
  const gateway = await testGateway(t, withPolicy(recorded.upstream.url), { policies: [policy] })
  const client = await gateway.connect()
  for (const answer of [ok('secret'), 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsecret']) {
    recorded.answer = answer
    const response = await client.send(get()).response()
    deepEqual([response.status, response.field('headgate-error')], [500, 'policy.failed'])
    equal(response.text.includes('secret'), false)
  }
  isBroken = false
  recorded.answer = ok('fine')
  equal((await client.send(get()).response()).text, 'fine')
  deepEqual(
    gateway.settled.map(({ status }) => status),
    [500, 500, 200],
  )
})
