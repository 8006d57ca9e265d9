/**
 * TLS towards clients: takes sockets, does the handshake, hands over secure connections. Certificates
 * and policy are renewed as a whole: a new `tls.Server`, which never listens itself, takes the next
 * handshakes; those that run and connections that stand keep theirs. Renewing one server in place
 * (`setSecureContext`, `addContext`) was refused: it can add names but not take them away.
 */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type SecureVersion,
  type Server,
  type TLSSocket,
} from 'node:tls'
import { assert } from '../../base/errors.ts'
import { type HandshakeRefusal, handshakeRefusalOf } from './handshake-refusals.ts'
import { type PeerCertificate, peerCertificateOf } from './peer-certificate.ts'
import { serverNames } from './server-names.ts'

export type TlsSettings = {
  /** The first one serves names that none of them has. */
  readonly certificates: readonly ServedCertificate[]
  readonly minVersion: 'Tls12' | 'Tls13'
  readonly clientCertificates: {
    readonly mode: 'Off' | 'Optional' | 'Required'
    /** Authorities that sign them; needed unless off. */
    readonly caPem: string | undefined
  }
  readonly handshakeMs: number
  readonly handshakesMax: number
  /** 48 bytes that encrypt session tickets; the same on all workers. */
  readonly ticketKeys: Uint8Array
  /** Application protocols, the preferred one first. */
  readonly protocols: readonly string[]
}

export type ServedCertificate = {
  readonly hosts: readonly string[]
  /** With the chain. */
  readonly pem: string
  readonly keyPem: string
}

export type SecureConnection = {
  /** Paused and never read from. */
  readonly socket: TLSSocket
  /** What ALPN settled on; `http/1.1` when the client does not speak ALPN. */
  readonly protocol: string
  readonly isResumed: boolean
  /** Verified. Undefined when none was asked for, or none was sent. */
  readonly peerCertificate: PeerCertificate | undefined
}

export type TerminatorServices = {
  wallMs(): number
  onSecure(connection: SecureConnection): void
  onRefused(reason: HandshakeRefusal): void
  /** The connection of a handshake that came to nothing is closed. */
  onGone?(): void
}

/** A session may be resumed for this long; tickets outlive no renewal of their keys anyway. */
const sessionSeconds = 3_600
/** OpenSSL cuts session id contexts at 32 bytes. */
const sessionContextBytes = 32
const defaultProtocol = 'http/1.1'

export class TlsTerminator {
  readonly #services: TerminatorServices
  /** Handshakes that run, by the address of the client. */
  readonly #handshakes = new Map<string, Socket>()
  #server: Server
  #isPaused = false
  #handshakesMax: number

  /** Throws what OpenSSL says of certificates that it cannot use. */
  constructor(settings: TlsSettings, services: TerminatorServices) {
    this.#services = services
    this.#server = this.#createServer(settings)
    this.#handshakesMax = settings.handshakesMax
  }

  get handshakeCount(): number {
    return this.#handshakes.size
  }

  /** The next handshakes follow `settings`. Throws and changes nothing when they cannot be used. */
  renew(settings: TlsSettings): void {
    this.#server = this.#createServer(settings)
    this.#handshakesMax = settings.handshakesMax
    this.#isPaused = false
  }

  /** Lets nobody in until it is renewed. */
  pause(): void {
    this.#isPaused = true
  }

  /** Breaks the handshakes off that run. */
  close(): void {
    this.pause()
    for (const socket of this.#handshakes.values()) socket.destroy()
  }

  /** Takes a connection that nothing was read from. */
  accept(socket: Socket): void {
    if (this.#isPaused || this.#handshakes.size >= this.#handshakesMax) {
      this.#services.onRefused('too_many')
      socket.destroy()
      return
    }
    const key = addressOf(socket)
    this.#handshakes.set(key, socket)
    socket.once('close', () => {
      if (this.#handshakes.get(key) !== socket) return
      this.#handshakes.delete(key)
      this.#services.onGone?.()
    })
    // A documented way in: "may be emitted by users to inject connections into the TLS server".
    this.#server.emit('connection', socket)
  }

  #createServer(settings: TlsSettings): Server {
    const { clientCertificates, protocols, handshakeMs } = settings
    const contexts = settings.certificates.map(({ hosts, pem, keyPem }) => {
      const options = contextOptions(settings, { pem, keyPem })
      return { hosts, options, value: createSecureContext(options) }
    })
    const [first] = contexts
    assert(first !== undefined, 'a TLS listener has at least one certificate')
    const names = serverNames<SecureContext>(contexts)
    const server = createServer({
      ...first.options,
      SNICallback: (name, done) => done(null, names.find(name)),
      ALPNProtocols: [...protocols],
      requestCert: clientCertificates.mode !== 'Off',
      rejectUnauthorized: clientCertificates.mode === 'Required',
      handshakeTimeout: handshakeMs,
      // The codec decides what the end of the client's data means.
      allowHalfOpen: true,
      pauseOnConnect: true,
    })
    server.on('secureConnection', (socket) => this.#onSecure(socket))
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const isUntrusted = Boolean(socket.authorizationError)
      this.#services.onRefused(
        isUntrusted ? 'certificate_untrusted' : handshakeRefusalOf(error.code),
      )
      socket.destroy()
    })
    return server
  }

  #onSecure(socket: TLSSocket): void {
    this.#handshakes.delete(addressOf(socket))
    const certificate = socket.getPeerX509Certificate()
    if (certificate !== undefined) {
      // Who may come without a certificate still must not come with a bad one. A resumed session was
      // verified when it began: that the certificate has expired since is for us to see.
      const hasExpired = certificate.validToDate.getTime() < this.#services.wallMs()
      if (!socket.authorized || hasExpired) {
        this.#services.onRefused('certificate_untrusted')
        socket.destroy()
        return
      }
    }
    this.#services.onSecure({
      socket,
      protocol: socket.alpnProtocol || defaultProtocol,
      isResumed: socket.isSessionReused(),
      peerCertificate: certificate && peerCertificateOf(certificate),
    })
  }
}

function contextOptions(
  settings: TlsSettings,
  { pem, keyPem }: { pem: string; keyPem: string },
): SecureContextOptions {
  const { mode, caPem } = settings.clientCertificates
  return {
    cert: pem,
    key: keyPem,
    minVersion: secureVersions[settings.minVersion],
    // On every context: OpenSSL reads tickets with the first one and writes them with the chosen one.
    ticketKeys: Buffer.from(settings.ticketKeys),
    sessionIdContext: sessionContextOf(settings),
    sessionTimeout: sessionSeconds,
    ...(mode !== 'Off' && caPem !== undefined && { ca: caPem }),
  }
}

const secureVersions = { Tls12: 'TLSv1.2', Tls13: 'TLSv1.3' } satisfies Record<
  TlsSettings['minVersion'],
  SecureVersion
>

/** Other rules for client certificates make another context, so that no session passes them by. */
function sessionContextOf({ clientCertificates }: TlsSettings): string {
  const { mode, caPem = '' } = clientCertificates
  const digest = createHash('sha256').update(`${mode}\n${caPem}`).digest('hex')
  return digest.slice(0, sessionContextBytes)
}

function addressOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
