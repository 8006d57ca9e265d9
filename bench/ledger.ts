/**
 * Prints nanoseconds per `take` of the shared ledger: `node bench/ledger.ts`. One thread alone, then
 * two threads on different keys, then two on the same key, which is the worst that can happen to a lock.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { systemClock } from '../src/base/clock.ts'
import { systemRandom } from '../src/base/random.ts'
import type { LimiterSettings } from '../src/ledger/ledger.ts'
import { ledgerMemory, ledgerRowsDefault } from '../src/ledger/memory.ts'
import { openSharedLedger } from '../src/ledger/shared-ledger.ts'

const takes = 3_000_000
const clock = systemClock()

type Job = { memory: SharedArrayBuffer; settings: LimiterSettings; keys: string[] }

function nanosecondsPerTake({ memory, settings, keys }: Job): number {
  const limiter = openSharedLedger(memory, { clock }).limiter('route/books#0', settings)
  const mask = keys.length - 1
  for (let take = 0; take < 200_000; take += 1) limiter.take(keys[take & mask] ?? '')
  const startMs = clock.now()
  for (let take = 0; take < takes; take += 1) limiter.take(keys[take & mask] ?? '')
  return ((clock.now() - startMs) * 1e6) / takes
}

function keysOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}.${index >> 8}.${index & 255}`)
}

async function inThreads(jobs: readonly Job[]): Promise<number> {
  const results = jobs.map(
    (job) =>
      new Promise<number>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: job })
        worker.once('message', resolve)
        worker.once('error', reject)
      }),
  )
  const each = await Promise.all(results)
  return each.reduce((sum, value) => sum + value, 0) / each.length
}

async function main(): Promise<void> {
  const memory = ledgerMemory(ledgerRowsDefault, systemRandom())
  for (const algorithm of ['TokenBucket', 'SlidingWindow'] as const) {
    const settings = { algorithm, count: 1e9, periodMs: 1_000, burst: 1e9 }
    const own = (prefix: string): Job => ({ memory, settings, keys: keysOf(prefix, 4_096) })
    const same: Job = { memory, settings, keys: ['192.168.100.200'] }
    const rows: [string, number][] = [
      ['1 thread, 1 key', await inThreads([same])],
      ['1 thread, 4096 keys', await inThreads([own('192.168')])],
      ['2 threads, own keys', await inThreads([own('10.1'), own('10.2')])],
      ['2 threads, 1 key', await inThreads([same, same])],
    ]
    for (const [name, ns] of rows) {
      process.stdout.write(
        `${algorithm.padEnd(14)} ${name.padEnd(22)} ${ns.toFixed(0).padStart(5)} ns\n`,
      )
    }
  }
  process.stdout.write(
    `${JSON.stringify(openSharedLedger(memory, { clock }).counters(), undefined, 1)}\n`,
  )
}

if (parentPort === null) await main()
else parentPort.postMessage(nanosecondsPerTake(workerData))
