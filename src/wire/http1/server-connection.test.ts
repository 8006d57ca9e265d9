import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import type { Inbound, InboundListener } from '../inbound.ts'
import type { ByteStream, ByteStreamHandler } from '../tcp/byte-stream.ts'
import { dropNothing } from './compose.ts'
import { HeadPool } from './head.ts'
import { ServerConnection } from './server-connection.ts'

/** A client's end of a connection that takes as much as the test wants. */
function testStream() {
  let handler: ByteStreamHandler | undefined
  const log: string[] = []
  let reads = true
  const stream: ByteStream & { isFlushed: boolean } = {
    peerAddress: '192.0.2.1',
    peerPort: 1,
    isEncrypted: false,
    isFlushed: true,
    setHandler: (next) => {
      handler = next
    },
    write(bytes) {
      log.push(bytes.toString('latin1'))
      return stream.isFlushed
    },
    end: () => void log.push('FIN'),
    destroy() {
      log.push('destroy')
      handler?.onClose(undefined)
    },
    reset: () => void log.push('RST'),
    pause: () => {
      reads = false
    },
    resume: () => {
      reads = true
    },
  }
  return {
    stream,
    log,
    isRead: () => reads,
    receive: (text: string) => handler?.onBytes(Buffer.from(text, 'latin1')),
    end: () => handler?.onEnd(),
  }
}

type Served = { inbound: Inbound; events: string[] }

function testConnection(options: { isDraining?: boolean } = {}) {
  const client = testStream()
  const heads = new HeadPool({ fieldCountMax: 20, idleMax: 10 })
  const served: Served[] = []
  let nowMs = 1
  let isClosed = false
  let scanCount = 0
  const connection = new ServerConnection(client.stream, {
    heads() {
      scanCount++
      return heads
    },
    settings: () => ({
      limits: { headBytesMax: 1_000, targetBytesMax: 100, requestsPerConnectionMax: undefined },
      headMs: 1_000,
      bodyMs: 10_000,
      idleMs: 60_000,
    }),
    coarseNow: () => nowMs,
    isDraining: () => options.isDraining === true,
    onRequest(inbound) {
      const events: string[] = []
      served.push({ inbound, events })
      const listener: InboundListener = {
        onRequestBody: (bytes, isLast) => void events.push(`${bytes}${isLast ? ' last' : ''}`),
        onRequestBodyFailed: (code) => void events.push(code),
        onDrain: () => void events.push('drain'),
        onGone: () => void events.push('gone'),
        onSweep: () => undefined,
      }
      return listener
    },
    onRefused: (code) => Buffer.from(code),
    onClosed: () => {
      isClosed = true
    },
  })
  const sweepAt = (ms: number) => {
    nowMs = ms
    connection.sweep(ms)
  }
  return {
    ...client,
    connection,
    served,
    sweepAt,
    isClosed: () => isClosed,
    scanCount: () => scanCount,
  }
}

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const close = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
const parts = { text: 'HTTP/1.1 200 OK\r\n', source: undefined, drop: dropNothing, removed: [] }
const whole = { framing: 'length', isLast: true, isClose: false } as const

test('what is still being sent has its time; only then does the wait for the client’s end begin', () => {
  const { receive, served, stream, log, sweepAt } = testConnection()
  receive(close)
  stream.isFlushed = false
  served[0]?.inbound.respond(parts, whole, Buffer.from('body'))
  equal(log.at(-1), 'FIN')
  sweepAt(9_000)
  equal(log.at(-1), 'FIN', 'the bytes are still on their way')
  stream.isFlushed = true
  sweepAt(9_100)
  sweepAt(11_000)
  equal(log.at(-1), 'FIN')
  sweepAt(11_200)
  equal(log.at(-1), 'destroy')
})

test('what cannot be sent in the time of a body is dropped', () => {
  const { receive, served, stream, log, sweepAt, isClosed } = testConnection()
  receive(close)
  stream.isFlushed = false
  served[0]?.inbound.respond(parts, whole, Buffer.from('body'))
  sweepAt(10_002)
  equal(log.at(-1), 'destroy')
  equal(isClosed(), true)
})

test('the connection is read while a pipelined request is served, so that the client’s end is noticed', () => {
  const { receive, served, isRead, end, log } = testConnection()
  receive(`${get}${get}`)
  receive(get)
  equal(isRead(), false, 'what comes early waits in the kernel')
  served[0]?.inbound.respond(parts, whole, undefined)
  equal(isRead(), false)
  served[1]?.inbound.respond(parts, whole, undefined)
  equal(isRead(), true)
  equal(served.length, 3)
  end()
  equal(log.at(-1), 'destroy')
  deepEqual(served[2]?.events, ['gone'])
})

test('a listener hears once that its client has gone, and nothing after that', () => {
  const { receive, served, connection } = testConnection()
  receive('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
  equal(served[0]?.inbound.takeBody()?.toString(), 'abc')
  connection.destroy()
  receive('defghijklm')
  connection.sweep(100_000)
  deepEqual(served[0]?.events, ['gone'])
})

test('an answer inside of the call that hands over the request is as good as a later one', () => {
  const client = testStream()
  const heads = new HeadPool({ fieldCountMax: 20, idleMax: 10 })
  let count = 0
  new ServerConnection(client.stream, {
    heads: () => heads,
    settings: () => ({
      limits: { headBytesMax: 1_000, targetBytesMax: 100, requestsPerConnectionMax: undefined },
      headMs: 1_000,
      bodyMs: 1_000,
      idleMs: 1_000,
    }),
    coarseNow: () => 1,
    isDraining: () => false,
    onRequest(inbound) {
      count++
      inbound.respond(parts, whole, undefined)
      const fail = () => {
        throw new Error('the exchange is over')
      }
      return {
        onRequestBody: fail,
        onRequestBodyFailed: fail,
        onDrain: fail,
        onGone: fail,
        onSweep: fail,
      }
    },
    onRefused: () => Buffer.alloc(0),
    onClosed: () => undefined,
  })
  client.receive(get.repeat(5_000))
  equal(count, 5_000)
  client.stream.destroy()
})

test('the rest of a body nobody wants is thrown away, and the next request is served', () => {
  const { receive, served, log } = testConnection()
  receive('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
  served[0]?.inbound.discardBody()
  served[0]?.inbound.respond(parts, whole, undefined)
  equal(log.join('').includes('connection: close'), false)
  receive('defg')
  receive(`hij${get}`)
  equal(served.length, 2)
  deepEqual(served[0]?.events, [])
})

test('a body nobody wants that breaks its framing, stops or never ends closes the connection', () => {
  const start = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  const ends: readonly ((of: ReturnType<typeof testConnection>) => void)[] = [
    ({ receive }) => receive('zz\r\n'),
    ({ sweepAt }) => sweepAt(10_002),
    ({ receive }) => {
      for (let count = 0; count < 20; count++) receive(`10000\r\n${'x'.repeat(65_536)}\r\n`)
    },
    ({ end }) => end(),
  ]
  for (const finish of ends) {
    const of = testConnection()
    of.receive(start)
    of.served[0]?.inbound.discardBody()
    of.served[0]?.inbound.respond(parts, whole, undefined)
    equal(of.log.includes('FIN'), false)
    finish(of)
    equal(of.log.includes('FIN'), true)
    of.receive(get)
    equal(of.served.length, 1)
  }
})

test('draining closes an idle connection at once and a busy one after its response, which says so', () => {
  const options = { isDraining: false }
  const idle = testConnection(options)
  const busy = testConnection(options)
  busy.receive(get)
  options.isDraining = true
  idle.connection.drain()
  busy.connection.drain()
  deepEqual(idle.log, ['FIN'])
  deepEqual(busy.log, [])
  busy.served[0]?.inbound.respond(parts, whole, undefined)
  deepEqual(busy.log, ['HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n', 'FIN'])
})

test('a head that comes byte by byte is scanned once per line, not once per byte', () => {
  const { receive, served, scanCount } = testConnection()
  for (const byte of `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(500)}\r\n\r\n`) receive(byte)
  equal(served.length, 1)
  equal(scanCount() < 10, true, `${scanCount()} scans`)
})
