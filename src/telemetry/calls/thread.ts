/** Entry of the telemetry thread: drains the rings of all workers as control tells it to. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../base/clock.ts'
import { assert, unreachable } from '../../base/errors.ts'
import { CallCounters } from './counters.ts'
import { CallDrain } from './drain.ts'
import type { CallThreadStart, FromCallThread, ToCallThread } from './messages.ts'

assert(parentPort !== null, 'thread.ts runs as a worker thread')
const port = parentPort
// Only `reader.ts` starts this thread, with exactly this type.
const start = workerData as CallThreadStart

const drain = new CallDrain({
  clock: systemClock(),
  counters: new CallCounters(start.counters),
  log: (line) => send({ type: 'log', line }),
})
drain.setNames(start.names)
drain.setOutput(start.output)
for (const ring of start.rings) drain.addRing(ring)

port.on('message', (message: ToCallThread) => {
  switch (message.type) {
    case 'names':
      return drain.setNames(message.names)
    case 'output':
      return drain.setOutput(message.output)
    case 'addRing':
      return drain.addRing(message.ring)
    case 'removeRing':
      return drain.removeRing(message.id)
    case 'reopen':
      return drain.reopen()
    case 'close':
      void drain.close(message.budgetMs).then(() => send({ type: 'closed' }))
      return
    default:
      return unreachable(message)
  }
})

function send(message: FromCallThread): void {
  port.postMessage(message)
}
