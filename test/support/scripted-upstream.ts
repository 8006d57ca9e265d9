/** An upstream that does to each connection exactly what a script says, byte by byte. */
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { TestContext } from 'node:test'
import { eventually } from './eventually.ts'
import { RawSocket } from './raw-socket.ts'

/** Runs once per connection; `index` counts them from 0. */
export type UpstreamScript = (connection: RawSocket, index: number) => Promise<void> | void

export type ScriptedUpstream = {
  readonly port: number
  readonly url: string
  readonly connections: readonly RawSocket[]
  /** Resolves with the connection of that index as soon as it is there. */
  connection(index: number): Promise<RawSocket>
  close(): Promise<void>
}

/** Starts an upstream for one test; without a script its connections wait to be driven by the test. */
export async function scriptedUpstream(
  t: TestContext,
  script: UpstreamScript = () => undefined,
  wantedPort = 0,
): Promise<ScriptedUpstream> {
  const connections: RawSocket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new RawSocket(socket)
    connections.push(connection)
    // A script ends early when the other side closes; the test looks at what that side says.
    Promise.resolve(script(connection, connections.length - 1)).catch(() => undefined)
  })
  const port = await listenOn(server, wantedPort)
  const close = () =>
    new Promise<void>((resolve) => {
      for (const { socket } of connections) socket.destroy()
      server.close(() => resolve())
    })
  t.after(close)
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connections,
    async connection(index) {
      await eventually(() => connections.length > index, `connection ${index} of an upstream`)
      const connection = connections[index]
      if (connection === undefined) throw new Error('unreachable: it was just counted')
      return connection
    },
    close,
  }
}

/** Answers every request of every connection with the same bytes. */
export function always(answer: string | Buffer): UpstreamScript {
  return async (connection) => {
    while (connection.ending === 'open') {
      await connection.request()
      connection.send(answer)
    }
  }
}

/** A complete response with a length. */
export function ok(body: string | Buffer = 'ok', fields = ''): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\n${fields}content-length: ${bytes.length}\r\n\r\n`, 'latin1'),
    bytes,
  ])
}

/** A port of 127.0.0.1 that nothing listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await listenOn(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

function listenOn(server: Server, wantedPort = 0): Promise<number> {
  return new Promise((resolve) => {
    // The cast holds because a server that listens on an address has one.
    server.listen(wantedPort, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
