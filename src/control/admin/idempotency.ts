/**
 * Answers to POST requests by `Idempotency-Key`, so that a client that lost the answer can ask again
 * without doing it twice. Kept in memory, for one process: after a restart a repeated request is a
 * new one, and the preconditions (`baseRevision`, `If-Match`) have to guard it.
 */
import type { Clock } from '../../base/clock.ts'
import { HeadgateError } from '../../base/errors.ts'

export type IdempotencyLimits = {
  readonly idempotentAnswersMax: number
  readonly idempotentAnswersMs: number
  readonly idempotentBytesMax: number
}

export type KeptAnswer = {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

type Entry = {
  readonly fingerprint: string
  readonly endsAtMs: number
  readonly answer: Promise<KeptAnswer>
  bytes: number
}

export type IdempotencyCache = {
  /**
   * Runs `answer`, unless it ran or runs already under this key: then its answer is returned again.
   * Throws `admin.idempotency_mismatch` when the key belongs to another request. Refusals are not
   * kept: nothing was done, so asking again is safe and may succeed.
   */
  run(
    key: string,
    fingerprint: string,
    answer: () => Promise<KeptAnswer>,
  ): Promise<{ answer: KeptAnswer; isReplay: boolean }>
}

export function createIdempotencyCache(clock: Clock, limits: IdempotencyLimits): IdempotencyCache {
  const entries = new Map<string, Entry>()
  let bytes = 0
  const remove = (key: string) => {
    bytes -= entries.get(key)?.bytes ?? 0
    entries.delete(key)
  }
  const evict = () => {
    for (const [key, entry] of entries) {
      const isOver = entries.size > limits.idempotentAnswersMax || bytes > limits.idempotentBytesMax
      if (!isOver && entry.endsAtMs > clock.now()) return
      remove(key)
    }
  }
  return {
    async run(key, fingerprint, makeAnswer) {
      evict()
      const known = entries.get(key)
      if (known !== undefined) {
        if (known.fingerprint !== fingerprint) {
          throw new HeadgateError('admin.idempotency_mismatch', {
            message:
              'This `Idempotency-Key` was sent before with another path, query or body; use a new one.',
          })
        }
        return { answer: await known.answer, isReplay: true }
      }
      const endsAtMs = clock.now() + limits.idempotentAnswersMs
      const entry: Entry = { fingerprint, endsAtMs, answer: makeAnswer(), bytes: 0 }
      entries.set(key, entry)
      evict()
      try {
        const answer = await entry.answer
        if (answer.status >= 400) removeIfSame(key, entry)
        else if (entries.get(key) === entry) {
          entry.bytes = answer.body.length
          bytes += entry.bytes
          evict()
        }
        return { answer, isReplay: false }
      } catch (thrown) {
        removeIfSame(key, entry)
        throw thrown
      }
    },
  }

  function removeIfSame(key: string, entry: Entry): void {
    if (entries.get(key) === entry) remove(key)
  }
}
