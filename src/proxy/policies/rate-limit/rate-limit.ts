/**
 * Limits how often something may be requested. The counting is the shared ledger's; here are the
 * choice of the key and what the client is told:
 * `RateLimit` and `RateLimit-Policy` as draft-ietf-httpapi-ratelimit-headers-11 has them,
 * `Retry-After` as RFC 9110 §10.2.3 has it.
 */
import { s } from '../../../base/schema.ts'
import { formatDuration, parseRate } from '../../../base/units.ts'
import type { LimiterAnswer } from '../../../ledger/ledger.ts'
import { definePolicy, deny, type PolicyExchange, proceed } from '../define-policy.ts'

const config = s
  .strictObject({
    limit: s
      .rate()
      .refine((text) => parseRate(text)?.count !== 0, 'must allow at least one request')
      .describe('Requests per period, such as `100/min`.'),
    burst: s
      .int()
      .min(1)
      .max(1_000_000_000)
      .optional()
      .describe('Requests at once, for `TokenBucket`. Default: the count of `limit`.'),
    algorithm: s
      .enum(['TokenBucket', 'SlidingWindow'])
      .default('TokenBucket')
      .describe(
        '`TokenBucket` gives permits back evenly; `SlidingWindow` never lets more than `limit` pass in any period.',
      ),
    by: s
      .enum(['Route', 'App', 'Consumer', 'ClientAddress', 'Header'])
      .default('Route')
      .describe('What has a limit of its own. `Route`: everything this policy sees, together.'),
    header: s.fieldName().optional().describe('The field whose value counts, with `by: Header`.'),
    name: s
      .string()
      .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/, 'must be printable ASCII without `"` and `\\`')
      .optional()
      .describe('Tells limits apart in the `RateLimit` fields. Default: made of `by` and period.'),
    fields: s
      .enum(['Send', 'Omit'])
      .default('Send')
      .describe('Whether answers carry `RateLimit` and `RateLimit-Policy`.'),
  })
  .superRefine((options, context) => {
    if ((options.by === 'Header') !== (options.header !== undefined)) {
      context.addIssue({
        code: 'custom',
        path: ['header'],
        message: 'must be set with `by: Header`, and only then',
      })
    }
    if (options.algorithm === 'SlidingWindow' && options.burst !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['burst'],
        message: 'belongs to `TokenBucket`; a sliding window has no burst, remove it',
      })
    }
  })

type Config = s.infer<typeof config>

export const rateLimit = definePolicy({
  name: 'rate-limit',
  summary: 'Limits the rate of requests, exactly across all workers.',
  description:
    'A request over the limit is answered with 429 and `Retry-After`. All answers carry the fields `RateLimit` and `RateLimit-Policy`. In a policy set the limit is one for all routes that use the set. A caller without what `by` asks for (no app, no such header) is counted by its address. A header that callers choose freely does not hold them back: they can change it.',
  phase: 'admit',
  config,
  examples: [
    {
      title: 'Hundred requests per minute for every app',
      yaml: 'rate-limit: { limit: 100/min, by: App }',
    },
    {
      title: 'Ten per second, twenty at once, per address',
      yaml: 'rate-limit: { limit: 10/s, burst: 20, by: ClientAddress }',
    },
    {
      title: 'A strict daily quota per tenant',
      yaml: 'rate-limit: { limit: 1000/day, algorithm: SlidingWindow, by: Header, header: x-tenant }',
    },
  ],
  create(options, { ledger, scope }) {
    const rate = parseRate(options.limit) ?? { count: 1, periodMs: 1_000 }
    const burst = options.burst ?? rate.count
    const limiter = ledger.limiter(scope, { algorithm: options.algorithm, ...rate, burst })
    const keyOf = keyFunctions[options.by](options.header ?? '')
    const name = options.name ?? `${kebab(options.by)}-${formatDuration(rate.periodMs)}`
    const policyField = policyFieldOf(name, rate, burst)
    const isTold = options.fields === 'Send'
    const detail = { policy: name, limit: options.limit }
    return {
      onRequest(exchange) {
        const answer = limiter.take(keyOf(exchange))
        const { isAllowed } = answer
        if (isTold) {
          exchange.responseFields.add('ratelimit-policy', policyField)
          exchange.responseFields.add('ratelimit', serviceLimit(name, answer))
        }
        if (isAllowed) return proceed
        const retryAfter = String(wholeSeconds(answer.retryAfterMs))
        return deny('client.rate_limited', { detail, fields: [['retry-after', retryAfter]] })
      },
    }
  },
})

type KeyFunction = (exchange: PolicyExchange) => string

/**
 * Keys of one limiter must not meet by chance: an address stands in for a missing identity, and
 * contains `.` or `:`, which no app name does; other texts get a prefix that no address has.
 */
const keyFunctions: Readonly<Record<Config['by'], (header: string) => KeyFunction>> = {
  Route: () => () => '',
  App: () => (exchange) => exchange.consumer?.app ?? exchange.client.address,
  Consumer: () => (exchange) =>
    exchange.consumer === undefined ? exchange.client.address : `=${exchange.consumer.consumer}`,
  ClientAddress: () => (exchange) => exchange.client.address,
  Header: (header) => (exchange) => {
    const value = exchange.request.field(header)
    return value === undefined ? exchange.client.address : `=${value}`
  },
}

/** One item of the structured list: `"app-1m";q=100;w=60`. */
function policyFieldOf(
  name: string,
  rate: { readonly count: number; readonly periodMs: number },
  burst: number,
): string {
  const seconds = rate.periodMs / 1_000
  // `w` is whole seconds only (§3.1.3) and optional, so a period of 1500 ms goes unsaid.
  const window = Number.isInteger(seconds) ? `;w=${seconds}` : ''
  const extra = burst === rate.count ? '' : `;headgate-burst=${burst}`
  return `"${name}";q=${rate.count}${window}${extra}`
}

/**
 * `"app-1m";r=42;t=18`: no more than `r` requests in the next `t` seconds. When refused, `t` ends
 * with `Retry-After`, as §6 wants the two to agree.
 */
function serviceLimit(name: string, answer: LimiterAnswer): string {
  const windowMs = answer.isAllowed ? answer.resetMs : answer.retryAfterMs
  const remaining = Math.max(0, Math.floor(answer.remaining))
  return `"${name}";r=${remaining};t=${answer.isAllowed ? Math.ceil(windowMs / 1_000) : wholeSeconds(windowMs)}`
}

/** Rounded up, at least one: a client told `0` would come back at once and be refused again. */
function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000))
}

function kebab(text: string): string {
  return text.replace(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
}
