/**
 * TLS towards clients in one worker: its listener, certificates and ticket keys. All of them are
 * renewed while it serves; neither handshakes that run nor connections that stand notice.
 */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { KeyTable } from '../accounts/private-keys.ts'
import type { Clock } from '../base/clock.ts'
import type { WorkerMetrics } from '../telemetry/metrics/worker-metrics.ts'
import { type SecureConnection, TlsTerminator, type TlsSettings } from '../wire/tls/terminator.ts'
import { type Listener, type ListenOptions, listenForSockets } from './listener.ts'
import type { TlsEntry } from './snapshot.ts'

export type TlsFrontServices = {
  readonly clock: Clock
  readonly metrics: WorkerMetrics
  /** Application protocols that there is a codec for, the preferred one first. */
  readonly protocols: readonly string[]
  /** Whether one more connection may come in; counts it when not. */
  admit(): boolean
  onSecure(connection: SecureConnection): void
  /** A handshake that came to nothing is over. */
  onHandshakeGone(): void
}

export class TlsFront {
  readonly #services: TlsFrontServices
  #entry: TlsEntry | undefined
  #keys: KeyTable
  #ticketKeys: Uint8Array
  #terminator: TlsTerminator | undefined
  #listener: Listener | undefined
  #address = ''
  /** Of the settings in force: a reload that leaves them alone must not make every context anew. */
  #digest = ''

  constructor(services: TlsFrontServices, secrets: { keys: KeyTable; ticketKeys: Uint8Array }) {
    this.#services = services
    this.#keys = secrets.keys
    this.#ticketKeys = secrets.ticketKeys
  }

  get handshakeCount(): number {
    return this.#terminator?.handshakeCount ?? 0
  }

  get port(): number | undefined {
    return this.#listener?.port
  }

  /** The next handshakes follow `entry`. Throws and changes nothing when its certificates cannot be used. */
  renew(entry: TlsEntry | undefined, keys: KeyTable): void {
    this.#apply(entry, keys, this.#ticketKeys)
  }

  /** Sessions under the keys before are not resumed any more; their clients do a whole handshake. */
  renewTicketKeys(ticketKeys: Uint8Array): void {
    this.#apply(this.#entry, this.#keys, ticketKeys)
  }

  #apply(entry: TlsEntry | undefined, keys: KeyTable, ticketKeys: Uint8Array): void {
    const settings = entry && this.#settingsOf(entry, keys, ticketKeys)
    const digest = digestOf(settings)
    if (digest !== this.#digest) this.#renew(settings)
    this.#digest = digest
    this.#entry = entry
    this.#keys = keys
    this.#ticketKeys = ticketKeys
  }

  #renew(settings: TlsSettings | undefined): void {
    // Without a certificate that can be used nobody is let in, rather than with a bad one.
    if (settings === undefined) this.#terminator?.pause()
    else if (this.#terminator === undefined) this.#terminator = this.#open(settings)
    else this.#terminator.renew(settings)
  }

  #settingsOf(entry: TlsEntry, keys: KeyTable, ticketKeys: Uint8Array): TlsSettings | undefined {
    const certificates = entry.certificates.flatMap(({ name, hosts, pem }) => {
      const keyPem = keys.pemOf(name)
      return keyPem === undefined ? [] : [{ hosts, pem, keyPem }]
    })
    if (certificates.length === 0) return undefined
    const { minVersion, clientCertificates, handshakeMs, handshakesMax } = entry
    const { protocols } = this.#services
    return {
      certificates,
      minVersion,
      clientCertificates,
      handshakeMs,
      handshakesMax,
      ticketKeys,
      protocols,
    }
  }

  #open(settings: TlsSettings): TlsTerminator {
    const { clock, metrics, onSecure, onHandshakeGone } = this.#services
    return new TlsTerminator(settings, {
      wallMs: () => clock.wallMs(),
      onSecure(connection) {
        metrics.count('tlsHandshakes')
        if (connection.isResumed) metrics.count('tlsSessionsResumed')
        onSecure(connection)
      },
      onRefused: (reason) => metrics.countHandshakeRefused(reason),
      onGone: onHandshakeGone,
    })
  }

  /** Listens there from now on, or nowhere. Rejects, listening where it did, when the address cannot be had. */
  async listen(options: ListenOptions | undefined): Promise<void> {
    const address = options === undefined ? '' : `${options.host} ${options.port}`
    if (address === this.#address) return
    const listener = options && (await listenForSockets(options, (socket) => this.#accept(socket)))
    this.#listener?.close()
    this.#listener = listener
    this.#address = address
  }

  #accept(socket: Socket): void {
    if (this.#terminator === undefined || !this.#services.admit()) socket.destroy()
    else this.#terminator.accept(socket)
  }

  /** Handshakes that run may end. */
  stopListening(): void {
    this.#listener?.close()
  }

  close(): void {
    this.stopListening()
    this.#terminator?.close()
  }
}

function digestOf(settings: TlsSettings | undefined): string {
  if (settings === undefined) return ''
  const ticketKeys = [...settings.ticketKeys]
  return createHash('sha256')
    .update(JSON.stringify({ ...settings, ticketKeys }))
    .digest('hex')
}
