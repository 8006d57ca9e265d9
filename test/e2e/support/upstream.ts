/** Upstreams of the tests: they say who they are, what they got, and sum up the bodies they see. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { crc32 } from 'node:zlib'

export type Upstream = {
  readonly name: string
  readonly url: string
  readonly port: number
  /** Requests that were begun and those whose client went away before the answer was out. */
  readonly seen: { requests: number; abandoned: number; headers: IncomingMessage['headers'][] }
}

/** `size` bytes that depend on `size` only, so that both ends know them. */
export function patternOf(size: number): Buffer {
  const known = patterns.get(size)
  if (known !== undefined) return known
  const pattern = Buffer.allocUnsafe(size)
  for (let index = 0; index < size; index++) pattern[index] = (index * 31 + (index >> 8)) & 0xff
  patterns.set(size, pattern)
  return pattern
}
const patterns = new Map<number, Buffer>()

/**
 * Listens until the test ends. The query says what to answer: `size=N` bytes (`chunked=1` without
 * a length), `delay=MS` before the answer, `status=N`; `/inspect` answers what it got as JSON; a
 * request with a body gets it back.
 */
export async function startUpstream(t: TestContext, name: string): Promise<Upstream> {
  const seen: Upstream['seen'] = { requests: 0, abandoned: 0, headers: [] }
  const server = createServer((request, response) => {
    seen.requests += 1
    if (seen.headers.length < 10_000) seen.headers.push(request.headers)
    response.on('close', () => {
      if (!response.writableFinished) seen.abandoned += 1
    })
    void answer(name, request, response)
  })
  // Longer than any test: who closes idle connections first is decided by the gateway.
  server.keepAliveTimeout = 120_000
  const port = await listenOn(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { name, port, url: `http://127.0.0.1:${port}`, seen }
}

export function listenOn(
  server: Server | ReturnType<typeof createTcpServer>,
  port = 0,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const bound: AddressInfo | string | null = server.address()
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0)
    })
  })
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createTcpServer()
  const port = await listenOn(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answer(
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://upstream')
  const parts: Buffer[] = []
  try {
    for await (const part of request) parts.push(part)
  } catch {
    // The client went away in the middle of its body; `close` of the response counts that.
    return
  }
  const received = Buffer.concat(parts)
  const wait = Number(url.searchParams.get('delay') ?? 0)
  if (wait > 0) await delay(wait, undefined, { ref: false })
  const size = url.searchParams.get('size')
  const isInspection = url.pathname.endsWith('/inspect')
  const inspection = {
    upstream: name,
    method: request.method,
    url: request.url,
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    bytes: received.length,
  }
  const body = isInspection
    ? Buffer.from(JSON.stringify(inspection))
    : size === null
      ? received
      : patternOf(Number(size))
  response.statusCode = Number(url.searchParams.get('status') ?? 200)
  response.setHeader('x-upstream', name)
  response.setHeader('x-body-crc', crc32(body))
  if (request.headers['x-echo-id'] !== undefined)
    response.setHeader('x-echo-id', request.headers['x-echo-id'])
  if (isInspection) response.setHeader('content-type', 'application/json')
  if (url.searchParams.has('chunked')) {
    // In pieces of odd size, so that chunks and packets do not fall together.
    for (let start = 0; start < body.length; start += 7_919)
      response.write(body.subarray(start, start + 7_919))
    response.end()
    return
  }
  response.setHeader('content-length', body.length)
  response.end(body)
}
