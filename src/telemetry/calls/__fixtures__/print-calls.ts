/** Program of the reader tests: writes as many records as told to standard output, then ends. */
import { systemClock } from '../../../base/clock.ts'
import { startCallReader } from '../reader.ts'
import { ringWithWriter } from './records.ts'

const count = Number(process.argv[2])
const ring = ringWithWriter(64 * 1_048_576)
const reader = startCallReader({
  clock: systemClock(),
  output: { output: 'Stdout', path: undefined },
  log: (line) => process.stderr.write(`${line}\n`),
})
reader.addRing(0, ring.memory)
ring.write(0, count)
await reader.close()
process.stderr.write(`${JSON.stringify(reader.totals())}\n`)
