/**
 * Entry of a worker thread: builds the data plane of one core from shared memory and messages. It
 * listens once its first snapshot is in force, so that no request meets a worker without routes.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { LeaseTable } from '../accounts/lease-table.ts'
import { KeyTable } from '../accounts/private-keys.ts'
import { systemClock } from '../base/clock.ts'
import { assert, HeadgateError, messageOf } from '../base/errors.ts'
import { systemRandom } from '../base/random.ts'
import { RingWriter } from '../base/rings.ts'
import { openSharedLedger } from '../ledger/shared-ledger.ts'
import { DataPlane } from '../proxy/data-plane.ts'
import { policyCatalog } from '../proxy/policies/catalog.ts'
import { importPolicyModules } from '../proxy/policies/load-modules.ts'
import { CallWriter } from '../telemetry/calls/call-writer.ts'
import { WorkerMetrics } from '../telemetry/metrics/worker-metrics.ts'
import { chooseTransport } from '../wire/tcp/open-stream.ts'
import { callRecorder } from './call-recorder.ts'
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts'

assert(parentPort !== null, 'worker.ts runs as a worker thread')
const port = parentPort
// Only the supervisor of this process starts workers, with exactly this type.
const start = workerData as WorkerStart

const clock = systemClock()
const random = systemRandom()
const metrics = new WorkerMetrics()
metrics.watchEventLoop(clock)
const plane = new DataPlane({
  clock,
  random,
  metrics,
  ledger: openSharedLedger(start.ledgerMemory, { clock }),
  record: callRecorder(new CallWriter(new RingWriter(start.ringMemory)), clock),
  log: (line) => send({ type: 'log', line }),
})

// Heads and small bodies are cut from shared slabs; larger slabs mean fewer allocations.
Buffer.poolSize = 128 * 1_024

let isListening = false
/** Messages are worked off one after the other: a snapshot may have to load modules. */
let work: Promise<void> = Promise.resolve()

port.on('message', (message: ToWorker) => {
  work = work.then(() => handleMessage(message)).catch((thrown) => fail(thrown))
})

function send(message: FromWorker): void {
  port.postMessage(message)
}

async function handleMessage(message: ToWorker): Promise<void> {
  if (message.type === 'stopAccepting') {
    await plane.stopAccepting()
    send({ type: 'stoppedAccepting' })
    return
  }
  if (message.type === 'drain') {
    send({ type: 'drained', cutOff: await plane.drain(message.budgetMs) })
    port.close()
    return
  }
  if (message.type === 'ticketKeys') {
    plane.renewTicketKeys(message.ticketKeys)
    return
  }
  if (!(await apply(message)) || isListening) return
  isListening = true
  await chooseTransport(start.transport)
  send({ type: 'listening', port: await plane.listen(start.listen) })
}

/** True when the snapshot is in force now; otherwise the one before goes on. */
async function apply(message: Extract<ToWorker, { type: 'snapshot' }>): Promise<boolean> {
  const { snapshot } = message
  // At once, so that the secrets in the message are nowhere in a form that prints.
  const leases = new LeaseTable(message.leases)
  const keys = new KeyTable(message.keys)
  try {
    const loaded = await importPolicyModules(snapshot.policyModules, {
      clock,
      sources: snapshot.policySources,
    })
    const [problem] = loaded.problems
    if (problem !== undefined) throw new Error(`${problem.path}: ${problem.message}`)
    metrics.addPages(message.metricPages)
    // First: an address that cannot be had refuses the snapshot.
    await plane.listenTls(message.tlsListen)
    plane.renewTicketKeys(message.ticketKeys)
    plane.apply(snapshot, policyCatalog(loaded.definitions), leases, keys)
    send({ type: 'applied', revision: snapshot.revision })
    return true
  } catch (thrown) {
    send({ type: 'refused', revision: snapshot.revision, message: messageOf(thrown) })
    return false
  }
}

function fail(thrown: unknown): void {
  const code = thrown instanceof HeadgateError ? thrown.code : 'run.worker_failed'
  send({ type: 'failed', code, message: messageOf(thrown) })
}
