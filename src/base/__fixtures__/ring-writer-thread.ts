/** Worker of the ring tests: writes numbered, checksummed records as fast as it can. */
import { workerData } from 'node:worker_threads'
import { RingWriter } from '../rings.ts'
import { checksum, payloadBytes } from './ring-records.ts'

const { memory, count, progress } = workerData
const writer = new RingWriter(memory)
const sent = new Int32Array(progress)

for (let sequence = sent[0] ?? 0; sequence < count; sequence += 1) {
  const bytes = payloadBytes(sequence)
  let offset = writer.tryReserve(bytes)
  // Back-pressure is for the test only, which wants to see every record: a pause, then once more.
  while (offset < 0) {
    Atomics.add(sent, 1, 1)
    Atomics.wait(sent, 2, 0, 1)
    offset = writer.tryReserve(bytes)
  }
  writer.ints[offset / 4] = sequence
  for (let index = 8; index < bytes; index += 1) {
    writer.bytes[offset + index] = Math.imul(sequence + index, 31)
  }
  writer.ints[offset / 4 + 1] = checksum(writer.bytes, offset, bytes)
  writer.commit(bytes)
  Atomics.store(sent, 0, sequence + 1)
}
