/**
 * Load over keep-alive connections, one request after the other on each, several connections in
 * parallel. Every request counts, and every answer is checked: that it is the answer to this very
 * request, that its length is right and that no byte of its body has changed.
 */
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'
import { crc32 } from 'node:zlib'
import { patternOf } from './upstream.ts'

export type LoadOptions = {
  readonly url: string
  /** Path, and query where there is one, without what the load adds. Default `/load`. */
  readonly path?: string
  readonly connections?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Ends by itself after this many. */
  readonly requestsMax?: number
  /** A refusal that the configuration asked for, which is no failure. */
  isRefusal?(status: number): boolean
  /** Sees every good answer. */
  onAnswer?(response: IncomingMessage): void
}

export type LoadResult = {
  readonly sent: number
  readonly ok: number
  /** By status. */
  readonly refused: ReadonlyMap<number, number>
  /** Nothing was sent: the connection was refused, and the lane of the load ended with it. */
  readonly notConnected: number
  readonly failed: readonly Failure[]
  readonly connectionsOpened: number
}

export type Failure = {
  readonly reason: string
  /** `performance.now()` when all of the request had been handed to the kernel; undefined if never. */
  readonly sentAt: number | undefined
  /** Whether it was the first request on its connection. */
  readonly isNewConnection: boolean
}

export type Load = {
  readonly okCount: number
  readonly failedCount: number
  /** Resolves when this many more answers have been good, or the load has ended. */
  more(count: number): Promise<void>
  stop(): Promise<LoadResult>
  readonly ended: Promise<LoadResult>
}

/** Small and large, with length and chunked, with and without request body. */
const mix = [
  { send: 0, receive: 12, isChunked: false },
  { send: 300, receive: 0, isChunked: false },
  { send: 0, receive: 3_000, isChunked: true },
  { send: 0, receive: 0, isChunked: false },
  { send: 9_000, receive: 0, isChunked: true },
  { send: 0, receive: 40_000, isChunked: false },
  { send: 0, receive: 100, isChunked: false },
  { send: 120_000, receive: 0, isChunked: true },
  { send: 0, receive: 150_000, isChunked: true },
  { send: 20, receive: 0, isChunked: false },
] as const

const requestMsMax = 20_000

export function startLoad(options: LoadOptions): Load {
  const { connections = 8, requestsMax = Number.MAX_SAFE_INTEGER } = options
  const failed: Failure[] = []
  const tally = {
    sent: 0,
    ok: 0,
    notConnected: 0,
    connectionsOpened: 0,
    refused: new Map<number, number>(),
    failed,
  }
  const waiting = new Set<{ readonly at: number; resolve(): void }>()
  let isStopping = false

  const lane = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, keepAliveMsecs: 60_000 })
    try {
      while (!isStopping && tally.sent < requestsMax) {
        const number = tally.sent++
        const outcome = await exchange(options, agent, number)
        if (outcome.isNewConnection) tally.connectionsOpened += 1
        if (outcome.type === 'ok') {
          tally.ok += 1
          for (const waiter of waiting) if (tally.ok >= waiter.at) waiter.resolve()
        } else if (outcome.type === 'refused') {
          tally.refused.set(outcome.status, (tally.refused.get(outcome.status) ?? 0) + 1)
        } else if (outcome.type === 'notConnected') {
          tally.notConnected += 1
          return
        } else if (outcome.type === 'failed') {
          const { reason, sentAt, isNewConnection } = outcome
          tally.failed.push({ reason, sentAt, isNewConnection })
        }
      }
    } finally {
      agent.destroy()
    }
  }

  const ended = Promise.all(Array.from({ length: connections }, lane)).then(() => {
    for (const waiter of waiting) waiter.resolve()
    return tally
  })
  return {
    get okCount() {
      return tally.ok
    },
    get failedCount() {
      return tally.failed.length
    },
    more(count) {
      return new Promise((resolve) => {
        const waiter = {
          at: tally.ok + count,
          resolve: () => {
            waiting.delete(waiter)
            resolve()
          },
        }
        waiting.add(waiter)
        void ended.then(waiter.resolve)
      })
    },
    stop() {
      isStopping = true
      return ended
    },
    ended,
  }
}

type Outcome = { readonly isNewConnection: boolean } & (
  | { readonly type: 'ok' | 'notConnected' }
  | { readonly type: 'refused'; readonly status: number }
  | { readonly type: 'failed'; readonly reason: string; readonly sentAt: number | undefined }
)

function exchange(options: LoadOptions, agent: Agent, number: number): Promise<Outcome> {
  const { url, path = '/load', headers = {} } = options
  const shape = mix[number % mix.length] ?? mix[0]
  const body = patternOf(shape.send)
  const expected = shape.send > 0 ? body : patternOf(shape.receive)
  const query = `${shape.send > 0 ? '' : `size=${shape.receive}&`}${shape.isChunked ? 'chunked=1&' : ''}n=${number}`
  return new Promise((resolve) => {
    let sentAt: number | undefined
    let isNewConnection = false
    const fail = (reason: string) =>
      resolve({ type: 'failed', reason: `#${number} ${reason}`, sentAt, isNewConnection })
    const request = httpRequest(`${url}${path}${path.includes('?') ? '&' : '?'}${query}`, {
      agent,
      method: shape.send > 0 ? 'POST' : 'GET',
      headers: {
        ...headers,
        'x-echo-id': String(number),
        ...(shape.send > 0 && !shape.isChunked && { 'content-length': shape.send }),
      },
      signal: AbortSignal.timeout(requestMsMax),
    })
    request.once('socket', () => {
      isNewConnection = !request.reusedSocket
    })
    request.once('finish', () => {
      sentAt = performance.now()
    })
    request.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve({ type: 'notConnected', isNewConnection })
      else
        fail(
          `${error.code ?? error.name} ${error.message}${request.reusedSocket ? ' (kept alive)' : ''}`,
        )
    })
    request.once('response', (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.once('error', (error) => fail(`answer broke off: ${error.message}`))
      response.once('end', () => {
        const received = Buffer.concat(parts)
        const status = response.statusCode ?? 0
        if (options.isRefusal?.(status) === true)
          return resolve({ type: 'refused', status, isNewConnection })
        const problem = wrongnessOf(response, received, { expected, number })
        if (problem !== undefined) return fail(problem)
        options.onAnswer?.(response)
        resolve({ type: 'ok', isNewConnection })
      })
    })
    request.end(shape.send > 0 ? body : undefined)
  })
}

function wrongnessOf(
  response: IncomingMessage,
  received: Buffer,
  { expected, number }: { expected: Buffer; number: number },
): string | undefined {
  if (response.statusCode !== 200)
    return `status ${response.statusCode}: ${received.toString().slice(0, 300)}`
  if (response.headers['x-echo-id'] !== String(number))
    return `the answer to another request: ${response.headers['x-echo-id']}`
  if (received.length !== expected.length)
    return `${received.length} bytes instead of ${expected.length}`
  const sum = crc32(received)
  if (sum !== crc32(expected)) return 'the body has changed'
  if (response.headers['x-body-crc'] !== String(sum)) return 'the upstream got another body'
  return undefined
}
