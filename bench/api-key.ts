/**
 * Prints nanoseconds per request of the policy `api-key`, and of what it is made of:
 * `node bench/api-key.ts`. Keys come as fresh strings, as they do from a socket: a string that was
 * looked up before carries its hash, and would make the look-up seem cheaper than it is.
 */
import { hash } from 'node:crypto'
import { systemClock } from '../src/base/clock.ts'
import { apiKey } from '../src/proxy/policies/api-key/api-key.ts'
import { createAppDirectory } from '../src/proxy/policies/app-directory.ts'
import { buildChain, runRequest } from '../src/proxy/policies/run-chain.ts'
import { createPolicy } from '../src/proxy/policies/test-context.ts'
import { testExchange } from '../src/proxy/policies/test-exchange.ts'

const rounds = 1_000_000
const clock = systemClock()

const keys = Array.from({ length: 100_000 }, (_, index) =>
  hash('sha256', `key ${index}`).slice(0, 40),
)
const apps = keys.map((key, slot) => ({
  name: `app-${slot}`,
  slot,
  consumer: `app-${slot}`,
  isSuspended: false,
  keys: [{ name: 'first', sha256: hash('sha256', key), expiresAtMs: undefined }],
}))

/** The bytes of the first `count` keys, 40 each, as they would arrive. */
function wireBytes(count: number): Buffer {
  return Buffer.from(keys.slice(0, count).join(''), 'latin1')
}

function nanosecondsPer(run: (round: number) => void, count = rounds): number {
  for (let round = 0; round < count / 5; round++) run(round)
  const startMs = clock.now()
  for (let round = 0; round < count; round++) run(round)
  return ((clock.now() - startMs) * 1e6) / count
}

function readKey(bytes: Buffer, round: number): string {
  const start = (round * 40) % bytes.length
  return bytes.toString('latin1', start, start + 40)
}

function main(): void {
  const buildStartMs = clock.now()
  const directory = createAppDirectory(apps, { clock })
  const buildMs = clock.now() - buildStartMs
  const few = wireBytes(1_000)
  const all = wireBytes(keys.length)
  let unknown = 0
  const exchange = testExchange()
  let presented = ''
  Object.assign(exchange.request, { field: () => presented })
  // A recorder of edits would grow with every round.
  Object.assign(exchange.requestFields, { remove: () => undefined })
  const members = [
    { policy: 'api-key', instance: createPolicy(apiKey, {}, { clock, apps: directory }) },
  ]
  const chain = buildChain(members, { clock, onFailure: () => undefined })
  const rows: [string, number][] = [
    ['make the string of a key', nanosecondsPer((round) => void readKey(few, round))],
    [
      'find, 1,000 keys in use',
      nanosecondsPer((round) => void directory.find(readKey(few, round))),
    ],
    [
      'find, 100,000 keys in use',
      nanosecondsPer((round) => void directory.find(readKey(all, round))),
    ],
    [
      'find, garbage',
      nanosecondsPer(
        () => void directory.find(`garbage-${unknown++}-aaaaaaaaaaaaaaaaaaaa`),
        200_000,
      ),
    ],
    [
      'chain with api-key, 1,000 keys in use',
      nanosecondsPer((round) => {
        presented = readKey(few, round)
        runRequest(chain, exchange)
      }),
    ],
  ]
  process.stdout.write(`directory of 100,000 keys built in ${buildMs.toFixed(0)} ms\n`)
  for (const [name, ns] of rows) {
    process.stdout.write(`${name.padEnd(40)} ${ns.toFixed(0).padStart(6)} ns\n`)
  }
  const heapMb = process.memoryUsage().heapUsed / 1e6
  process.stdout.write(`heap after ${unknown} garbage keys: ${heapMb.toFixed(0)} MB\n`)
}

main()
