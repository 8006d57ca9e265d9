import type { Clock } from '../base/clock.ts'
import type { Exchange } from '../proxy/exchange.ts'
import type { CallRecord } from '../telemetry/call-record.ts'
import type { CallWriter } from '../telemetry/calls/call-writer.ts'

/** Fills one reused record per worker from an exchange that has ended, and writes it to the ring. */
export function callRecorder(
  writer: CallWriter,
  clock: Clock,
): (exchange: Exchange, durationUs: number) => void {
  const record: CallRecord = emptyRecord()
  return (exchange, durationUs) => {
    if (!writer.isWanted) return
    const { request, origin, activeRoute, version, endpoint, consumer } = exchange
    record.atMs = clock.wallMs() - durationUs / 1_000
    record.requestId = origin.requestId
    record.clientAddress = origin.clientAddress
    record.method = request.method
    record.host = request.host
    record.path = request.path
    record.status = exchange.status
    record.reason = exchange.reason
    record.routeSlot = activeRoute?.entry.slot ?? -1
    record.versionSlot = version?.entry.slot ?? -1
    record.endpointSlot = endpoint?.entry.slot ?? -1
    record.appSlot = consumer?.appSlot ?? -1
    record.attempts = exchange.attemptCount
    record.durationUs = durationUs
    record.upstreamUs = exchange.upstreamMs < 0 ? -1 : Math.round(exchange.upstreamMs * 1_000)
    record.requestBytes = exchange.requestBytes
    record.responseBytes = exchange.responseBytes
    record.traceId = origin.traceId
    writer.write(record)
  }
}

function emptyRecord(): CallRecord {
  return {
    atMs: 0,
    requestId: '',
    clientAddress: '',
    method: '',
    host: '',
    path: '',
    status: 0,
    reason: '',
    routeSlot: -1,
    versionSlot: -1,
    endpointSlot: -1,
    appSlot: -1,
    attempts: 0,
    durationUs: 0,
    upstreamUs: -1,
    requestBytes: 0,
    responseBytes: 0,
    traceId: '',
  }
}
