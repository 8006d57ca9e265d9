/** Changes run one at a time, in the order in which they were asked for. */
import { HeadgateError } from '../base/errors.ts'

/** Changes that may wait; the next one is refused with `admin.overloaded`. */
export const changesWaitingMax = 256

export type ChangeQueue = {
  /** Runs `work` when everything asked for before it has ended, well or not. */
  run<Result>(work: () => Promise<Result>): Promise<Result>
  /** Takes nothing more and resolves when the last change has ended. */
  close(): Promise<void>
}

export function createChangeQueue(): ChangeQueue {
  let last: Promise<unknown> = Promise.resolve()
  let count = 0
  let isClosed = false
  return {
    run(work) {
      if (isClosed) return Promise.reject(new HeadgateError('gateway.draining'))
      if (count >= changesWaitingMax) {
        const message = `${changesWaitingMax} changes are waiting already; try again later`
        return Promise.reject(new HeadgateError('admin.overloaded', { message }))
      }
      count++
      const result = last.then(work)
      const settled = () => {
        count--
      }
      last = result.then(settled, settled)
      return result
    },
    async close() {
      isClosed = true
      await last
    },
  }
}
