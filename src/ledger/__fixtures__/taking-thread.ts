/** Worker of the ledger tests: waits for the start, then takes as often as told and reports. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../base/clock.ts'
import { openSharedLedger } from '../shared-ledger.ts'

const { memory, start, scope, settings, keys, takes } = workerData
const limiter = openSharedLedger(memory, { clock: systemClock() }).limiter(scope, settings)
parentPort?.postMessage('ready')
Atomics.wait(new Int32Array(start), 0, 0)
let allowed = 0
for (let take = 0; take < takes; take += 1) {
  if (limiter.take(keys[take % keys.length]).isAllowed) allowed += 1
}
parentPort?.postMessage(allowed)
