import { RingWriter, ringMemory } from '../../../base/rings.ts'
import type { CallRecord } from '../../call-record.ts'
import { CallWriter } from '../call-writer.ts'

/** A record whose request id is its number. */
export function numberedRecord(number: number): CallRecord {
  return {
    atMs: 1_767_323_045_000 + number,
    requestId: String(number),
    clientAddress: '127.0.0.1',
    method: 'GET',
    host: 'books.example',
    path: '/books',
    status: 200,
    reason: '',
    routeSlot: 1,
    versionSlot: -1,
    endpointSlot: -1,
    appSlot: -1,
    attempts: 1,
    durationUs: 1_500,
    upstreamUs: 900,
    requestBytes: 0,
    responseBytes: 713,
    traceId: '',
  }
}

export function ringWithWriter(bytes = 1_048_576) {
  const memory = ringMemory(bytes)
  const writer = new CallWriter(new RingWriter(memory))
  return {
    memory,
    writer,
    /** Writes the records from `from` up to and without `to`; returns how many the ring took. */
    write(from: number, to: number): number {
      let count = 0
      for (let number = from; number < to; number += 1) {
        if (writer.write(numberedRecord(number))) count += 1
      }
      return count
    },
  }
}
