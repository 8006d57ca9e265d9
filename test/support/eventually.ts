import { systemClock } from '../../src/base/clock.ts'

const clock = systemClock()
const waitMsMax = 8_000

/** Lets the event loop turn until the condition holds; throws with `what` when it never does. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const startMs = clock.now()
  while (!condition()) {
    if (clock.now() - startMs > waitMsMax) throw new Error(`never came true: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Some turns of the event loop: what is on its way over loopback has arrived then. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** The promise, or an error that says what was waited for. */
export function within<Value>(pending: Promise<Value>, what: () => string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(waitMsMax, () => reject(new Error(`waited in vain: ${what()}`)))
    // Keeps the process alive although the timer does not: a test must fail, not vanish.
    const hold = setInterval(() => undefined, waitMsMax)
    pending.then(resolve, reject).finally(() => {
      timer.cancel()
      clearInterval(hold)
    })
  })
}
