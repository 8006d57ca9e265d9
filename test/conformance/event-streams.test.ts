import { deepEqual, equal } from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { eventually } from '../support/eventually.ts'
import type { RawSocket } from '../support/raw-socket.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { bookshop, testGateway } from '../support/test-gateway.ts'
import { testOnEachTransport as test } from '../support/transports.ts'

const head = (fields: string) =>
  `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${fields}\r\n`
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

const framings = [
  ['chunked', head('Transfer-Encoding: chunked\r\n'), chunk],
  ['ended by close', head(''), (text: string) => text],
] as const

async function streaming(t: TestContext, answer: string, version?: string) {
  const upstream = await scriptedUpstream(t)
  const config = bookshop(upstream.url, version === undefined ? {} : { version })
  const gateway = await testGateway(t, config)
  const client = await gateway.connect()
  client.send('GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n')
  const server = await upstream.connection(0)
  await server.request()
  server.send(answer)
  await client.until(() => client.pending.includes('\r\n\r\n'), 'the head, before any event')
  return { gateway, client, server, config }
}

async function passes(server: RawSocket, client: RawSocket, text: string): Promise<void> {
  server.send(text)
  await client.until(() => client.pending.toString('latin1').endsWith(text), `the event ${text}`)
}

for (const [what, answer, framed] of framings) {
  // The simulated clock stands still here: whatever waited for a timer would never arrive.
  test(`the head and each event of a stream that is ${what} pass at once`, async (t) => {
    const { client, server, gateway } = await streaming(t, answer)
    for (let index = 0; index < 50; index++)
      await passes(server, client, framed(`data: ${index}\n\n`))
    equal(gateway.settled.length, 0, 'the stream is still open')
  })

  test(`a stream that is ${what} survives reloads`, async (t) => {
    const { client, server, gateway, config } = await streaming(t, answer)
    for (let index = 0; index < 10; index++) {
      gateway.apply(config)
      await passes(server, client, framed(`data: ${index}\n\n`))
    }
    gateway.apply(bookshop('http://127.0.0.1:9'))
    await passes(server, client, framed('data: last\n\n'))
    equal(gateway.settled.length, 0)
  })

  test(`a stream that is ${what} may be silent for \`timeouts.idle\`, then it is cut off`, async (t) => {
    const { client, server, gateway } = await streaming(t, answer, 'timeouts: { idle: 5m }')
    for (let index = 0; index < 3; index++) {
      gateway.clock.advance(299_000)
      await passes(server, client, framed(`data: ${index}\n\n`))
    }
    gateway.clock.advance(301_000)
    await client.ended()
    deepEqual(
      gateway.settled.map(({ status, reason }) => [status, reason]),
      [[200, 'upstream.idle_timeout']],
    )
  })

  test(`the upstream of a stream that is ${what} hears at once that the client has gone`, async (t) => {
    const { client, server, gateway } = await streaming(t, answer)
    client.destroy()
    await server.ended()
    await eventually(() => gateway.settled.length === 1, 'the exchange to be settled')
    equal(gateway.settled[0]?.reason, 'client.aborted')
  })
}
