/**
 * What a worker counts about itself, and where on its page. Order is layout: pages live no longer than
 * the process, so it may change from build to build.
 */
import { histogramBucketCount } from '../../base/histogram.ts'
import { wireErrors } from '../../base/errors/wire.ts'
import { type HandshakeRefusal, handshakeRefusals } from '../../wire/tls/handshake-refusals.ts'

type CounterDefinition = { readonly metric: string; readonly help: string }

/** Counters by the name under which the worker counts them. */
export const workerCounters = {
  connectionsAccepted: {
    metric: 'client_connections_accepted',
    help: 'Client connections accepted.',
  },
  connectionsRefused: {
    metric: 'client_connections_refused',
    help: 'Client connections closed at once because the worker had its maximum.',
  },
  upstreamConnectionsOpened: {
    metric: 'upstream_connections_opened',
    help: 'Connections opened to endpoints.',
  },
  upstreamConnectionsReused: {
    metric: 'upstream_connections_reused',
    help: 'Requests sent on a connection that was open already.',
  },
  upstreamConnectionsFailed: {
    metric: 'upstream_connections_failed',
    help: 'Connections to endpoints that could not be opened.',
  },
  tlsHandshakes: { metric: 'tls_handshakes', help: 'TLS handshakes with clients that succeeded.' },
  tlsSessionsResumed: {
    metric: 'tls_sessions_resumed',
    help: 'TLS handshakes with clients that resumed a session.',
  },
  http2SessionsOpened: {
    metric: 'client_http2_sessions',
    help: 'Client connections that speak HTTP/2.',
  },
  http2StreamsOpened: {
    metric: 'client_http2_streams',
    help: 'Streams that clients opened on HTTP/2 connections.',
  },
  retries: { metric: 'upstream_retries', help: 'Attempts after the first.' },
  policyFailures: {
    metric: 'policy_failures',
    help: 'Policies that threw; the request was refused.',
  },
} as const satisfies Record<string, CounterDefinition>

export type WorkerCounter = keyof typeof workerCounters

// The cast holds because the table is a literal of ours; Object.keys only forgets what its keys are.
export const counterNames = Object.keys(workerCounters) as readonly WorkerCounter[]

/** Messages refused on the wire, by the code of the refusal; the last stands for codes added elsewhere. */
export const refusalCodes: readonly string[] = [...Object.keys(wireErrors), 'other']

/** Handshakes with clients that came to nothing, by reason. */
// The cast holds because the table is a literal of ours; Object.keys only forgets what its keys are.
export const handshakeReasons = Object.keys(handshakeRefusals) as readonly HandshakeRefusal[]

const refusalsAt = counterNames.length
const handshakeRefusalsAt = refusalsAt + refusalCodes.length
const openConnectionsAt = handshakeRefusalsAt + handshakeReasons.length
const tunnelsAt = openConnectionsAt + 1
const tunnelGenerationsAt = tunnelsAt + 1
/** Snapshots that open tunnels are told apart by; those of further ones count in the total only. */
export const tunnelGenerationsMax = 16
const lagSumAt = tunnelGenerationsAt + 2 * tunnelGenerationsMax
const lagBucketsAt = lagSumAt + 1

/** First cell of each part of a worker's page. */
export const workerCell = {
  refusals: refusalsAt,
  handshakeRefusals: handshakeRefusalsAt,
  openConnections: openConnectionsAt,
  tunnels: tunnelsAt,
  /** Pairs of revision and number of open tunnels. */
  tunnelGenerations: tunnelGenerationsAt,
  lagSumUs: lagSumAt,
  lagBuckets: lagBucketsAt,
} as const

export const workerPageCells = lagBucketsAt + histogramBucketCount
export const workerPageBytes = workerPageCells * 8

const counterCells: ReadonlyMap<string, number> = new Map(
  counterNames.map((name, index) => [name, index]),
)
const refusalCells: ReadonlyMap<string, number> = new Map(
  refusalCodes.map((code, index) => [code, refusalsAt + index]),
)

export function counterCellOf(counter: WorkerCounter): number {
  return counterCells.get(counter) ?? 0
}

/** The cell of a refusal; codes that are no wire errors share one. */
export function refusalCellOf(code: string): number {
  return refusalCells.get(code) ?? handshakeRefusalsAt - 1
}

export function handshakeCellOf(reason: HandshakeRefusal): number {
  return handshakeRefusalsAt + handshakeReasons.indexOf(reason)
}
