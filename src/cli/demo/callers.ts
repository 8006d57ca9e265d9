/**
 * The synthetic clients of the demo: three apps that call the gateway over real, kept-alive
 * connections, read the answers, and remember what they experienced for a few seconds.
 */
import { Agent, request as httpRequest } from 'node:http'
import type { Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import { s } from '../../base/schema.ts'
import { versionField } from './bookshop.ts'

export type CallerApp = {
  readonly name: string
  readonly key: string
  /** Relative to the other apps. */
  readonly weight: number
}

export type Experience = {
  readonly requestsPerSecond: number
  /** Fractions of all answers in the window. */
  readonly errorShare: number
  readonly p95Ms: number
  /** By the version that answered, as the answer itself says. */
  readonly versions: ReadonlyMap<string, VersionExperience>
  /** What went wrong last, for people. */
  readonly lastError: string | undefined
}

export type VersionExperience = {
  readonly share: number
  readonly errorShare: number
  readonly p95Ms: number
}

export type Callers = {
  /** What the last seconds were like. */
  experience(): Experience
  close(): Promise<void>
}

type CallersOptions = {
  readonly url: string
  readonly apps: readonly CallerApp[]
  readonly clock: Clock
  readonly random: Random
}

const requestsPerSecond = 20
const windowMs = 5_000
const timeoutMs = 5_000
const bodyCharactersMax = 65_536
/** Beyond this a request is not sent: the gateway does not answer at all. */
const inFlightMax = 200
const paths = ['/books', '/books/1', '/books/2', '/books/3', '/books/4', '/books/5'] as const

type Call = {
  readonly atMs: number
  readonly durationMs: number
  readonly version: string | undefined
  readonly error: string | undefined
}

/** Starts calling, about twenty times a second, until closed. */
export function startCallers(options: CallersOptions): Callers {
  const { clock, random } = options
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const startedMs = clock.now()
  let calls: Call[] = []
  let inFlight = 0
  const ticker = clock.every(1_000 / requestsPerSecond, () => {
    if (inFlight >= inFlightMax) return
    inFlight += 1
    void callOnce(pick(options.apps, random), { ...options, agent }).then((call) => {
      inFlight -= 1
      calls.push(call)
    })
  })
  return {
    experience() {
      const now = clock.now()
      calls = calls.filter((call) => call.atMs > now - windowMs)
      return summarise(calls, Math.min(windowMs, now - startedMs))
    },
    async close() {
      ticker.cancel()
      agent.destroy()
    },
  }
}

/** One call; whatever goes wrong is part of the experience, so it never rejects. */
function callOnce(app: CallerApp, options: CallersOptions & { agent: Agent }): Promise<Call> {
  const { clock, random } = options
  const startMs = clock.now()
  const path = paths[Math.floor(random.fraction() * paths.length)] ?? '/books'
  return new Promise((resolve) => {
    let version: string | undefined
    const finish = (error: string | undefined) => {
      timer.cancel()
      const nowMs = clock.now()
      resolve({ atMs: nowMs, durationMs: nowMs - startMs, version, error })
    }
    const request = httpRequest(
      new URL(path, options.url),
      { agent: options.agent, headers: { 'x-api-key': app.key, accept: 'application/json' } },
      (response) => {
        const named = response.headers[versionField]
        version = typeof named === 'string' ? named : undefined
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          if (body.length < bodyCharactersMax) body += text
        })
        response.on('error', (error) => finish(messageOf(error)))
        response.on('end', () => finish(judge(response.statusCode ?? 0, body)))
      },
    )
    const timer = clock.after(timeoutMs, () => request.destroy(new Error('no answer in 5 s')))
    request.on('error', (error) => finish(messageOf(error)))
    request.end()
  })
}

const book = s.union([
  s.object({ title: s.string(), price: s.number() }),
  s.object({ title: s.string(), amount: s.number() }),
])
const usableAnswer = s.union([book, s.object({ books: s.array(book).max(1_000) })])

/** A caller is served when the status is good and the price is a number, whatever its name. */
function judge(status: number, body: string): string | undefined {
  if (status !== 200) return `status ${status}`
  try {
    return usableAnswer.safeParse(JSON.parse(body)).success ? undefined : 'price is not a number'
  } catch (thrown) {
    return `answer is not JSON: ${messageOf(thrown)}`
  }
}

function pick(apps: readonly CallerApp[], random: Random): CallerApp {
  const total = apps.reduce((sum, app) => sum + app.weight, 0)
  let at = random.fraction() * total
  for (const app of apps) {
    at -= app.weight
    if (at < 0) return app
  }
  return apps[0] ?? { name: 'nobody', key: '', weight: 1 }
}

/** Pure: calls of a window to numbers for people. */
export function summarise(calls: readonly Call[], spanMs: number): Experience {
  const byVersion = Map.groupBy(
    calls.filter((call) => call.version !== undefined),
    (call) => call.version ?? '',
  )
  const versions = [...byVersion].map(([version, own]): [string, VersionExperience] => [
    version,
    { share: own.length / calls.length, errorShare: errorShare(own), p95Ms: p95(own) },
  ])
  return {
    requestsPerSecond: spanMs === 0 ? 0 : (calls.length * 1_000) / spanMs,
    errorShare: errorShare(calls),
    p95Ms: p95(calls),
    versions: new Map(versions.toSorted(([a], [b]) => a.localeCompare(b))),
    lastError: calls.findLast((call) => call.error !== undefined)?.error,
  }
}

function errorShare(calls: readonly Call[]): number {
  if (calls.length === 0) return 0
  return calls.filter((call) => call.error !== undefined).length / calls.length
}

function p95(calls: readonly Call[]): number {
  const durations = calls.map((call) => call.durationMs).toSorted((a, b) => a - b)
  return durations[Math.ceil(durations.length * 0.95) - 1] ?? 0
}
