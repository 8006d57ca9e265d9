import { Buffer } from 'node:buffer'
import type { CallRecord } from '../call-record.ts'
import { callFloat, callInt, callTexts, textLengthsAt, textsAt } from './layout.ts'

/** The memory of a ring as its reader sees it. */
export type RingMemoryView = {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  readonly ints: Int32Array<SharedArrayBuffer>
  readonly floats: Float64Array<SharedArrayBuffer>
}

/** Reads the record at `offset` of a ring back into an object. */
export function decodeCall({ bytes, ints, floats }: RingMemoryView, offset: number): CallRecord {
  const texts: string[] = []
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = offset + textsAt
  for (let index = 0; index < callTexts.length; index += 1) {
    const lengthAt = offset + textLengthsAt + 2 * index
    const length = (bytes[lengthAt] ?? 0) | ((bytes[lengthAt + 1] ?? 0) << 8)
    texts.push(buffer.toString('utf8', at, at + length))
    at += length
  }
  const [requestId, clientAddress, method, host, path, reason, traceId] = texts
  const int = (place: number) => ints[offset / 4 + place] ?? 0
  const float = (place: number) => floats[offset / 8 + place] ?? 0
  return {
    atMs: float(callFloat.atMs),
    requestId: requestId ?? '',
    clientAddress: clientAddress ?? '',
    method: method ?? '',
    host: host ?? '',
    path: path ?? '',
    status: int(callInt.status),
    reason: reason ?? '',
    routeSlot: int(callInt.routeSlot),
    versionSlot: int(callInt.versionSlot),
    endpointSlot: int(callInt.endpointSlot),
    appSlot: int(callInt.appSlot),
    attempts: int(callInt.attempts),
    durationUs: float(callFloat.durationUs),
    upstreamUs: float(callFloat.upstreamUs),
    requestBytes: float(callFloat.requestBytes),
    responseBytes: float(callFloat.responseBytes),
    traceId: traceId ?? '',
  }
}
