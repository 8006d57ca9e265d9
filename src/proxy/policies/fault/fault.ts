/** Breaks a share of the requests on purpose, to see how callers and upstreams take it. */
import { wait } from '../../../base/clock.ts'
import { s } from '../../../base/schema.ts'
import { basisPointsWhole, formatDuration, parseDuration, parseShare } from '../../../base/units.ts'
import {
  definePolicy,
  deny,
  type PolicyContext,
  type PolicyExchange,
  proceed,
  type Verdict,
} from '../define-policy.ts'

/** Longest delay that may be configured: an exchange holds memory and a connection while it waits. */
export const faultDelayMsMax = 30_000

const delay = s
  .duration()
  .refine(
    (text) => (parseDuration(text) ?? 0) <= faultDelayMsMax,
    `must be at most ${formatDuration(faultDelayMsMax)}`,
  )

const config = s
  .strictObject({
    share: s.share().describe('How many of the requests are hit, such as `5%`.'),
    delay: s
      .union(
        [
          delay,
          s.strictObject({
            min: delay.describe('Shortest wait.'),
            max: delay.describe('Longest wait.'),
          }),
        ],
        {
          error: 'must be a duration such as `200ms`, at most 30s, or `{ min: 100ms, max: 2s }`',
        },
      )
      .optional()
      .describe('Wait this long first: fixed, or evenly spread between `min` and `max`.'),
    abort: s
      .int()
      .min(400)
      .max(599)
      .optional()
      .describe('Then answer with this status instead of asking the upstream.'),
    header: s
      .fieldName()
      .optional()
      .describe('Only requests that carry this field are hit. Default: all.'),
  })
  .superRefine((options, context) => {
    if (options.delay === undefined && options.abort === undefined) {
      context.addIssue({ code: 'custom', message: 'must have `delay`, `abort` or both' })
    }
    if (typeof options.delay !== 'object') return
    const { minMs, maxMs } = rangeOf(options.delay)
    if (minMs > maxMs) {
      context.addIssue({ code: 'custom', path: ['delay'], message: '`min` must not exceed `max`' })
    }
  })

type Config = s.infer<typeof config>

export const fault = definePolicy({
  name: 'fault',
  summary: 'Delays or aborts a share of the requests on purpose.',
  description:
    'Every answer to a request that was hit says so in `x-headgate-fault`, such as `delay;ms=250, abort;status=503`. A delay ends when the client goes away.',
  phase: 'admit',
  config,
  examples: [
    {
      title: 'One request in twenty is slow',
      yaml: 'fault: { share: 5%, delay: { min: 100ms, max: 2s } }',
    },
    {
      title: 'Testers may ask for an outage',
      yaml: 'fault: { share: 100%, abort: 503, header: x-break-it }',
    },
  ],
  create(options, { clock, random }) {
    const share = shareOf(options.share)
    const range = options.delay === undefined ? undefined : rangeOf(options.delay)
    return {
      onRequest(exchange) {
        const isMeant =
          options.header === undefined || exchange.request.field(options.header) !== undefined
        // A request that is not meant takes no random number, so that a seed gives the same hits.
        if (!isMeant || random.fraction() >= share) return proceed
        const delayMs =
          range && Math.round(range.minMs + random.fraction() * (range.maxMs - range.minMs))
        exchange.responseFields.set('x-headgate-fault', markOf(delayMs, options.abort))
        if (delayMs === undefined) return outcomeOf(options)
        return delayed(exchange, { clock, delayMs, verdict: outcomeOf(options) })
      },
    }
  },
})

async function delayed(
  exchange: PolicyExchange,
  { clock, delayMs, verdict }: { clock: PolicyContext['clock']; delayMs: number; verdict: Verdict },
): Promise<Verdict> {
  const { signal } = exchange
  try {
    await wait(clock, delayMs, signal)
  } catch (thrown) {
    // The client has gone; nobody reads the answer, and it is no failure of the policy.
    if (signal.aborted) return deny('client.aborted')
    throw thrown
  }
  return verdict
}

function outcomeOf({ abort }: Config): Verdict {
  return abort === undefined ? proceed : deny('fault.injected', { status: abort })
}

/** A list of structured items (RFC 9651 §3.1). */
function markOf(delayMs: number | undefined, status: number | undefined): string {
  const marks = []
  if (delayMs !== undefined) marks.push(`delay;ms=${delayMs}`)
  if (status !== undefined) marks.push(`abort;status=${status}`)
  return marks.join(', ')
}

function shareOf(share: Config['share']): number {
  return (typeof share === 'number' ? share : (parseShare(share) ?? 0)) / basisPointsWhole
}

function rangeOf(delay: NonNullable<Config['delay']>): { minMs: number; maxMs: number } {
  const { min, max } = typeof delay === 'string' ? { min: delay, max: delay } : delay
  return { minMs: parseDuration(min) ?? 0, maxMs: parseDuration(max) ?? 0 }
}
