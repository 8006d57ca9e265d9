import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { testOnEachTransport } from '../../../test/support/transports.ts'
import type { ByteStream, ByteStreamHandler } from './byte-stream.ts'
import { openHandleStream } from './handle-stream.ts'
import { chooseTransport, isHandleStreamSound, openStream } from './open-stream.ts'

/** What a stream has told its handler, as far as it is not overridden. */
type Heard = {
  readonly stream: ByteStream
  readonly events: string[]
  readonly bytes: Buffer[]
  onBytes?: (bytes: Buffer) => void
  onEnd?: () => void
  onDrain?: () => void
  onClose?: () => void
}

function hear(stream: ByteStream): Heard {
  const heard: Heard = { stream, events: [], bytes: [] }
  const handler: ByteStreamHandler = {
    onBytes(bytes) {
      heard.bytes.push(bytes)
      heard.onBytes?.(bytes)
    },
    onEnd() {
      heard.events.push('end')
      heard.onEnd?.()
    },
    onDrain() {
      heard.events.push('drain')
      heard.onDrain?.()
    },
    onClose(error) {
      heard.events.push(error === undefined ? 'close' : 'error')
      heard.onClose?.()
    },
  }
  stream.setHandler(handler)
  return heard
}

const textOf = (heard: Heard) => Buffer.concat(heard.bytes).toString('latin1')

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 100_000) throw new Error('never came true')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

let server: Server
let port = 0
let onSocket: ((socket: Socket) => void) | undefined

before(async () => {
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    onSocket?.(socket),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
})

after(() => {
  server.close()
})

/** A stream of ours, and the bare socket at the other end. */
async function pair(t: TestContext): Promise<{ ours: Heard; peer: Socket }> {
  const accepted = new Promise<Socket>((resolve) => {
    onSocket = resolve
  })
  const peer = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  peer.on('error', () => undefined)
  const socket = await accepted
  const ours = hear(openStream(socket, { isEncrypted: false }))
  t.after(() => {
    peer.destroy()
    ours.stream.destroy()
  })
  return { ours, peer }
}

testOnEachTransport('bytes arrive in order, both ways, and the ends are told apart', async (t) => {
  const { ours, peer } = await pair(t)
  equal(ours.stream.peerAddress, '127.0.0.1')
  equal(ours.stream.peerPort, peer.localPort)
  peer.write('hello ')
  await until(() => textOf(ours) === 'hello ')
  peer.end('world')
  await until(() => ours.events.length > 0)
  equal(textOf(ours), 'hello world')
  deepEqual(ours.events, ['end'])
  // Half closed: the other direction still works.
  const received: string[] = []
  peer.on('data', (bytes) => received.push(bytes.toString()))
  ours.stream.write(Buffer.from('still '))
  ours.stream.write(Buffer.from('here'))
  ours.stream.end()
  await until(() => ours.events.includes('close'))
  equal(received.join(''), 'still here')
  deepEqual(ours.events, ['end', 'close'])
})

testOnEachTransport('our end comes first: what the peer still sends arrives', async (t) => {
  const { ours, peer } = await pair(t)
  let isEnded = false
  peer.on('end', () => {
    isEnded = true
  })
  peer.resume()
  ours.stream.end()
  await until(() => isEnded)
  peer.write('late')
  await until(() => textOf(ours) === 'late')
  peer.end()
  await until(() => ours.events.includes('close'))
  deepEqual(ours.events, ['end', 'close'])
})

testOnEachTransport(
  'a large transfer to a slow reader waits, drains and loses nothing',
  async (t) => {
    const { ours, peer } = await pair(t)
    peer.pause()
    const size = 24 * 1_048_576
    const pattern = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))
    let sent = 0
    const send = () => {
      while (sent < size) {
        const piece = Buffer.from(pattern.subarray(sent, sent + 150_000))
        sent += piece.length
        if (!ours.stream.write(piece)) return
      }
      ours.stream.end()
    }
    ours.onDrain = send
    send()
    await turns(200)
    ok(sent < size, 'the reader does not read, so not all could be taken')
    equal(ours.stream.isFlushed, false)
    const parts: Buffer[] = []
    let isEnded = false
    peer.on('data', (bytes: Buffer) => parts.push(bytes))
    peer.on('end', () => {
      isEnded = true
    })
    peer.resume()
    await until(() => isEnded)
    ok(Buffer.concat(parts).equals(pattern))
    equal(ours.stream.isFlushed, true)
    notEqual(ours.events.filter((event) => event === 'drain').length, 0)
  },
)

testOnEachTransport('what is queued when the end is asked for is sent before it', async (t) => {
  const { ours, peer } = await pair(t)
  peer.pause()
  const size = 16 * 1_048_576
  ours.stream.write(Buffer.alloc(size, 'a'))
  ours.stream.write(Buffer.from('b'))
  ours.stream.end()
  ours.stream.write(Buffer.from('after the end'))
  let count = 0
  let last = ''
  let isEnded = false
  peer.on('data', (bytes: Buffer) => {
    count += bytes.length
    last = bytes.toString('latin1').slice(-1)
  })
  peer.on('end', () => {
    isEnded = true
  })
  await turns(50)
  peer.resume()
  await until(() => isEnded)
  deepEqual([count, last], [size + 1, 'b'])
})

testOnEachTransport('paused, nothing is delivered; resumed, everything', async (t) => {
  const { ours, peer } = await pair(t)
  ours.stream.pause()
  peer.write('abc')
  await turns(50)
  equal(textOf(ours), '')
  ours.stream.resume()
  await until(() => textOf(ours) === 'abc')
  ours.onBytes = () => ours.stream.pause()
  peer.write('def')
  await until(() => textOf(ours) === 'abcdef')
  peer.end('ghi')
  await turns(50)
  equal(textOf(ours), 'abcdef')
  deepEqual(ours.events, [])
  delete ours.onBytes
  ours.stream.resume()
  await until(() => ours.events.includes('end'))
  equal(textOf(ours), 'abcdefghi')
})

testOnEachTransport('a reset of the peer closes with an error', async (t) => {
  const { ours, peer } = await pair(t)
  peer.write('abc')
  await until(() => textOf(ours) === 'abc')
  peer.resetAndDestroy()
  await until(() => ours.events.some((event) => event !== 'end'))
  ok(ours.events.includes('error') || ours.events.includes('end'))
  equal(ours.events.filter((event) => event === 'error' || event === 'close').length <= 1, true)
  ours.stream.destroy()
  await turns(20)
  equal(ours.events.filter((event) => event === 'error' || event === 'close').length, 1)
})

testOnEachTransport('a peer that is reset can tell it from an orderly end', async (t) => {
  for (const how of ['reset', 'destroy'] as const) {
    const { ours, peer } = await pair(t)
    const seen: string[] = []
    peer.on('error', () => seen.push('error'))
    peer.on('end', () => {
      seen.push('end')
      peer.end()
    })
    peer.on('close', () => seen.push('close'))
    peer.resume()
    ours.stream.write(Buffer.from('abc'))
    await turns(20)
    ours.stream[how]()
    await until(() => seen.includes('close'))
    equal(seen.includes('end'), how === 'destroy')
    await until(() => ours.events.includes('close'))
    deepEqual(ours.events, ['close'])
  }
})

testOnEachTransport(
  'destroy, end and write in every callback and after the close do no harm',
  async (t) => {
    const moments = ['onBytes', 'onEnd', 'onDrain', 'onClose'] as const
    for (const moment of moments) {
      const { ours, peer } = await pair(t)
      ours[moment] = () => {
        ours.stream.destroy()
        ours.stream.write(Buffer.from('x'))
        ours.stream.end()
        ours.stream.pause()
        ours.stream.resume()
        ours.stream.reset()
        ours.stream.destroy()
      }
      peer.pause()
      if (moment === 'onDrain') {
        ours.stream.write(Buffer.alloc(16 * 1_048_576))
        await turns(5)
      }
      peer.resume()
      peer.write('abc')
      if (moment !== 'onDrain') peer.end()
      if (moment === 'onClose') {
        await until(() => ours.events.includes('end'))
        ours.stream.destroy()
      }
      await until(() => ours.events.some((event) => event === 'close' || event === 'error'))
      await turns(10)
      equal(ours.events.filter((event) => event === 'close' || event === 'error').length, 1, moment)
      ok(!ours.events.slice(ours.events.indexOf('close')).includes('end'))
    }
  },
)

testOnEachTransport('nothing is told after the close', async (t) => {
  const { ours, peer } = await pair(t)
  peer.write('abc')
  ours.stream.destroy()
  await until(() => ours.events.includes('close'))
  await turns(20)
  deepEqual(ours.events, ['close'])
  equal(textOf(ours), '')
})

testOnEachTransport('a write to a peer that is gone ends in a close, once', async (t) => {
  const { ours, peer } = await pair(t)
  peer.destroy()
  for (let count = 0; count < 50 && !ours.events.some((event) => event !== 'end'); count++) {
    ours.stream.write(Buffer.alloc(1_000))
    await turns(2)
  }
  ours.stream.destroy()
  await until(() => ours.events.some((event) => event === 'close' || event === 'error'))
  await turns(10)
  equal(ours.events.filter((event) => event === 'close' || event === 'error').length, 1)
})
test('over handles: reads what has arrived although a write has failed, and then reports the failure', async (t) => {
  equal(await chooseTransport('handle'), 'handle')
  const { ours, peer } = await pair(t)
  peer.pause()
  ours.stream.write(Buffer.from('left unread'))
  await turns(20)
  peer.write('the answer')
  // Unread bytes make this a reset.
  peer.destroy()
  ours.stream.write(Buffer.from('more'))
  ours.stream.write(Buffer.from('and more'))
  await until(() => ours.events.length > 0)
  equal(textOf(ours), 'the answer')
  deepEqual(ours.events, ['error'])
})

test('over handles: reads many connections through the same memory without mixing them', async (t) => {
  equal(await chooseTransport('handle'), 'handle')
  const pairs = await Promise.all(Array.from({ length: 1 }, () => pair(t)))
  for (let count = 1; count < 20; count++) pairs.push(await pair(t))
  for (let round = 0; round < 20; round++) {
    for (const [index, { peer }] of pairs.entries()) peer.write(`${index}:${round};`)
  }
  const expected = (index: number) =>
    Array.from({ length: 20 }, (_, round) => `${index}:${round};`).join('')
  await until(() =>
    pairs.every(({ ours }, index) => textOf(ours).length === expected(index).length),
  )
  for (const [index, { ours }] of pairs.entries()) equal(textOf(ours), expected(index))
})
test('the probe finds handles sound here, and a socket without handle is no case for them', async (t) => {
  equal(await isHandleStreamSound(), true)
  const socket = connect({ host: '127.0.0.1', port })
  t.after(() => socket.destroy())
  onSocket = (other) => void other.destroy()
  await new Promise((resolve) => socket.once('close', resolve).resume())
  equal(openHandleStream(socket), undefined)
})

test('handles are used only when they are asked for and have passed the probe', async (t) => {
  equal(await chooseTransport('socket'), 'socket')
  equal(await chooseTransport('handle'), 'handle')
  const { ours } = await pair(t)
  equal(ours.stream.constructor.name, 'HandleStream')
  equal(await chooseTransport('socket'), 'socket')
  const other = await pair(t)
  equal(other.ours.stream.constructor.name, 'SocketStream')
})

test('without the parts of Node that handles need, sockets serve', async () => {
  const openStreamUrl = new URL('./open-stream.ts', import.meta.url).href
  const worker = new Worker(
    `process.binding = undefined
    const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(openStreamUrl)}).then(async ({ chooseTransport }) => {
      parentPort.postMessage(await chooseTransport('handle'))
    })`,
    { eval: true },
  )
  equal(await new Promise((resolve) => worker.once('message', resolve)), 'socket')
  await worker.terminate()
})
