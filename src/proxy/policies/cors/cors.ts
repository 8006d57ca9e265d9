/**
 * Lets scripts of other origins call, as the Fetch standard has it (https://fetch.spec.whatwg.org,
 * "HTTP-network-or-cache fetch" and "CORS protocol"). Preflight requests are answered here. The
 * policy owns the CORS fields: those of the upstream are removed, because two values of
 * `Access-Control-Allow-Origin` make every browser refuse the answer.
 */
import { s } from '../../../base/schema.ts'
import { parseDuration } from '../../../base/units.ts'
import {
  definePolicy,
  deny,
  type FieldLine,
  type PolicyExchange,
  proceed,
  respond,
  type Verdict,
} from '../define-policy.ts'
import { compileOrigins, isOriginPattern } from './origins.ts'

/** Names that a preflight may ask for; more are not allowed. */
export const requestedHeadersCharsMax = 2_048

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const tokenListPattern =
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*$/

const token = s.string().max(128).regex(tokenPattern, 'must be a name such as `x-total-count`')

const origin = s.string().max(300).refine(isOriginPattern, {
  message:
    'must be `*`, an origin such as `https://app.example.com`, or `https://*.example.com`; lower case, without path, without a default port',
})

const config = s
  .strictObject({
    origins: s
      .array(origin)
      .min(1)
      .max(1_000)
      .describe('Who may call: origins, `https://*.example.com` for subdomains, or `*`.'),
    methods: s
      .array(token)
      .min(1)
      .max(32)
      .default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .describe('Methods that scripts may use. Upper case matters.'),
    headers: s
      .array(token)
      .max(128)
      .default(['*'])
      .describe('Request fields that scripts may set. `*`: those they ask for.'),
    exposeHeaders: s
      .array(token)
      .max(128)
      .default([])
      .describe('Response fields that scripts may read, besides the safelisted ones.'),
    credentials: s
      .boolean()
      .default(false)
      .describe('Whether cookies and client certificates are sent along. Not together with `*`.'),
    maxAge: s
      .duration()
      .default('10m')
      .describe('How long browsers remember a preflight. Chrome: at most 2h, Firefox: 24h.'),
    privateNetwork: s
      .boolean()
      .default(false)
      .describe('Whether public pages may call although the gateway is in a private network.'),
  })
  .superRefine((options, context) => {
    // With credentials `*` is a literal name to browsers (Fetch), and reflecting any origin
    // instead would give every page on the web the user's session.
    if (options.credentials && options.origins.includes('*')) {
      context.addIssue({
        code: 'custom',
        path: ['origins'],
        message: 'must not contain `*` together with `credentials: true`; list the origins',
      })
    }
    if (options.credentials && options.exposeHeaders.includes('*')) {
      context.addIssue({
        code: 'custom',
        path: ['exposeHeaders'],
        message: 'must not contain `*` together with `credentials: true`; list the names',
      })
    }
  })

type Config = s.infer<typeof config>

export const cors = definePolicy({
  name: 'cors',
  summary: 'Allows scripts of other origins to call, and answers their preflight requests.',
  description:
    'It runs before credentials are checked, because a preflight carries none; so refusals such as 401 and 429 can be read by allowed scripts too. An actual request from an origin that is not allowed goes on, but its answer carries no CORS field, so the browser keeps it from the script; its preflight is answered with 403. CORS fields of the upstream are replaced.',
  phase: 'access',
  config,
  examples: [
    {
      title: 'Our own pages, with cookies',
      yaml: 'cors: { origins: ["https://app.example.com", "https://*.example.org"], credentials: true }',
    },
    {
      title: 'A public API',
      yaml: 'cors: { origins: ["*"], methods: [GET, HEAD], exposeHeaders: [ratelimit] }',
    },
  ],
  create(options) {
    const isAllowed = compileOrigins(options.origins)
    const isOpen = options.origins.includes('*')
    const preflight = preflightAnswers(options)
    const exposed = options.exposeHeaders.join(', ')
    return {
      answersPreflight: true,
      onRequest(exchange) {
        const { request } = exchange
        const from = request.field('origin')
        if (from !== undefined && isPreflight(exchange)) return preflight(exchange, from, isAllowed)
        const edits = exchange.responseFields
        for (const name of upstreamFields) edits.remove(name)
        if (!isOpen) edits.add('vary', 'Origin')
        if (from === undefined || !isAllowed(from)) return proceed
        edits.set('access-control-allow-origin', isOpen ? '*' : from)
        if (options.credentials) edits.set('access-control-allow-credentials', 'true')
        if (exposed !== '') edits.set('access-control-expose-headers', exposed)
        return proceed
      },
    }
  },
})

const upstreamFields = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
] as const

/** "CORS-preflight request" of Fetch: `OPTIONS` with `Access-Control-Request-Method`. */
function isPreflight({ request }: PolicyExchange): boolean {
  return (
    request.method === 'OPTIONS' && request.field('access-control-request-method') !== undefined
  )
}

/** A cache between must not give one origin's answer to another. */
const preflightVary: FieldLine = [
  'vary',
  'Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network',
]

function preflightAnswers(options: Config) {
  const isOpen = options.origins.includes('*')
  const maxAge = String(Math.floor((parseDuration(options.maxAge) ?? 0) / 1_000))
  const refusal = deny('client.origin_denied', { fields: [preflightVary] })
  const listed = options.headers.filter((name) => name !== '*').join(', ')
  const reflects = options.headers.includes('*')
  return (
    { request }: PolicyExchange,
    from: string,
    isAllowed: (origin: string) => boolean,
  ): Verdict => {
    if (!isAllowed(from)) return refusal
    const fields: FieldLine[] = [
      preflightVary,
      ['access-control-allow-origin', isOpen ? '*' : from],
      ['access-control-max-age', maxAge],
      [
        'access-control-allow-methods',
        methodsFor(request.field('access-control-request-method'), options),
      ],
    ]
    const requested = request.fieldAll('access-control-request-headers') ?? ''
    // The names asked for, not `*`: that would not cover `Authorization`, nor anything with credentials.
    const allowed = reflects && isTokenList(requested) ? requested : listed
    if (allowed !== '') fields.push(['access-control-allow-headers', allowed])
    if (options.credentials) fields.push(['access-control-allow-credentials', 'true'])
    if (
      options.privateNetwork &&
      request.field('access-control-request-private-network') === 'true'
    ) {
      fields.push(['access-control-allow-private-network', 'true'])
    }
    return respond(204, fields)
  }
}

/** `methods: ['*']` allows whatever is asked for, if it is a method name at all. */
function methodsFor(requested: string | undefined, { methods }: Config): string {
  const isAny = methods.includes('*') && requested !== undefined && tokenPattern.test(requested)
  return isAny ? requested : methods.join(', ')
}

function isTokenList(text: string): boolean {
  return text.length <= requestedHeadersCharsMax && tokenListPattern.test(text)
}
