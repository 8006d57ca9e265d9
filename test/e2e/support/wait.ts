/** Waiting for a condition, which is what these tests do instead of sleeping. */
import { setTimeout as delay } from 'node:timers/promises'

/** Calls `look` until it returns something else than undefined or false; fails with the last error. */
export async function eventually<Found>(
  look: () => Promise<Found | undefined | false> | Found | undefined | false,
  { withinMs = 15_000, what = 'the condition' } = {},
): Promise<Found> {
  const deadline = performance.now() + withinMs
  let last: unknown
  do {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
      last = undefined
    } catch (thrown) {
      last = thrown
    }
    await delay(15)
  } while (performance.now() < deadline)
  if (last instanceof Error) throw last
  throw new Error(`${what} did not come within ${withinMs} ms`)
}
