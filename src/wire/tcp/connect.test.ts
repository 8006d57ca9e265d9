import { equal, match, ok } from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type ConnectTarget, connectStream } from './connect.ts'

type Outcome = { readonly error: Error | undefined; readonly isTls: boolean }

function connect(target: ConnectTarget): Promise<Outcome> {
  return new Promise((resolve) => {
    let outcomeCount = 0
    const done = (outcome: Outcome) => {
      equal(++outcomeCount, 1, 'exactly one outcome')
      resolve(outcome)
    }
    connectStream(target, {
      onConnected(stream) {
        stream.destroy()
        done({ error: undefined, isTls: false })
      },
      onFailed: (error, isTls) => done({ error, isTls }),
    })
  })
}

async function listen(t: TestContext): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end('not TLS')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => void server.close())
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('a server that listens is connected, one that does not is a failure of the connection', async (t) => {
  const port = await listen(t)
  equal((await connect({ host: '127.0.0.1', port, tls: undefined })).error, undefined)
  const refused = await connect({ host: '127.0.0.1', port: 1, tls: undefined })
  match(refused.error?.message ?? '', /ECONNREFUSED/)
  equal(refused.isTls, false)
})

test('a server that does not speak TLS is a failure of TLS', async (t) => {
  const port = await listen(t)
  const tls = { serverName: undefined, caPem: undefined, isVerified: true }
  const outcome = await connect({ host: '127.0.0.1', port, tls })
  ok(outcome.error)
  equal(outcome.isTls, true)
})

test('authorities that cannot be read are a failure of TLS, not an exception', async (t) => {
  const port = await listen(t)
  const caPem = '-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n'
  const outcome = await connect({
    host: '127.0.0.1',
    port,
    tls: { serverName: undefined, caPem, isVerified: true },
  })
  ok(outcome.error)
  equal(outcome.isTls, true)
})

test('after a cancel nothing is told, whatever the moment', async (t) => {
  const port = await listen(t)
  const told: string[] = []
  const outcome = {
    onConnected: () => void told.push('connected'),
    onFailed: () => void told.push('failed'),
  }
  const bad = { serverName: undefined, caPem: 'x', isVerified: true }
  for (const target of [
    { host: '127.0.0.1', port, tls: undefined },
    { host: '127.0.0.1', port: 1, tls: undefined },
    { host: '127.0.0.1', port, tls: bad },
  ]) {
    const attempt = connectStream(target, outcome)
    attempt.cancel()
    attempt.cancel()
  }
  await connect({ host: '127.0.0.1', port, tls: undefined })
  equal(told.join(), '')
})
