/**
 * One request and its response, from the head that arrived to the record that is left. The phases
 * are in `phases.ts`; this class holds the state they share and is what policies see.
 *
 * It is a state machine driven by calls, not by promises: as long as no policy waits, a request
 * passes from the client's bytes to the upstream's socket in one turn of the event loop.
 */
import { assert, type ErrorCode, HeadgateError, messageOf } from '../base/errors.ts'
import { composeHead, FieldEditList, type HeadParts } from '../wire/http1/compose.ts'
import type { FieldKey } from '../wire/http1/fields.ts'
import { type BodyRefusal, connectionOptions } from '../wire/http1/framing.ts'
import type { Head } from '../wire/http1/head.ts'
import { targetOf } from '../wire/http1/host.ts'
import type { Inbound, InboundListener } from '../wire/inbound.ts'
import { Tunnel, type TunnelEnd } from '../wire/tunnel.ts'
import type { ActiveRoute, ActiveSnapshot, ActiveVersion } from './active-snapshot.ts'
import { type Answer, problemAnswer, statusLine } from './answers.ts'
import { Attempt, type AttemptFailure, type AttemptOwner } from './attempt.ts'
import { timeoutsOf } from './choose-upstream.ts'
import {
  bodylessResponseDrops,
  clientCertLine,
  forwardingLines,
  type Origin,
  originOf,
  requestDropOf,
  responseDrops,
} from './forwarding.ts'
import { runPhases } from './phases.ts'
import {
  type ConsumerIdentity,
  type FieldEdits,
  proceed,
  type PolicyExchange,
  type Verdict,
} from './policies/define-policy.ts'
import { runResponse } from './policies/run-chain.ts'
import type { ProxyServices } from './proxy-services.ts'
import { RequestFacts } from './request-facts.ts'
import type { RouteMatchResult } from './router/match.ts'
import { isIdentityRewrite, rewriteTarget, upstreamHost } from './router/rewrite.ts'
import { settle } from './settle.ts'
import type { RouteAction, Timeouts } from './snapshot.ts'
import { tunnelExcess, upgradeAnswerLines, upgradeLines, upgradesAskedFor } from './upgrades.ts'
import type { Endpoint } from './upstreams/endpoint.ts'

/** Endpoints tried before giving up on an exchange that no endpoint has begun to work on. */
const attemptsMax = 3

type Stage = 'deciding' | 'proxying' | 'responding' | 'settled'
type ProxyAction = Extract<RouteAction, { type: 'proxy' }>
export type TriedEndpoint = { readonly url: string; readonly outcome: string }

export class Exchange implements InboundListener, PolicyExchange, AttemptOwner {
  readonly inbound: Inbound
  readonly active: ActiveSnapshot
  readonly services: ProxyServices
  readonly origin: Origin
  readonly request: RequestFacts
  readonly startedAtMs: number
  /** The request body may have this many bytes. */
  bodyBytesMax: number
  policiesEntered = 0
  consumer: ConsumerIdentity | undefined
  match: RouteMatchResult | undefined
  activeRoute: ActiveRoute | undefined
  version: ActiveVersion | undefined
  endpoint: Endpoint | undefined
  /** From the request sent to the first byte of the answer; -1 without upstream. */
  upstreamMs = -1
  attemptCount = 0
  status = 0
  /** Code from the catalogue when the gateway answered or cut off; empty otherwise. */
  reason: ErrorCode | '' = ''
  isAnsweredByGateway = false
  responseBytes = 0
  requestBytes = 0
  #stage: Stage = 'deciding'
  #attempt: Attempt | undefined
  #tunnel: Tunnel | undefined
  #hasRetriedStale = false
  readonly #tried: Endpoint[] = []
  readonly #outcomes: TriedEndpoint[] = []
  #timeouts: Timeouts | undefined
  #requestEdits: FieldEditList | undefined
  #responseEdits: FieldEditList | undefined
  #removedParameters: Set<string> | undefined
  #abort: AbortController | undefined
  #isResponseStarted = false

  constructor(inbound: Inbound, active: ActiveSnapshot, services: ProxyServices) {
    this.inbound = inbound
    this.active = active
    this.services = services
    this.startedAtMs = services.clock.now()
    this.origin = originOf(inbound, active.forwarding, services.ids)
    this.request = new RequestFacts(inbound, targetOf(inbound.head), this.origin.clientAddress)
    this.bodyBytesMax = active.snapshot.gateway.limits.bodyBytesMax ?? Number.MAX_SAFE_INTEGER
    active.enter()
  }

  run(): void {
    try {
      runPhases(this)
    } catch (thrown) {
      this.fail(thrown)
    }
  }

  // What policies see

  get client() {
    const { peerPort: port, peerCertificate: certificate } = this.inbound
    return { address: this.origin.clientAddress, port, certificate }
  }

  get route() {
    return { name: this.activeRoute?.entry.name ?? '' }
  }

  get requestId(): string {
    return this.origin.requestId
  }

  get requestFields(): FieldEdits {
    this.#requestEdits ??= new FieldEditList()
    return this.#requestEdits
  }

  get responseFields(): FieldEdits {
    this.#responseEdits ??= new FieldEditList()
    return this.#responseEdits
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#stage === 'settled') this.#abort.abort(new HeadgateError('client.aborted'))
    return this.#abort.signal
  }

  limitRequestBody(bytesMax: number): void {
    this.bodyBytesMax = Math.min(this.bodyBytesMax, bytesMax)
  }

  removeQueryParameter(name: string): void {
    this.#removedParameters ??= new Set()
    this.#removedParameters.add(name)
  }

  // Own answers

  get isOver(): boolean {
    return this.#stage === 'settled'
  }

  /** Answers with the problem document of `code`, or cuts the response off when it has begun. */
  refuse(
    code: ErrorCode,
    options: {
      message?: string
      detail?: Readonly<Record<string, unknown>>
      verdict?: Extract<Verdict, { type: 'deny' }>
    } = {},
  ): void {
    if (this.#stage === 'settled') return
    if (this.#isResponseStarted) {
      this.#cutOff(code)
      return
    }
    const { verdict } = options
    this.reason = code
    this.answer(
      problemAnswer(code, {
        requestId: this.requestId,
        message: options.message,
        detail: options.detail ?? verdict?.detail,
        status: verdict?.status,
        fields: verdict?.fields,
      }),
    )
  }

  /** Sends a response of our own. */
  answer(answer: Answer): void {
    if (this.#stage === 'settled') return
    this.#attempt?.cancel()
    this.isAnsweredByGateway = true
    const verdict = this.#showResponse({
      status: answer.status,
      isFromUpstream: false,
      field: (name) => answer.fields.find((line) => line[0] === name)?.[1],
    })
    // A policy that fails on the answer of its own failure has had its say.
    if (verdict.type === 'deny' && this.reason !== 'policy.failed') {
      this.refuse(verdict.code)
      return
    }
    if (!this.inbound.isBodyDone) this.inbound.discardBody()
    const isBodyless = answer.status === 204 || answer.status === 304
    const isHead = this.inbound.head.method === 'HEAD'
    let text = statusLine(answer.status)
    for (const [name, value] of answer.fields) {
      if (this.#responseEdits?.hasRemoved(name) !== true) text += `${name}: ${value}\r\n`
    }
    text += `date: ${this.services.httpDate()}\r\n${this.#responseLines()}`
    if (!isBodyless) text += `content-length: ${answer.body.length}\r\n`
    this.status = answer.status
    this.#isResponseStarted = true
    const body = isBodyless || isHead || answer.body.length === 0 ? undefined : answer.body
    this.responseBytes = body?.length ?? 0
    const { inbound } = this
    const framing = body === undefined ? 'none' : 'length'
    const parts: HeadParts = { text, source: undefined, drop: responseDrops, removed: [] }
    this.#settle()
    // What breaks the rules of the wire is the last message that we read from there.
    const isClose = inbound.bodyFailure !== undefined || this.reason.startsWith('wire.')
    inbound.respond(parts, { framing, isLast: true, isClose }, body)
  }

  /** Anything thrown inside the exchange: a failed operation, or a bug of ours. */
  fail(thrown: unknown): void {
    if (thrown instanceof HeadgateError) {
      this.refuse(thrown.code, { message: thrown.message })
      return
    }
    this.services.log(`request ${this.requestId}: internal error: ${messageOf(thrown)}`)
    this.refuse('gateway.internal')
  }

  #responseLines(): string {
    return `${this.active.forwarding.requestIdKey.name}: ${this.requestId}\r\n${this.#responseEdits?.lines() ?? ''}`
  }

  #showResponse(view: Parameters<typeof runResponse>[3]): Verdict {
    const chain = this.activeRoute?.chain
    if (chain === undefined || chain.responseSteps.length === 0) return proceed
    return runResponse(chain, this.policiesEntered, this, view)
  }

  // Towards the upstream

  /** Begins the first attempt. */
  proxyTo(version: ActiveVersion): void {
    this.#stage = 'proxying'
    this.version = version
    this.#timeouts = timeoutsOf(this.#action().timeouts, version.entry.timeouts)
    // A policy may have lowered the limit.
    if (this.isBodyTooLarge(this.inbound.bodyLength)) return
    const { credential } = version
    if (credential.type === 'missing') {
      this.refuse('upstream.account_unavailable', {
        detail: { upstreamVersion: version.entry.name, account: credential.account },
      })
      return
    }
    this.#tryNext()
  }

  #action(): ProxyAction {
    const action = this.activeRoute?.entry.action
    assert(action?.type === 'proxy', 'only a proxied route has attempts')
    return action
  }

  #tryNext(): void {
    const endpoint = this.version?.cluster.pick(this.#tried, this.services.coarseNow())
    if (endpoint === undefined) {
      this.#refuseUpstream('upstream.no_endpoint', 'no endpoint of the version takes traffic')
      return
    }
    this.#tried.push(endpoint)
    this.#try(endpoint, { isFresh: false })
  }

  #try(endpoint: Endpoint, options: { isFresh: boolean }): void {
    assert(this.#timeouts !== undefined, 'an attempt begins after the version is chosen')
    this.endpoint = endpoint
    this.attemptCount++
    this.#attempt = new Attempt(this, endpoint, this.#timeouts)
    this.#attempt.start(options)
  }

  takeFirstBody(): Buffer | undefined {
    const { inbound } = this
    if (inbound.bodyFraming === 'none') return undefined
    const body = inbound.takeBody()
    this.requestBytes = inbound.bodyDataBytes
    if (inbound.bodyFailure !== undefined) this.onRequestBodyFailed(inbound.bodyFailure)
    else this.isBodyTooLarge(this.requestBytes)
    return body
  }

  /** Refuses the request when its body is too large, declared or counted. */
  isBodyTooLarge(bytes: number): boolean {
    if (bytes <= this.bodyBytesMax) return false
    this.refuse('client.body_too_large', { detail: { limitBytes: this.bodyBytesMax } })
    return true
  }

  composeRequest(endpoint: Endpoint, body: Buffer | undefined): Buffer {
    const { head } = this.inbound
    const { credential } = this.version ?? {}
    const target = this.#targetFor(endpoint)
    const host = upstreamHost(this.#action().rewrite, {
      // HTTP/1.0 clients may leave it out.
      client: this.request.authority || endpoint.entry.authority,
      endpoint: endpoint.entry.authority,
    })
    const lines = forwardingLines(this.inbound, this.origin, {
      authority: this.request.authority,
      requestIdHeader: this.active.forwarding.requestIdKey.name,
    })
    const lease = credential?.type === 'lease' ? credential.lines.text : ''
    const edits = this.#requestEdits?.lines() ?? ''
    const { isClientCertForwarded } = this.active.forwarding
    const certificate = isClientCertForwarded ? clientCertLine(this.inbound) : ''
    return composeHead(
      {
        text: `${head.method} ${target} HTTP/1.1\r\nhost: ${host}\r\n${upgradeLines(this.upgrades)}${lines}${certificate}${lease}${edits}`,
        source: head,
        drop: requestDropOf(this.origin),
        removed: this.#removedFromRequest(),
      },
      body,
    )
  }

  #targetFor(endpoint: Endpoint): string {
    const { rewrite } = this.#action()
    const { request } = this
    const { pathPrefix } = endpoint.entry
    const query =
      this.#removedParameters === undefined
        ? request.query
        : withoutParameters(request.query, this.#removedParameters)
    if (isIdentityRewrite(rewrite)) {
      const path = pathPrefix === '' ? request.path : pathPrefix + request.path
      return query === '' ? path : `${path}?${query}`
    }
    assert(this.match !== undefined, 'a proxied request has matched a route')
    return rewriteTarget(rewrite, { path: request.path, query }, this.match, pathPrefix)
  }

  #removedFromRequest(): readonly FieldKey[] {
    const { named } = connectionOptions(this.inbound.head)
    const { credential } = this.version ?? {}
    const leased = credential?.type === 'lease' ? credential.removed : []
    const edited = this.#requestEdits?.removed ?? []
    const forced = this.#forcedVersionKey()
    const standing = this.active.forwarding.removed
    if (named.length + leased.length + edited.length === 0 && forced === undefined) return standing
    return [...standing, ...named, ...leased, ...edited, ...(forced === undefined ? [] : [forced])]
  }

  #forcedVersionKey(): FieldKey | undefined {
    return this.active.upstreams[this.#action().upstreamIndex]?.forcedVersionKey
  }

  onInformational(head: Head): void {
    if (this.#isResponseStarted) return
    this.inbound.inform({
      text: statusLine(head.status, head.reason()),
      source: head,
      drop: bodylessResponseDrops,
      removed: connectionOptions(head).named,
    })
  }

  /** The head for the client, once the policies have seen it; undefined when one refused it. */
  #responseParts(attempt: Attempt, head: Head): HeadParts | undefined {
    this.upstreamMs = attempt.firstByteMs ?? -1
    const verdict = this.#showResponse({
      status: head.status,
      isFromUpstream: true,
      field: (name) => head.value(name),
    })
    if (verdict.type === 'deny') {
      attempt.cancel()
      this.refuse(verdict.code)
      return undefined
    }
    this.#stage = 'responding'
    this.#isResponseStarted = true
    this.status = head.status
    const { named } = connectionOptions(head)
    const edited = this.#responseEdits?.removed ?? []
    const standing = this.active.forwarding.removed
    return {
      text: statusLine(head.status, head.reason()) + this.#responseLines(),
      source: head,
      drop: head.status === 204 || head.status === 101 ? bodylessResponseDrops : responseDrops,
      removed: named.length + edited.length === 0 ? standing : [...standing, ...named, ...edited],
    }
  }

  onResponse(attempt: Attempt, head: Head, body: Buffer | undefined, isDone: boolean): boolean {
    const parts = this.#responseParts(attempt, head)
    if (parts === undefined) return true
    this.responseBytes = attempt.responseDataBytes
    const { inbound } = this
    const framing = attempt.responseFraming
    if (isDone) this.#settle()
    return inbound.respond(parts, { framing, isLast: isDone, isClose: false }, body)
  }

  onResponseBody(attempt: Attempt, bytes: Buffer | undefined, isDone: boolean): boolean {
    if (this.#stage === 'settled') return true
    this.responseBytes = attempt.responseDataBytes
    const { inbound } = this
    if (isDone) this.#settle()
    return inbound.writeBody(bytes, isDone)
  }

  get upgrades(): readonly string[] {
    return upgradesAskedFor(this.inbound, this.#action().upgrades)
  }

  onUpgrade(attempt: Attempt, head: Head, end: TunnelEnd): void {
    const parts = this.#responseParts(attempt, head)
    const text = `${parts?.text ?? ''}${upgradeAnswerLines(head)}`
    const client = parts && this.inbound.upgrade?.({ ...parts, text })
    if (client === undefined) {
      end.stream.destroy()
      return
    }
    const { services, active } = this
    this.#tunnel = new Tunnel(client, end, {
      coarseNow: services.coarseNow,
      onOver: (lost) => {
        if (lost === 'client') this.reason = 'client.aborted'
        if (lost === 'upstream') this.reason = 'upstream.connection_lost'
        this.#settle()
      },
    })
    services.onTunnelOpened(active.snapshot.revision)
    this.#tunnel.start()
  }

  #closeTunnel(tunnel: Tunnel, code: ErrorCode): void {
    if (this.#stage === 'settled') return
    this.reason = code
    this.#settle()
    tunnel.close()
  }

  #settleTunnel(tunnel: Tunnel): void {
    this.requestBytes = tunnel.bytesFromClient
    this.responseBytes = tunnel.bytesFromUpstream
    this.#attempt?.cancel()
    this.services.onTunnelClosed(this.active.snapshot.revision)
  }

  onAttemptFailed(attempt: Attempt, failure: AttemptFailure): void {
    if (this.#stage === 'settled' || attempt !== this.#attempt) return
    this.#outcomes.push({ url: attempt.endpoint.entry.url, outcome: failure.message })
    if (this.#isResponseStarted) {
      this.#cutOff(failure.code)
      return
    }
    if (failure.isStale && !this.#hasRetriedStale && this.#isReplaySafe()) {
      this.#hasRetriedStale = true
      this.services.onRetry()
      this.#try(attempt.endpoint, { isFresh: true })
      return
    }
    const hasOther = this.#tried.length < (this.version?.cluster.endpoints.length ?? 0)
    if (failure.isUnsent && hasOther && this.#tried.length < attemptsMax) {
      this.services.onRetry()
      this.#tryNext()
      return
    }
    this.#refuseUpstream(failure.code, failure.message)
  }

  /** Sending it twice does what sending it once does (RFC 9110 §9.2.2), and none of its body is gone. */
  #isReplaySafe(): boolean {
    return this.inbound.bodyFraming === 'none' && idempotentMethods.has(this.inbound.head.method)
  }

  #refuseUpstream(code: ErrorCode, message: string): void {
    const upstream = this.active.upstreams[this.#action().upstreamIndex]?.entry.name
    const version = this.version?.entry.name ?? ''
    this.refuse(code, {
      message: `${upstream} ${version}: ${message}`,
      detail: { upstream, version, endpoints: this.#outcomes },
    })
  }

  // From the client

  onRequestBody(bytes: Buffer, isLast: boolean): void {
    this.requestBytes = this.inbound.bodyDataBytes
    if (this.isBodyTooLarge(this.requestBytes)) return
    this.#attempt?.writeBody(bytes, isLast)
  }

  onRequestBodyFailed(code: BodyRefusal | 'wire.body_timeout'): void {
    this.#attempt?.cancel()
    this.services.onRefusedMessage(code)
    this.refuse(code)
  }

  onDrain(): void {
    this.#attempt?.resumeResponse()
  }

  onGone(cause: ErrorCode = 'client.aborted'): void {
    if (this.#tunnel !== undefined) this.#closeTunnel(this.#tunnel, cause)
    if (this.#stage === 'settled') return
    this.reason = 'client.aborted'
    if (this.status === 0) this.status = 499
    this.#attempt?.cancel()
    this.#settle()
  }

  onSweep(nowMs: number): void {
    if (this.#tunnel !== undefined) {
      const reason = tunnelExcess(this.#tunnel, this.#timeouts, nowMs)
      if (reason !== undefined) this.#closeTunnel(this.#tunnel, reason)
      return
    }
    const totalMs = this.#timeouts?.totalMs
    if (totalMs !== undefined && this.services.clock.now() - this.startedAtMs > totalMs) {
      this.#attempt?.cancel()
      this.#outcomes.push({ url: this.endpoint?.entry.url ?? '', outcome: 'total time is over' })
      this.#refuseUpstream('upstream.total_timeout', `not finished within ${totalMs} ms`)
      return
    }
    this.#attempt?.sweep(nowMs)
  }

  coarseNow(): number {
    return this.services.coarseNow()
  }

  now(): number {
    return this.services.clock.now()
  }

  /** The response has begun and cannot be finished: the client must notice. */
  #cutOff(code: ErrorCode): void {
    this.reason = code
    this.#attempt?.cancel()
    const { inbound } = this
    this.#settle()
    inbound.abort()
  }

  #settle(): void {
    if (this.#stage === 'settled') return
    this.#stage = 'settled'
    if (this.#tunnel !== undefined) this.#settleTunnel(this.#tunnel)
    this.#abort?.abort(new HeadgateError('client.aborted'))
    settle(this)
    this.request.release()
    this.active.leave()
  }

  /** The verdict of the request policies, which may come later and after the client has gone. */
  decide(verdict: Verdict, onProceed: () => void): void {
    if (this.#stage === 'settled') return
    try {
      if (verdict.type === 'proceed') onProceed()
      else if (verdict.type === 'deny') this.refuse(verdict.code, { verdict })
      else
        this.answer({
          status: verdict.status,
          fields: verdict.fields,
          body: Buffer.from(verdict.body),
        })
    } catch (thrown) {
      this.fail(thrown)
    }
  }
}

const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** The query without some parameters; the rest stays byte for byte. */
function withoutParameters(query: string, names: ReadonlySet<string>): string {
  const kept = query.split('&').filter((pair) => {
    const [name] = new URLSearchParams(pair).keys()
    return name === undefined || !names.has(name)
  })
  return kept.join('&')
}
