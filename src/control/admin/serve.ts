/** Puts the admin API on a socket. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { type Clock, systemClock, wait } from '../../base/clock.ts'
import { type ErrorCode, HeadgateError, messageOf } from '../../base/errors.ts'
import { formatHostPort } from '../../base/host-port.ts'
import { problemMediaType, problemOf } from '../../base/problem.ts'
import { type Random, systemRandom } from '../../base/random.ts'
import { finishAnswer, problemAnswer, requestIdOf } from './answers.ts'
import type { AdminBindings, AdminEnv } from './deps.ts'

export type ServeOptions = {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly clock?: Clock
  readonly random?: Random
}

export type AdminServer = {
  /** `http://HOST:PORT` with the port really bound. */
  readonly url: string
  readonly port: number
  /** Ends event streams, lets running calls finish for a bounded time, closes every connection. */
  close(): Promise<void>
}

export const serveLimits = {
  headTimeoutMs: 10_000,
  /** Head and body together. */
  requestTimeoutMs: 60_000,
  keepAliveMs: 75_000,
  headBytesMax: 16_384,
  connectionsMax: 1_024,
  /** Running calls get this long to finish when the server closes. */
  closeBudgetMs: 2_000,
} as const

/** Listens; throws `run.address_in_use` or `run.listen_failed`. */
export async function serveAdmin(
  app: Pick<Hono<AdminEnv>, 'fetch'>,
  options: ServeOptions,
): Promise<AdminServer> {
  const clock = options.clock ?? systemClock()
  const random = options.random ?? systemRandom()
  const closing = new AbortController()
  const server = createServer({
    headersTimeout: serveLimits.headTimeoutMs,
    requestTimeout: serveLimits.requestTimeoutMs,
    keepAliveTimeout: serveLimits.keepAliveMs,
    maxHeaderSize: serveLimits.headBytesMax,
    connectionsCheckingInterval: 1_000,
    // Node would answer without a body; the adapter finds it too, and then it is a problem document.
    requireHostHeader: false,
  })
  server.maxConnections = serveLimits.connectionsMax
  const bindings = { closing: closing.signal, boundHost: options.host }
  server.on('request', requestListener(app, bindings, random))
  server.on('clientError', (error, socket) => answerClientError(error, socket, random))
  await listen(server, options)
  const { port } = addressOf(server)
  return {
    url: `http://${formatHostPort({ host: options.host, port })}`,
    port,
    close: () => close(server, closing, clock),
  }
}

function requestListener(
  app: Pick<Hono<AdminEnv>, 'fetch'>,
  bindings: AdminBindings,
  random: Random,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const listener = getRequestListener(
    (request, { incoming }) =>
      // Only HTTP/1.1 is served here, so this is what `incoming` is.
      app.fetch(request, { ...bindings, incoming: incoming as IncomingMessage }),
    {
      overrideGlobalObjects: false,
      errorHandler(thrown) {
        const requestId = requestIdOf(new Headers(), random)
        const error = new HeadgateError('admin.invalid_request', {
          message: `The request cannot be read: ${messageOf(thrown)}.`,
        })
        const response = problemAnswer(error, requestId)
        finishAnswer(response, requestId)
        return response
      },
    },
  )
  return (incoming, outgoing) => void listener(incoming, outgoing)
}

function listen(server: Server, { host, port }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException) => {
      const address = formatHostPort({ host, port })
      const isTaken = cause.code === 'EADDRINUSE'
      reject(
        new HeadgateError(isTaken ? 'run.address_in_use' : 'run.listen_failed', {
          message: isTaken
            ? `The admin address ${address} is in use; choose another with \`--admin\`.`
            : `Cannot listen on the admin address ${address} (${cause.code}).`,
          cause,
          detail: { address },
        }),
      )
    }
    server.once('error', onError)
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

function addressOf(server: Server): AddressInfo {
  const address = server.address()
  if (typeof address === 'object' && address !== null) return address
  throw new HeadgateError('run.listen_failed')
}

async function close(server: Server, closing: AbortController, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  closing.abort()
  // A connection whose call ends after `close` stays open for its keep-alive time, so look again.
  const idle = clock.every(20, () => server.closeIdleConnections())
  server.closeIdleConnections()
  const enough = new AbortController()
  const budget = wait(clock, serveLimits.closeBudgetMs, enough.signal).catch(() => {
    // Aborted because everything is closed, which is what was waited for.
  })
  await Promise.race([closed, budget])
  server.closeAllConnections()
  await closed
  enough.abort()
  idle.cancel()
}

/** What cannot be parsed never reaches the app; Node's own answer would have no body. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex, random: Random): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const requestId = requestIdOf(new Headers(), random)
  const document = problemOf(new HeadgateError(codeOfClientError(error)), {
    requestId,
    isForOperator: true,
  })
  const body = JSON.stringify(document)
  socket.end(
    [
      `HTTP/1.1 ${document.status} ${document.title}`,
      `content-type: ${problemMediaType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${requestId}`,
      'x-content-type-options: nosniff',
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
}

function codeOfClientError({ code }: NodeJS.ErrnoException): ErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'wire.head_too_large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'admin.body_timeout' : 'admin.invalid_request'
}
