/** Worker of the ledger tests: acquires a row and is terminated before it can release it. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../base/clock.ts'
import { LedgerTable } from '../table.ts'

const table = new LedgerTable(workerData.memory)
table.acquire(workerData.low, workerData.high, systemClock().sharedNowMs())
parentPort?.postMessage('locked')
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
