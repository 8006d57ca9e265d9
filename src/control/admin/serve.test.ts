import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTask } from 'node:timers/promises'
import { simulatedClock, systemClock } from '../../base/clock.ts'
import { adminLimits } from './deps.ts'
import { serveAdmin, serveLimits } from './serve.ts'
import { openTestAdmin } from './testing/admin.ts'
import { openEventClient } from './testing/event-client.ts'

async function servedAdmin(context: TestContext, host = '127.0.0.1') {
  const admin = await openTestAdmin()
  const server = await serveAdmin(admin.app, { host, port: 0 })
  context.after(() => server.close())
  const init = { headers: { authorization: `Bearer ${admin.token}` } }
  return { ...admin, server, init }
}

/** Sends bytes and returns everything that comes back until the connection ends. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString()
  })
  socket.write(bytes)
  await once(socket, 'close')
  return text
}

test('it serves on the address it says, with the port that was free', async (context) => {
  const { server, init } = await servedAdmin(context)
  equal(server.url, `http://127.0.0.1:${server.port}`)
  const response = await fetch(`${server.url}/api/v1/routes`, init)
  deepEqual([response.status, await response.json()], [200, { items: [] }])
  match(response.headers.get('x-request-id') ?? '', /^req_/)
})

test('an address in use, and one that is not ours, are errors that say what to do', async (context) => {
  const { app, server } = await servedAdmin(context)
  await rejects(serveAdmin(app, { host: '127.0.0.1', port: server.port }), {
    code: 'run.address_in_use',
    message: `The admin address 127.0.0.1:${server.port} is in use; choose another with \`--admin\`.`,
  })
  await rejects(serveAdmin(app, { host: '203.0.113.1', port: 0 }), { code: 'run.listen_failed' })
})

test('the Host field decides who may ask without a token, on a real connection too', async (context) => {
  const { server } = await servedAdmin(context)
  const get = (host: string) =>
    exchange(server.port, `GET /metrics HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
  match(await get('127.0.0.1'), /^HTTP\/1\.1 200 /)
  match(await get('evil.example'), /^HTTP\/1\.1 421 .*admin\.host_refused/s)
})

test('bytes that are not HTTP, heads without Host and heads too large are problem documents', async (context) => {
  const { server } = await servedAdmin(context)
  const garbage = await exchange(server.port, 'what is this\r\n\r\n')
  match(garbage, /^HTTP\/1\.1 400 .*application\/problem\+json.*admin\.invalid_request/s)
  const noHost = await exchange(server.port, 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n')
  match(noHost, /^HTTP\/1\.1 400 .*application\/problem\+json/s)
  const large = await exchange(
    server.port,
    `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(serveLimits.headBytesMax)}\r\n\r\n`,
  )
  match(large, /^HTTP\/1\.1 431 .*wire\.head_too_large/s)
})

test('a body over the limit is refused on a real connection', async (context) => {
  const { server, init } = await servedAdmin(context)
  const put = (bytes: number) =>
    fetch(`${server.url}/api/v1/routes/a`, {
      method: 'PUT',
      headers: { ...init.headers, 'content-type': 'application/json' },
      body: ' '.repeat(bytes),
    })
  equal((await put(adminLimits.bodyBytesMax)).status, 400)
  equal((await put(adminLimits.bodyBytesMax + 1)).status, 413)
})

test('a caller that goes away in the middle of a body is no failure of ours', async (context) => {
  const { server, token, logged, call } = await servedAdmin(context)
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  socket.write(
    `PUT /api/v1/routes/a HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
  )
  const answered = async () =>
    Number(/answers_total\{status="4xx"\} (\d+)/.exec((await call('GET', '/metrics')).text)?.[1])
  await fetch(`${server.url}/livez`)
  socket.destroy()
  while ((await answered()) === 0) await nextTask()
  deepEqual(logged, [])
})

test('wrong tokens are counted per address of the connection', async (context) => {
  const { server, init } = await servedAdmin(context)
  const wrong = { headers: { authorization: 'Bearer hgt_wrong' } }
  for (let count = 0; count < adminLimits.wrongTokensMax; count++) {
    equal((await fetch(`${server.url}/api/v1/routes`, wrong)).status, 401)
  }
  equal((await fetch(`${server.url}/api/v1/routes`, init)).status, 429)
})

test('closing ends event streams and idle connections at once', async (context) => {
  const { server, token, init } = await servedAdmin(context)
  const stream = openEventClient(server.port, token)
  await stream.head()
  await (await fetch(`${server.url}/api/v1/routes`, init)).arrayBuffer()
  const clock = systemClock()
  const startedAt = clock.now()
  await server.close()
  await stream.closed()
  ok(clock.now() - startedAt < serveLimits.closeBudgetMs, 'the budget was used up')
  equal(stream.received().endsWith('0\r\n\r\n'), true, 'the stream ended in order')
  await rejects(fetch(`${server.url}/livez`))
})

test('a call that does not end holds up the closing for a bounded time only', async () => {
  const admin = await openTestAdmin({ metrics: () => new Promise<string>(() => {}) })
  const clock = simulatedClock()
  const server = await serveAdmin(admin.app, { host: '127.0.0.1', port: 0, clock })
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  await once(socket, 'connect')
  socket.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await fetch(`${server.url}/livez`)
  const ended = once(socket, 'close')
  const closed = server.close()
  clock.advance(serveLimits.closeBudgetMs - 1)
  equal(socket.destroyed, false)
  clock.advance(1)
  await closed
  await ended
})

test('a call under way when the server closes gets its answer', async () => {
  const gate = Promise.withResolvers<string>()
  const started = Promise.withResolvers<void>()
  const admin = await openTestAdmin({
    metrics() {
      started.resolve()
      return gate.promise
    },
  })
  const server = await serveAdmin(admin.app, { host: '127.0.0.1', port: 0 })
  const answer = fetch(`${server.url}/metrics`)
  await started.promise
  const closed = server.close()
  gate.resolve('# EOF\n')
  equal((await answer).status, 200)
  await closed
})
