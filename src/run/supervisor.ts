/**
 * Keeps the workers: starts them, hands every snapshot to all of them, replaces one that dies, and
 * drains them at the end.
 */
import { createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../base/clock.ts'
import { HeadgateError, isErrorCode, messageOf } from '../base/errors.ts'
import { formatHostPort, type HostPort } from '../base/host-port.ts'
import type { Random } from '../base/random.ts'
import type { WorkerView } from '../control/control-api.ts'
import { listenError } from '../proxy/listener.ts'
import type { MetricPage } from '../telemetry/metrics/pages.ts'
import type { Transport } from '../wire/tcp/open-stream.ts'
import type { FromWorker, Publication, ToWorker, WorkerStart } from './messages.ts'

export type SupervisorOptions = {
  readonly workerCount: number
  readonly listen: HostPort
  /** Comes before the address that the definition names. */
  readonly tlsListen: HostPort | undefined
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly ledgerMemory: SharedArrayBuffer
  readonly telemetry: WorkerTelemetry
  log(line: string): void
}

/** What telemetry does for the life of a worker. */
export type WorkerTelemetry = {
  /** Memory for call records; called once per worker start. */
  openRing(workerIndex: number): SharedArrayBuffer
  /** Memory for the metrics of this worker; it ignores what it has already. */
  pagesFor(workerIndex: number): readonly MetricPage[]
  /** Upgraded connections that are open. */
  tunnelsOf(workerIndex: number): WorkerView['tunnels']
  /** The worker is gone: its counts are kept, its memory is not. */
  retire(workerIndex: number): void
}

/** A worker that does not take a snapshot in this time hangs and is replaced. */
const applyMsMax = 10_000
const restartDelayMsMax = 5_000
/** Starts in a row without ever serving, after which the gateway gives up when no worker serves. */
const failedStartsMax = 5

type Waiting = { readonly revision: number; resolve(): void; reject(error: Error): void }

class Member {
  readonly index: number
  worker: Worker | undefined
  state: WorkerView['state'] = 'starting'
  revision = 0
  restarts = 0
  failedStarts = 0
  startError: HeadgateError | undefined
  waiting: Waiting[] = []
  onListening: ((port: number) => void) | undefined
  onStoppedAccepting: (() => void) | undefined
  onDrained: ((cutOff: number) => void) | undefined

  constructor(index: number) {
    this.index = index
  }

  post(message: ToWorker): void {
    this.worker?.postMessage(message)
  }

  /** Settles everybody who waits for a revision up to this one. */
  settle(revision: number, error?: Error): void {
    const due = this.waiting.filter((waiting) => waiting.revision <= revision)
    this.waiting = this.waiting.filter((waiting) => waiting.revision > revision)
    for (const waiting of due) {
      if (error === undefined) waiting.resolve()
      else waiting.reject(error)
    }
  }
}

export class Supervisor {
  /** Resolves, with the reason, when the workers cannot be kept running. */
  readonly failed: Promise<Error>
  readonly #options: SupervisorOptions
  readonly #members: readonly Member[]
  readonly #isPortShared: boolean
  readonly #timers = new Set<Timer>()
  #port: number
  #publication: Publication | undefined
  #ticketKeys: Uint8Array
  /** Addresses for TLS that our workers listen on or are about to, with the port really bound. */
  readonly #tlsAddresses = new Map<string, HostPort>()
  #isStarted = false
  #isStopping = false
  #fail: (error: Error) => void = () => undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#isPortShared = canSharePorts()
    const count = this.#isPortShared ? options.workerCount : 1
    this.#members = Array.from({ length: count }, (_, index) => new Member(index))
    this.#port = options.listen.port
    this.#ticketKeys = options.random.secretBytes(ticketKeyBytes)
    this.#timers.add(options.clock.every(ticketKeysMs, () => this.#renewTicketKeys()))
    this.failed = new Promise((resolve) => {
      this.#fail = resolve
    })
  }

  get port(): number {
    return this.#port
  }

  /** Where TLS clients connect; undefined as long as there is no certificate. */
  get tlsAddress(): HostPort | undefined {
    const wanted = this.#wantedTls(this.#publication)
    return wanted && this.#tlsAddresses.get(formatHostPort(wanted))
  }

  #wantedTls(publication: Publication | undefined): HostPort | undefined {
    const tls = publication?.snapshot.tls
    return tls && (this.#options.tlsListen ?? tls.listen)
  }

  #renewTicketKeys(): void {
    this.#ticketKeys = this.#options.random.secretBytes(ticketKeyBytes)
    for (const member of this.#members)
      member.post({ type: 'ticketKeys', ticketKeys: this.#ticketKeys })
  }

  views(): readonly WorkerView[] {
    return this.#members.map(({ index, state, revision, restarts }) => ({
      index,
      state,
      revision,
      restarts,
      tunnels: this.#options.telemetry.tunnelsOf(index),
    }))
  }

  /** Makes `publication` the one in force on every worker; the first call starts them. */
  async publish(publication: Publication): Promise<void> {
    const wanted = this.#wantedTls(publication)
    if (wanted !== undefined) await this.#reserveTls(wanted)
    this.#publication = publication
    if (!this.#isStarted) {
      await this.#start()
      return
    }
    const { revision } = publication.snapshot
    await Promise.all(this.#members.map((member) => this.#apply(member, publication, revision)))
    this.#forgetTlsExcept(wanted)
  }

  /** Learns the port where any is fine, since all workers must use the same. */
  async #reserveTls(wanted: HostPort): Promise<void> {
    const key = formatHostPort(wanted)
    // Where our workers listen the port is taken, by them.
    if (this.#tlsAddresses.has(key)) return
    const port = await requireFreePort(wanted)
    this.#tlsAddresses.set(key, { host: wanted.host, port })
  }

  #forgetTlsExcept(wanted: HostPort | undefined): void {
    const kept = wanted && formatHostPort(wanted)
    for (const key of this.#tlsAddresses.keys()) if (key !== kept) this.#tlsAddresses.delete(key)
  }

  async #start(): Promise<void> {
    if (this.#options.listen.port !== 0) await requireFreePort(this.#options.listen)
    const [first, ...others] = this.#members
    if (first === undefined) return
    // The first one learns the port when any port is fine; the others must use the same.
    this.#port = await this.#startMember(first)
    await Promise.all(others.map((member) => this.#startMember(member)))
    this.#isStarted = true
  }

  /** Resolves with the port once the worker listens. */
  #startMember(member: Member): Promise<number> {
    return new Promise((resolve, reject) => {
      member.onListening = resolve
      this.#spawn(member)
      member.worker?.once('exit', () => {
        if (member.onListening !== resolve) return
        member.onListening = undefined
        reject(
          member.startError ??
            new HeadgateError('run.worker_failed', {
              message: `worker ${member.index} ended before it served`,
            }),
        )
      })
    })
  }

  #spawn(member: Member): void {
    const { telemetry, ledgerMemory, listen } = this.#options
    const workerData: WorkerStart = {
      workerIndex: member.index,
      listen: { host: listen.host, port: this.#port, isPortShared: this.#isPortShared },
      transport: this.#options.transport,
      ledgerMemory,
      ringMemory: telemetry.openRing(member.index),
    }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData })
    member.worker = worker
    member.state = 'starting'
    worker.on('message', (message: FromWorker) => this.#onMessage(member, message))
    worker.on('error', (error) =>
      this.#options.log(`worker ${member.index} crashed: ${messageOf(error)}`),
    )
    worker.on('exit', () => this.#onExit(member, worker))
    const publication = this.#publication
    if (publication !== undefined) this.#send(member, publication)
  }

  #send(member: Member, publication: Publication): void {
    const metricPages = this.#options.telemetry.pagesFor(member.index)
    const address = this.tlsAddress
    const tlsListen = address && { ...address, isPortShared: this.#isPortShared }
    const ticketKeys = this.#ticketKeys
    member.post({ type: 'snapshot', ...publication, metricPages, tlsListen, ticketKeys })
  }

  #apply(member: Member, publication: Publication, revision: number): Promise<void> {
    // One that is starting or gone gets the newest publication as its first.
    if (member.state !== 'serving') return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.after(applyMsMax, () => {
        this.#options.log(
          `worker ${member.index} did not take revision ${revision} within ${applyMsMax} ms and is replaced`,
        )
        void member.worker?.terminate()
      })
      const settled = (settle: () => void) => () => {
        timer.cancel()
        settle()
      }
      member.waiting.push({
        revision,
        resolve: settled(resolve),
        reject: (error) => settled(() => reject(error))(),
      })
      this.#send(member, publication)
    })
  }

  #onMessage(member: Member, message: FromWorker): void {
    switch (message.type) {
      case 'listening':
        member.state = 'serving'
        member.failedStarts = 0
        member.onListening?.(message.port)
        member.onListening = undefined
        return
      case 'applied':
        member.revision = message.revision
        member.settle(message.revision)
        return
      case 'refused':
        this.#onRefused(member, message)
        return
      case 'stoppedAccepting':
        member.onStoppedAccepting?.()
        return
      case 'drained':
        member.onDrained?.(message.cutOff)
        return
      case 'failed':
        member.startError = new HeadgateError(
          isErrorCode(message.code) ? message.code : 'run.worker_failed',
          { message: message.message },
        )
        void member.worker?.terminate()
        return
      case 'log':
        this.#options.log(message.line)
        return
    }
  }

  #onRefused(
    member: Member,
    { revision, message }: Extract<FromWorker, { type: 'refused' }>,
  ): void {
    const error = new HeadgateError('run.worker_failed', {
      message: `worker ${member.index} refused revision ${revision}: ${message}`,
    })
    member.settle(revision, error)
    if (member.state === 'serving') return
    // It has nothing older to serve from.
    member.startError = error
    void member.worker?.terminate()
  }

  #onExit(member: Member, worker: Worker): void {
    if (member.worker !== worker) return
    const hasServed = member.state === 'serving'
    member.worker = undefined
    member.state = 'gone'
    this.#options.telemetry.retire(member.index)
    // Its successor starts with the newest publication, so nobody needs to wait for it.
    member.settle(Number.MAX_SAFE_INTEGER)
    member.onStoppedAccepting?.()
    member.onDrained?.(0)
    if (this.#isStopping || !this.#isStarted) return
    const isAlone = this.#members.every(({ state }) => state !== 'serving')
    if (!hasServed && ++member.failedStarts >= failedStartsMax && isAlone) {
      this.#fail(
        member.startError ??
          new HeadgateError('run.worker_failed', {
            message: `worker ${member.index} cannot be started`,
          }),
      )
      return
    }
    member.restarts++
    this.#restartLater(member, hasServed)
  }

  /** At once after a crash in service; slower and slower when it cannot start at all. */
  #restartLater(member: Member, hasServed: boolean): void {
    const delayMs = hasServed ? 0 : Math.min(100 * 2 ** member.failedStarts, restartDelayMsMax)
    this.#options.log(`worker ${member.index} is replaced (restart ${member.restarts})`)
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer)
      if (!this.#isStopping) this.#spawn(member)
    })
    this.#timers.add(timer)
  }

  /** Drains all workers and ends them; resolves with the number of connections cut off. */
  async stop(budgetMs: number): Promise<number> {
    this.#isStopping = true
    for (const timer of this.#timers) timer.cancel()
    await Promise.all(this.#members.map((member) => this.#closePort(member)))
    const cutOffs = await Promise.all(
      this.#members.map((member) => this.#stopMember(member, budgetMs)),
    )
    return cutOffs.reduce((sum, cutOff) => sum + cutOff, 0)
  }

  async #stopMember(member: Member, budgetMs: number): Promise<number> {
    const { worker } = member
    if (worker === undefined) return 0
    const wasServing = member.state === 'serving'
    member.state = 'draining'
    const cutOff = wasServing ? await this.#drainMember(member, budgetMs) : 0
    await worker.terminate()
    return cutOff
  }

  /**
   * Every port closes before any worker tells its clients to go: they come back at once, and a
   * worker that still listened would take their connections only to reset them.
   */
  #closePort(member: Member): Promise<void> {
    if (member.state !== 'serving') return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(drainGraceMs, resolve)
      member.onStoppedAccepting = () => {
        timer.cancel()
        resolve()
      }
      member.post({ type: 'stopAccepting' })
    })
  }

  #drainMember(member: Member, budgetMs: number): Promise<number> {
    return new Promise((resolve) => {
      // A worker that does not even answer is ended from outside.
      const timer = this.#options.clock.after(budgetMs + drainGraceMs, () => resolve(0))
      member.onDrained = (cutOff) => {
        timer.cancel()
        resolve(cutOff)
      }
      member.post({ type: 'drain', budgetMs })
    })
  }
}

const drainGraceMs = 1_000

/** Where the kernel deals connections to several listeners of one port (Node: `reusePort`). */
function canSharePorts(): boolean {
  return ['linux', 'freebsd', 'dragonfly', 'sunos', 'aix'].includes(process.platform)
}

/**
 * Workers share the port among each other, and so would a second gateway, silently taking half of
 * the connections. An exclusive bind before they start shows whether the port is anybody's, and which
 * one it is when any will do.
 */
function requireFreePort({ host, port }: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenError(error, { host, port })),
    )
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address()
      const bound = typeof address === 'object' && address !== null ? address.port : port
      probe.close(() => resolve(bound))
    })
  })
}

/** A stolen ticket key opens the sessions of this time; clients resume them across one renewal at most. */
const ticketKeysMs = 12 * 3_600_000
/** Name, encryption key and authentication key of 16 bytes each. */
const ticketKeyBytes = 48
