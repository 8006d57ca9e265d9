/**
 * The data plane of one worker: listener, connections, the snapshot in force, and the sweep that
 * enforces time limits. Serves from memory only; it never touches store, files or other services.
 */
import type { LeaseTable } from '../accounts/lease-table.ts'
import { KeyTable } from '../accounts/private-keys.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { assert, type ErrorCode, messageOf } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { WorkerMetrics } from '../telemetry/metrics/worker-metrics.ts'
import { composeHead, dropNothing, type HeadParts } from '../wire/http1/compose.ts'
import { HeadPool } from '../wire/http1/head.ts'
import {
  ServerConnection,
  type ServerConnectionServices,
  type ServerConnectionSettings,
} from '../wire/http1/server-connection.ts'
import {
  acceptHttp2,
  type Http2Connection,
  type Http2Services,
} from '../wire/http2/server-session.ts'
import type { Inbound, InboundListener } from '../wire/inbound.ts'
import { type ByteStream, SocketStream } from '../wire/tcp/byte-stream.ts'
import { connectStream } from '../wire/tcp/connect.ts'
import type { SecureConnection } from '../wire/tls/terminator.ts'
import { type ActivationServices, ActiveSnapshot } from './active-snapshot.ts'
import { problemAnswer, statusLine } from './answers.ts'
import { Exchange } from './exchange.ts'
import { createIds } from './ids.ts'
import { type Listener, type ListenOptions, listen } from './listener.ts'
import { createAppDirectory } from './policies/app-directory.ts'
import type { PolicyDefinition } from './policies/define-policy.ts'
import type { ProxyServices } from './proxy-services.ts'
import type { Snapshot } from './snapshot.ts'
import { TlsFront } from './tls-front.ts'
import { EndpointDirectory } from './upstreams/endpoint-directory.ts'

export type DataPlaneServices = {
  readonly clock: Clock
  readonly random: Random
  readonly ledger: Ledger
  readonly metrics: WorkerMetrics
  /** How connections to endpoints are opened; default over TCP. */
  readonly connect?: typeof connectStream
  /** Writes the call record of an exchange that has ended. */
  record(exchange: Exchange, durationUs: number): void
  log(line: string): void
}

/** Resolution of every time limit on the wire. */
export const sweepPeriodMs = 100
/**
 * For this long after a drain began, connections stay open and answers say `connection: close`.
 * Closing idle ones at once would lose requests that are still in the kernel or on their way.
 */
export const drainAnnounceMs = 250
const ticketKeyBytes = 48
const idleHeadsMax = 4_096
const upstreamFieldCountMax = 256
const upstreamHeadBytesMax = 65_536

export class DataPlane {
  readonly #services: DataPlaneServices
  readonly #proxyServices: ProxyServices
  readonly #connectionServices: ServerConnectionServices
  readonly #http2Services: Http2Services
  readonly #connections = new Set<ServerConnection | Http2Connection>()
  readonly #endpoints: EndpointDirectory
  readonly #sweepTimer: Timer
  readonly #tls: TlsFront
  /** The protocol that ALPN settles on picks the codec; TLS clients are offered these, in this order. */
  readonly #codecs: ReadonlyMap<string, (connection: SecureConnection) => void> = new Map([
    ['h2', (connection) => this.#serveHttp2(connection)],
    ['http/1.1', (connection) => this.#serveHttp1(connection)],
  ])
  #clientHeads = new HeadPool({ fieldCountMax: 100, idleMax: idleHeadsMax })
  #settings: ServerConnectionSettings | undefined
  #active: ActiveSnapshot | undefined
  #listener: Listener | undefined
  #isDraining = false
  #isAccepting = true
  #acceptedCount = 0
  #coarseNowMs: number
  #httpDate: string
  #dateSecond = 0
  #onEmpty: (() => void) | undefined

  constructor(services: DataPlaneServices) {
    this.#services = services
    const { clock, random, metrics } = services
    this.#coarseNowMs = clock.now()
    this.#httpDate = new Date(clock.wallMs()).toUTCString()
    this.#proxyServices = {
      clock,
      ids: createIds(random),
      coarseNow: () => this.#coarseNowMs,
      fraction: () => random.fraction(),
      httpDate: () => this.#httpDate,
      record: services.record,
      onRetry: () => metrics.count('retries'),
      onTunnelOpened: (revision) => metrics.addTunnels(revision, 1),
      onTunnelClosed: (revision) => metrics.addTunnels(revision, -1),
      onRefusedMessage: (code) => metrics.countRefused(code),
      log: services.log,
    }
    this.#endpoints = new EndpointDirectory({
      connect: services.connect ?? connectStream,
      heads: new HeadPool({ fieldCountMax: upstreamFieldCountMax, idleMax: idleHeadsMax }),
      limits: { headBytesMax: upstreamHeadBytesMax, targetBytesMax: 0 },
      coarseNow: () => this.#coarseNowMs,
      counters: {
        onOpened: () => metrics.count('upstreamConnectionsOpened'),
        onReused: () => metrics.count('upstreamConnectionsReused'),
        onConnectFailed: () => metrics.count('upstreamConnectionsFailed'),
      },
    })
    this.#connectionServices = this.#makeConnectionServices()
    this.#http2Services = this.#makeHttp2Services()
    this.#tls = this.#makeTlsFront()
    this.#sweepTimer = clock.every(sweepPeriodMs, () => this.#sweep())
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get revision(): number {
    return this.#active?.snapshot.revision ?? 0
  }

  /** Serves new exchanges from `snapshot`; those that run end on theirs. Throws and changes nothing when it cannot. */
  apply(
    snapshot: Snapshot,
    catalog: ReadonlyMap<string, PolicyDefinition>,
    leases: LeaseTable,
    keys: KeyTable = new KeyTable(),
  ): void {
    const { clock, random, ledger, metrics } = this.#services
    const services: ActivationServices = {
      policyServices: {
        clock,
        random,
        ledger,
        apps: createAppDirectory(snapshot.apps, { clock }),
        onFailure: (policy, error) => this.#onPolicyFailure(policy, error),
      },
      chainServices: { clock, onFailure: (policy, error) => this.#onPolicyFailure(policy, error) },
      catalog,
      endpoints: this.#endpoints,
      metrics,
      leases,
      keys,
      random,
    }
    const previous = this.#active
    this.#tls.renew(snapshot.tls, keys)
    this.#active = new ActiveSnapshot(snapshot, services, previous)
    previous?.supersede()
    const { limits, clientTimeouts } = snapshot.gateway
    if (limits.fieldCountMax !== this.#clientHeads.fieldCountMax) {
      this.#clientHeads = new HeadPool({
        fieldCountMax: limits.fieldCountMax,
        idleMax: idleHeadsMax,
      })
    }
    this.#settings = { limits, ...clientTimeouts }
  }

  #onPolicyFailure(policy: string, error: unknown): void {
    this.#services.metrics.count('policyFailures')
    this.#services.log(`policy ${policy} failed: ${messageOf(error)}`)
  }

  async listen(options: ListenOptions): Promise<number> {
    assert(this.#active !== undefined, 'a worker listens after its first snapshot')
    this.#listener = await listen(options, (stream) => this.accept(stream))
    return this.#listener.port
  }

  /** Listens for TLS there from now on, or nowhere. The certificates are those of the snapshot. */
  listenTls(options: ListenOptions | undefined): Promise<void> {
    return this.#tls.listen(options)
  }

  get tlsPort(): number | undefined {
    return this.#tls.port
  }

  /** Other keys for session tickets: all workers have the same. */
  renewTicketKeys(ticketKeys: Uint8Array): void {
    this.#tls.renewTicketKeys(ticketKeys)
  }

  #makeTlsFront(): TlsFront {
    const { clock, metrics, random } = this.#services
    return new TlsFront(
      {
        clock,
        metrics,
        protocols: [...this.#codecs.keys()],
        admit: () => this.#admit(),
        onSecure: (connection) => this.#codecs.get(connection.protocol)?.(connection),
        onHandshakeGone: () => this.#noteIfEmpty(),
      },
      // Until control says which ones all workers use.
      { keys: new KeyTable(), ticketKeys: random.secretBytes(ticketKeyBytes) },
    )
  }

  #serveHttp1({ socket, peerCertificate }: SecureConnection): void {
    this.#serve(new SocketStream(socket, { isEncrypted: true, peerCertificate }))
    socket.resume()
  }

  /** Serves a connection, wherever it comes from. */
  accept(stream: ByteStream): void {
    if (this.#admit()) this.#serve(stream)
    else stream.destroy()
  }

  /** Whether one more connection may come in, handshakes included. */
  #admit(): boolean {
    this.#acceptedCount++
    const connectionsMax = this.#active?.snapshot.gateway.limits.connectionsMax ?? 0
    if (this.#connections.size + this.#tls.handshakeCount < connectionsMax) return true
    this.#services.metrics.count('connectionsRefused')
    return false
  }

  #serve(stream: ByteStream): void {
    this.#services.metrics.count('connectionsAccepted')
    this.#connections.add(new ServerConnection(stream, this.#connectionServices))
    this.#services.metrics.setOpenConnections(this.#connections.size)
  }

  #makeConnectionServices(): ServerConnectionServices {
    return {
      heads: () => this.#clientHeads,
      settings: () => this.#requiredSettings(),
      coarseNow: () => this.#coarseNowMs,
      isDraining: () => this.#isDraining,
      onRequest: (inbound) => this.#onRequest(inbound),
      onRefused: (code) => this.#refusalOf(code),
      onClosed: (connection) => this.#onClosed(connection),
      onHttp2Preface: (socket, connection) => {
        this.#connections.delete(connection)
        this.#connections.add(acceptHttp2(socket, this.#http2Services, { isEncrypted: false }))
        this.#services.metrics.count('http2SessionsOpened')
      },
    }
  }

  #serveHttp2({ socket, peerCertificate }: SecureConnection): void {
    const { metrics } = this.#services
    metrics.count('connectionsAccepted')
    metrics.count('http2SessionsOpened')
    this.#connections.add(
      acceptHttp2(socket, this.#http2Services, { isEncrypted: true, peerCertificate }),
    )
    metrics.setOpenConnections(this.#connections.size)
  }

  #makeHttp2Services(): Http2Services {
    const { metrics } = this.#services
    return {
      heads: () => this.#clientHeads,
      settings: () => this.#requiredSettings(),
      coarseNow: () => this.#coarseNowMs,
      onRequest: (inbound) => this.#onRequest(inbound),
      onHttp2Refused: (code) => this.#refusalParts(code),
      onHttp2Misused: (code) => metrics.countRefused(code),
      onHttp2Stream: () => metrics.count('http2StreamsOpened'),
      onHttp2Closed: (connection) => this.#onClosed(connection),
    }
  }

  #requiredSettings(): ServerConnectionSettings {
    assert(this.#settings !== undefined, 'a connection is served after the first snapshot')
    return this.#settings
  }

  #onRequest(inbound: Inbound): InboundListener {
    assert(this.#active !== undefined, 'a request is served after the first snapshot')
    const exchange = new Exchange(inbound, this.#active, this.#proxyServices)
    exchange.run()
    return exchange
  }

  /** The whole answer to a message that broke the rules before there was an exchange. */
  #refusalOf(code: ErrorCode): Buffer {
    const { parts, body } = this.#refusalParts(code)
    return composeHead({ ...parts, text: `${parts.text}connection: close\r\n` }, body)
  }

  #refusalParts(code: ErrorCode): { readonly parts: HeadParts; readonly body: Buffer } {
    this.#services.metrics.countRefused(code)
    const answer = problemAnswer(code, { requestId: this.#proxyServices.ids.requestId() })
    let text = statusLine(answer.status)
    for (const [name, value] of answer.fields) text += `${name}: ${value}\r\n`
    text += `date: ${this.#httpDate}\r\ncontent-length: ${answer.body.length}\r\n`
    return { parts: { text, source: undefined, drop: dropNothing, removed: [] }, body: answer.body }
  }

  #onClosed(connection: ServerConnection | Http2Connection): void {
    this.#connections.delete(connection)
    this.#services.metrics.setOpenConnections(this.#connections.size)
    this.#noteIfEmpty()
  }

  get #isEmpty(): boolean {
    return this.#connections.size === 0 && this.#tls.handshakeCount === 0
  }

  #noteIfEmpty(): void {
    if (this.#isEmpty) this.#onEmpty?.()
  }

  #sweep(): void {
    const { clock } = this.#services
    this.#coarseNowMs = clock.now()
    const wallMs = clock.wallMs()
    const second = Math.floor(wallMs / 1_000)
    if (second !== this.#dateSecond) {
      this.#dateSecond = second
      this.#httpDate = new Date(wallMs).toUTCString()
    }
    for (const connection of this.#connections) connection.sweep(this.#coarseNowMs)
    this.#endpoints.sweep(this.#coarseNowMs)
  }

  /** Closes the ports while nobody waits in them; connections that stand go on as before. */
  async stopAccepting(): Promise<void> {
    if (!this.#isAccepting) return
    this.#isAccepting = false
    await this.#acceptWaiting(drainAnnounceMs)
    this.#listener?.close()
    this.#tls.stopListening()
  }

  /** Stops accepting and lets exchanges finish; resolves with the number of connections cut off at the end. */
  async drain(budgetMs: number): Promise<number> {
    const announceMs = Math.min(drainAnnounceMs, budgetMs)
    const announced = this.#elapsed(announceMs)
    await this.stopAccepting()
    // Not before the port is closed, on every worker: clients that are told to go come back at once.
    this.#isDraining = true
    await announced
    for (const connection of this.#connections) connection.drain()
    await this.#emptyWithin(budgetMs - announceMs)
    const cutOff = this.#connections.size
    this.close()
    return cutOff
  }

  /**
   * Returns after a turn of the event loop that brought no connection: those that wait in the kernel
   * are reset when the listener closes, with the requests that were sent on them.
   */
  async #acceptWaiting(budgetMs: number): Promise<void> {
    const { clock } = this.#services
    const deadlineMs = clock.now() + budgetMs
    let countBefore = -1
    while (countBefore !== this.#acceptedCount && clock.now() < deadlineMs) {
      countBefore = this.#acceptedCount
      await this.#elapsed(0)
    }
  }

  #elapsed(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#services.clock.after(delayMs, resolve))
  }

  #emptyWithin(budgetMs: number): Promise<void> {
    if (this.#isEmpty) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#services.clock.after(budgetMs, resolve)
      this.#onEmpty = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  close(): void {
    this.#listener?.close()
    this.#tls.close()
    this.#sweepTimer.cancel()
    for (const connection of this.#connections) connection.destroy()
    this.#endpoints.close()
    this.#active?.supersede()
  }
}
