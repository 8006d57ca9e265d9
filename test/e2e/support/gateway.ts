/** A running gateway, as somebody sees it who started it on a free port. */
import { match } from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import type { Ended, HeadgateProcess, Workbench } from '../../support/headgate-process.ts'

export type Gateway = HeadgateProcess & {
  /** Where callers connect. */
  readonly url: string
  readonly adminUrl: string
  /** Owner token; empty when the start before this one made it. */
  readonly token: string
  /** What the serving line says after the addresses, such as `store mode (.headgate) · revision 3`. */
  readonly servingAs: string
  /** A call of the admin API with the owner token; `body` goes as JSON. */
  admin(method: string, path: string, body?: unknown, headers?: Headers): Promise<AdminAnswer>
  stop(signal?: NodeJS.Signals): Promise<Ended>
}

export type AdminAnswer = {
  readonly status: number
  readonly headers: globalThis.Headers
  // What a test expects is for the test to say; a wrong expectation fails there.
  readonly body: Json
  readonly text: string
}

type Headers = Readonly<Record<string, string>>

/** A JSON value that a test reads without ceremony: missing members are undefined. */
export type Json = {
  readonly [member: string]: Json
} & { readonly [index: number]: Json } & Iterable<Json>

export type GatewayStart = {
  /** After `run`: `-c FILE` and other flags. */
  readonly argv?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly workers?: number
  /** Given when it is known from an earlier start. */
  readonly token?: string
}

const servingLine = /serves (http:\/\/\S+) · admin (http:\/\/\S+) · (.*)\n/

/** Starts `headgate run` on free ports and waits for the line that says it serves. */
export async function startGateway(
  bench: Workbench,
  { argv = [], env = {}, workers = 2, token: knownToken }: GatewayStart = {},
): Promise<Gateway> {
  const process = bench.start(
    [
      'run',
      ...(argv.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']),
      ...(argv.includes('--admin') ? [] : ['--admin', '127.0.0.1:0']),
      ...['--workers', String(workers)],
      ...argv,
    ],
    env,
  )
  const [, url = '', adminUrl = '', servingAs = ''] = await process.said(servingLine)
  // The token was written first, but the two pipes may be read in either order.
  await setImmediate()
  const token = knownToken ?? /owner token \(shown once\): (\S+)/.exec(process.stderr())?.[1] ?? ''
  return {
    ...process,
    url,
    adminUrl,
    token,
    servingAs,
    admin: (method, path, body, headers = {}) =>
      callAdmin({ url: `${adminUrl}${path}`, token, method, body, headers }),
    async stop(signal = 'SIGTERM') {
      process.child.kill(signal)
      return await process.ended
    },
  }
}

type AdminCall = {
  readonly url: string
  readonly token: string
  readonly method: string
  readonly body: unknown
  readonly headers: Headers
}

async function callAdmin({ url, token, method, body, headers }: AdminCall): Promise<AdminAnswer> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: jsonOf(text), text }
}

export function jsonOf(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    // Not everything is JSON: YAML exports, metrics, empty answers. Such a test reads `text`.
    return JSON.parse('{}')
  }
}

/** Nobody who reads this output may be shown the inside of the program. */
export function expectNoStackTrace(output: string): void {
  const lines = output
    .split('\n')
    .filter((line) => /^\s+at .*[:(]|node:internal|\.ts:\d+:\d+\)/.test(line))
  match(lines.join('\n'), /^$/, `a stack trace:\n${output}`)
}

/** The value of a metric; labels in the order in which the exposition writes them, or undefined for any. */
export function metricOf(text: string, name: string, labels?: RegExp): number {
  let sum = 0
  for (const line of text.split('\n')) {
    const parts = /^(\w+)(\{.*\})? (\S+)$/.exec(line)
    if (parts?.[1] === name && (labels === undefined || labels.test(parts[2] ?? ''))) {
      sum += Number(parts[3])
    }
  }
  return sum
}
