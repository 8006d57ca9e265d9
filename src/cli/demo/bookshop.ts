/**
 * The sample upstream: a bookshop in two versions. v2 calls the price `amount`, and can be told to
 * misbehave in the ways that upgrades misbehave: slow, failing, and answering with a wrong type.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'

export type BookshopVersion = 'v1' | 'v2'

export type Faults = {
  readonly delayMs: number
  /** Fraction of requests answered with 500. */
  readonly errorShare: number
  /** Fraction of books whose price is text instead of a number. */
  readonly wrongTypeShare: number
}

export const noFaults: Faults = { delayMs: 0, errorShare: 0, wrongTypeShare: 0 }
export const demoFaults: Faults = { delayMs: 300, errorShare: 0.05, wrongTypeShare: 0.05 }

export type Bookshop = {
  readonly url: string
  setFaults(faults: Faults): void
  close(): Promise<void>
}

export type BookshopOptions = {
  readonly version: BookshopVersion
  /** Requests must carry it in `x-bookshop-key`: the gateway's account towards this version. */
  readonly key: string
  readonly clock: Clock
  readonly random: Random
}

const books = [
  { id: 1, title: 'The Left Hand of Darkness', author: 'Ursula K. Le Guin', price: 12.5 },
  { id: 2, title: 'Solaris', author: 'Stanisław Lem', price: 11.9 },
  { id: 3, title: 'Kindred', author: 'Octavia E. Butler', price: 13.2 },
  { id: 4, title: 'Roadside Picnic', author: 'Arkady and Boris Strugatsky', price: 10.8 },
  { id: 5, title: 'The Dispossessed', author: 'Ursula K. Le Guin', price: 12.9 },
] as const

/** Answers take a little time, as those of real services do. */
const workMsMin = 4
const workMsSpread = 14

export const versionField = 'x-bookshop-version'
export const keyField = 'x-bookshop-key'

/** Starts one version on a free port of the loopback interface. */
export async function startBookshop(options: BookshopOptions): Promise<Bookshop> {
  let faults = noFaults
  const server = createServer((request, response) => {
    const workMs = workMsMin + options.random.fraction() * workMsSpread + faults.delayMs
    options.clock.after(workMs, () => answer(request, response, { options, faults }))
    request.resume()
  })
  // Longer than the gateway keeps idle connections, so that the gateway is always first to close.
  server.keepAliveTimeout = 300_000
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}`,
    setFaults(next) {
      faults = next
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0)
    })
  })
}

type Situation = { readonly options: BookshopOptions; readonly faults: Faults }

function answer(request: IncomingMessage, response: ServerResponse, at: Situation): void {
  const { options } = at
  const { status, body } = decide(request, at)
  response.writeHead(status, {
    'content-type': 'application/json',
    [versionField]: options.version,
  })
  response.end(`${JSON.stringify(body)}\n`)
}

function decide(request: IncomingMessage, at: Situation): { status: number; body: unknown } {
  const { options, faults } = at
  const reply = (status: number, body: unknown) => ({ status, body })
  if (request.headers[keyField] !== options.key) {
    return reply(401, { error: `bookshop ${options.version} needs its own key in ${keyField}` })
  }
  if (options.random.fraction() < faults.errorShare) {
    return reply(500, { error: 'out of memory in the recommendation engine' })
  }
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  const id = /^\/books\/(\d+)$/.exec(path)?.[1]
  const book = books.find((candidate) => String(candidate.id) === id)
  if (path === '/books') return reply(200, { books: books.map((entry) => shape(entry, at)) })
  if (book !== undefined) return reply(200, shape(book, at))
  return reply(404, { error: `no ${path} here; try /books or /books/1` })
}

function shape({ price, ...book }: (typeof books)[number], { options, faults }: Situation) {
  const isWrong = options.random.fraction() < faults.wrongTypeShare
  const value = isWrong ? `${price} EUR` : price
  return options.version === 'v1' ? { ...book, price: value } : { ...book, amount: value }
}
