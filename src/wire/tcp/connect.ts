/** Opens connections towards upstreams, plain or with TLS. */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
} from 'node:tls'
import { explainTlsFailure } from '../tls/explain-failure.ts'
import type { ByteStream } from './byte-stream.ts'
import { openStream } from './open-stream.ts'

export type ConnectTarget = {
  readonly host: string
  readonly port: number
  readonly tls: TlsTarget | undefined
}

export type TlsTarget = {
  /** For SNI and verification; default: the host. */
  readonly serverName: string | undefined
  /** Trusted instead of the public authorities. */
  readonly caPem: string | undefined
  readonly isVerified: boolean
  /** Presented when the endpoint asks for one. Where its files could not be read, nothing is connected. */
  readonly clientCertificate?: {
    readonly name: string
    readonly pem: string | undefined
    readonly keyPem: string | undefined
  }
}

export type ConnectOutcome = {
  onConnected(stream: ByteStream): void
  onFailed(error: NodeJS.ErrnoException, isTls: boolean): void
}

/** Connects; exactly one of the two outcomes is called, unless the attempt is cancelled first. */
export function connectStream(target: ConnectTarget, outcome: ConnectOutcome): { cancel(): void } {
  let isOver = false
  let isTcpOpen = false
  let socket: Socket
  try {
    socket = openSocket(target)
  } catch (thrown) {
    // Certificates that cannot be read throw at once; for the caller it is a failure like others.
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    queueMicrotask(() => {
      if (!isOver) outcome.onFailed(error, target.tls !== undefined)
    })
    return {
      cancel() {
        isOver = true
      },
    }
  }
  // Nothing may be read before the stream is there to take it.
  socket.pause()
  const onConnected = () => {
    if (isOver) return
    isOver = true
    socket.removeListener('error', onError)
    outcome.onConnected(openStream(socket, { isEncrypted: target.tls !== undefined }))
  }
  const onError = (error: NodeJS.ErrnoException) => {
    if (isOver) return
    isOver = true
    // The socket may emit again while it closes; nobody is interested any more.
    socket.on('error', ignore)
    socket.destroy()
    outcome.onFailed(
      isTcpOpen && target.tls !== undefined ? explainTlsFailure(error) : error,
      isTcpOpen,
    )
  }
  socket.once('connect', () => {
    isTcpOpen = true
  })
  socket.once(target.tls === undefined ? 'connect' : 'secureConnect', onConnected)
  socket.on('error', onError)
  return {
    cancel() {
      if (isOver) return
      isOver = true
      socket.on('error', ignore)
      socket.destroy()
    },
  }
}

function ignore(): void {
  // An error of a socket that was given up already carries no news.
}

function openSocket(target: ConnectTarget): Socket {
  const { host, port, tls } = target
  // Half-open: codecs close what has ended, but a tunnel may go on sending (`wire/tunnel.ts`). Not with
  // TLS: there a half-open socket would never tell of an alert that follows the handshake.
  if (tls === undefined) return connectTcp({ host, port, noDelay: true, allowHalfOpen: true })
  const serverName = tls.serverName ?? host
  const memory = memoryOf(tls)
  const options: ConnectionOptions = {
    host,
    port,
    rejectUnauthorized: tls.isVerified,
    secureContext: memory.context,
    ...(memory.session && { session: memory.session }),
    ALPNProtocols: ['http/1.1'],
    // An address is no name: SNI carries names only (RFC 6066 §3).
    ...(isIP(serverName) === 0 && { servername: serverName }),
  }
  const socket = connectTls(options)
  socket.on('session', (session) => {
    memory.session = session
  })
  return socket
}

/** What connections to one target share: authorities are parsed once, and sessions are resumed. */
type TlsMemory = { readonly context: SecureContext; session: Buffer | undefined }

const memories = new WeakMap<TlsTarget, TlsMemory>()

/** By the target itself: a session must never serve under other rules than it was verified by. */
function memoryOf(tls: TlsTarget): TlsMemory {
  const known = memories.get(tls)
  if (known !== undefined) return known
  const memory = { context: contextOf(tls), session: undefined }
  memories.set(tls, memory)
  return memory
}

function contextOf({ caPem, clientCertificate }: TlsTarget): SecureContext {
  const { name, pem, keyPem } = clientCertificate ?? {}
  if (name !== undefined && (pem === undefined || keyPem === undefined)) {
    throw new Error(
      `the client certificate \`${name}\` cannot be read; see the conditions of Certificate/${name}`,
    )
  }
  return createSecureContext({
    ...(caPem !== undefined && { ca: caPem }),
    ...(pem !== undefined && { cert: pem }),
    ...(keyPem !== undefined && { key: keyPem }),
  })
}
