import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientConnection } from '../../wire/http1/client-connection.ts'
import { HeadPool } from '../../wire/http1/head.ts'
import type { ByteStream, ByteStreamHandler } from '../../wire/tcp/byte-stream.ts'
import type { ConnectOutcome } from '../../wire/tcp/connect.ts'
import { ConnectionPool, type PoolWaiter, poolWaitersMax } from './pool.ts'

/** A connection to nowhere whose end the test can bring about. */
function testStream() {
  let handler: ByteStreamHandler | undefined
  let isDestroyed = false
  const stream: ByteStream = {
    peerAddress: '192.0.2.1',
    peerPort: 80,
    isEncrypted: false,
    isFlushed: true,
    setHandler: (next) => {
      handler = next
    },
    write: () => true,
    end: () => undefined,
    destroy() {
      isDestroyed = true
    },
    reset: () => undefined,
    pause: () => undefined,
    resume: () => undefined,
  }
  return {
    stream,
    receive: (text: string) => handler?.onBytes(Buffer.from(text)),
    close: () => handler?.onClose(undefined),
    isDestroyed: () => isDestroyed,
  }
}

type Attempt = { readonly outcome: ConnectOutcome; isCancelled: boolean }

function testPool(connectionsMax: number) {
  const attempts: Attempt[] = []
  const counts = { opened: 0, reused: 0, failed: 0 }
  let nowMs = 0
  const pool = new ConnectionPool({
    target: { host: 'books.example', port: 80, tls: undefined },
    connectionsMax,
    connect(_, outcome) {
      const attempt: Attempt = { outcome, isCancelled: false }
      attempts.push(attempt)
      return {
        cancel: () => {
          attempt.isCancelled = true
        },
      }
    },
    heads: new HeadPool({ fieldCountMax: 10, idleMax: 10 }),
    limits: { headBytesMax: 1_000, targetBytesMax: 0 },
    coarseNow: () => nowMs,
    counters: {
      onOpened: () => counts.opened++,
      onReused: () => counts.reused++,
      onConnectFailed: () => counts.failed++,
    },
  })
  const running = () => attempts.filter(({ isCancelled }) => !isCancelled).length
  const sweepAt = (ms: number) => {
    nowMs = ms
    pool.sweep(ms)
  }
  return { pool, attempts, counts, running, sweepAt }
}

function testWaiter(): PoolWaiter & { got: ClientConnection[]; failures: string[] } {
  const got: ClientConnection[] = []
  const failures: string[] = []
  return {
    got,
    failures,
    onConnection: (connection) => void got.push(connection),
    onConnectFailed: ({ code, cause }) => void failures.push(`${code} ${cause.message}`),
  }
}

const ignored = {
  onInformational: () => undefined,
  onResponse: () => undefined,
  onResponseBody: () => undefined,
  onRequestDrain: () => undefined,
  onFailure: () => undefined,
}
const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
const shared = { isFresh: false }

test('one connection is opened per waiter, up to the bound; the others wait for what comes back', () => {
  const { pool, attempts, counts } = testPool(2)
  const waiters = [testWaiter(), testWaiter(), testWaiter()]
  for (const waiter of waiters) equal(pool.acquire(waiter, shared), true)
  equal(attempts.length, 2)
  const streams = [testStream(), testStream()]
  attempts[0]?.outcome.onConnected(streams[0]?.stream ?? testStream().stream)
  attempts[1]?.outcome.onConnected(streams[1]?.stream ?? testStream().stream)
  deepEqual(
    waiters.map(({ got }) => got.length),
    [1, 1, 0],
  )
  waiters[1]?.got[0]?.send('GET', Buffer.alloc(0), true, ignored)
  streams[1]?.receive(answer)
  deepEqual(
    waiters.map(({ got }) => got.length),
    [1, 1, 1],
  )
  equal(waiters[2]?.got[0], waiters[1]?.got[0])
  deepEqual(counts, { opened: 2, reused: 1, failed: 0 })
})

test('when a connection goes, a waiter gets a new one in its place', () => {
  const { pool, attempts } = testPool(1)
  const waiters = [testWaiter(), testWaiter()]
  for (const waiter of waiters) pool.acquire(waiter, shared)
  const first = testStream()
  attempts[0]?.outcome.onConnected(first.stream)
  equal(attempts.length, 1)
  first.close()
  equal(attempts.length, 2)
  attempts[1]?.outcome.onConnected(testStream().stream)
  equal(waiters[1]?.got.length, 1)
  equal(pool.openCount, 1)
})

test('a failed attempt is told to one waiter; the next ones get their own attempts', () => {
  const { pool, attempts, counts } = testPool(1)
  const waiters = [testWaiter(), testWaiter()]
  for (const waiter of waiters) pool.acquire(waiter, shared)
  attempts[0]?.outcome.onFailed(new Error('refused'), false)
  attempts[1]?.outcome.onFailed(new Error('bad certificate'), true)
  deepEqual(
    waiters.map(({ failures }) => failures),
    [['upstream.connect_failed refused'], ['upstream.tls_failed bad certificate']],
  )
  equal(counts.failed, 2)
  equal(attempts.length, 2)
})

test('an idle connection is preferred, the freshest first, but not for a second try', () => {
  const { pool, attempts } = testPool(10)
  const streams = [testStream(), testStream()]
  const waiters = [testWaiter(), testWaiter()]
  for (const waiter of waiters) pool.acquire(waiter, shared)
  for (const [index, { stream }] of streams.entries()) attempts[index]?.outcome.onConnected(stream)
  for (const [index, waiter] of waiters.entries()) {
    waiter.got[0]?.send('GET', Buffer.alloc(0), true, ignored)
    streams[index]?.receive(answer)
  }
  equal(pool.idleCount, 2)
  const next = testWaiter()
  pool.acquire(next, shared)
  equal(next.got[0], waiters[1]?.got[0])
  const second = testWaiter()
  pool.acquire(second, { isFresh: true })
  equal(second.got.length, 0)
  equal(attempts.length, 3)
})

test('the queue has an end', () => {
  const { pool } = testPool(1)
  for (let count = 0; count < poolWaitersMax; count++)
    equal(pool.acquire(testWaiter(), shared), true)
  equal(pool.acquire(testWaiter(), shared), false)
})

test('a connection that arrives when nobody waits any more is kept for the next one', () => {
  const { pool, attempts } = testPool(1)
  const gone = testWaiter()
  pool.acquire(gone, shared)
  pool.cancel(gone)
  attempts[0]?.outcome.onConnected(testStream().stream)
  equal(gone.got.length, 0)
  const next = testWaiter()
  pool.acquire(next, shared)
  equal(next.got.length, 1)
})

test('idle connections are closed by age, busy ones never', () => {
  const { pool, attempts, sweepAt } = testPool(2)
  const streams = [testStream(), testStream()]
  const waiters = [testWaiter(), testWaiter()]
  for (const waiter of waiters) pool.acquire(waiter, shared)
  for (const [index, { stream }] of streams.entries()) attempts[index]?.outcome.onConnected(stream)
  waiters[0]?.got[0]?.send('GET', Buffer.alloc(0), true, ignored)
  waiters[1]?.got[0]?.send('GET', Buffer.alloc(0), true, ignored)
  streams[1]?.receive(answer)
  sweepAt(55_000)
  deepEqual(
    streams.map(({ isDestroyed }) => isDestroyed()),
    [false, false],
  )
  sweepAt(55_001)
  deepEqual(
    streams.map(({ isDestroyed }) => isDestroyed()),
    [false, true],
  )
  deepEqual([pool.openCount, pool.idleCount], [1, 0])
})

test('an attempt that never ends gives its place to another one for who still waits', () => {
  const { pool, attempts, running, sweepAt } = testPool(1)
  const waiter = testWaiter()
  pool.acquire(waiter, shared)
  sweepAt(30_000)
  equal(attempts.length, 1)
  sweepAt(30_001)
  deepEqual([attempts.length, running(), attempts[0]?.isCancelled], [2, 1, true])
  attempts[1]?.outcome.onConnected(testStream().stream)
  equal(waiter.got.length, 1)
})

test('a pool that closes serves who waits, and nobody leaves a connection or an attempt behind', () => {
  const { pool, attempts, running } = testPool(3)
  const idle = testStream()
  const first = testWaiter()
  pool.acquire(first, shared)
  attempts[0]?.outcome.onConnected(idle.stream)
  first.got[0]?.send('GET', Buffer.alloc(0), true, ignored)
  idle.receive(answer)
  const waiters = [testWaiter(), testWaiter(), testWaiter()]
  for (const waiter of waiters) pool.acquire(waiter, { isFresh: true })
  pool.close()
  equal(idle.isDestroyed(), true)
  equal(running(), 1 + waiters.length, 'the first is over, the others go on')
  const gone = waiters[2]
  if (gone !== undefined) pool.cancel(gone)
  equal(running(), 3)
  const streams = [testStream(), testStream()]
  const left = attempts.slice(1).filter(({ isCancelled }) => !isCancelled)
  for (const [index, { outcome }] of left.entries())
    outcome.onConnected(streams[index]?.stream ?? testStream().stream)
  deepEqual(
    waiters.map(({ got }) => got.length),
    [1, 1, 0],
  )
  for (const [index, stream] of streams.entries()) {
    waiters[index]?.got[0]?.send('GET', Buffer.alloc(0), true, ignored)
    stream.receive(answer)
    equal(stream.isDestroyed(), true, 'it comes back to a closed pool')
  }
  deepEqual([pool.openCount, pool.idleCount], [0, 0])
})
