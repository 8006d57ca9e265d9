/**
 * The listening socket of a worker. Every worker listens on the same port with SO_REUSEPORT and the
 * kernel deals the connections out; no thread passes sockets to another.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { HeadgateError } from '../base/errors.ts'
import type { ByteStream } from '../wire/tcp/byte-stream.ts'
import { openStream } from '../wire/tcp/open-stream.ts'

export type Listener = {
  /** The port really bound, also when 0 was asked for. */
  readonly port: number
  /** Stops accepting; connections that stand go on. */
  close(): void
}

export type ListenOptions = {
  readonly host: string
  readonly port: number
  /** Off where the platform cannot do it; then only one worker may listen. */
  readonly isPortShared: boolean
}

const backlogMax = 4_096

export function listen(
  options: ListenOptions,
  onConnection: (stream: ByteStream) => void,
): Promise<Listener> {
  return listenForSockets(options, (socket) =>
    onConnection(openStream(socket, { isEncrypted: false })),
  )
}

/** The same for those who do something with the socket first. It is paused and was never read from. */
export function listenForSockets(
  options: ListenOptions,
  onSocket: (socket: Socket) => void,
): Promise<Listener> {
  const { host, port, isPortShared } = options
  // Half-open, because the codec decides what a FIN means; net would answer it with ours at once.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, onSocket)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, options)))
    server.listen({ host, port, reusePort: isPortShared, backlog: backlogMax }, () => {
      // Later errors are those of single accepts, such as EMFILE: the listener goes on.
      server.on('error', () => undefined)
      resolve({ port: boundPort(server), close: () => void server.close() })
    })
  })
}

function boundPort(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Says in our words why an address cannot be listened on. */
export function listenError(
  error: NodeJS.ErrnoException,
  address: { host: string; port: number },
): HeadgateError {
  const isTaken = error.code === 'EADDRINUSE'
  return new HeadgateError(isTaken ? 'run.address_in_use' : 'run.listen_failed', {
    message: `${address.host}:${address.port}: ${isTaken ? 'another process listens there' : error.message}`,
    cause: error,
  })
}
