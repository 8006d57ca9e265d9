/** Recognises the calling app by its API key; everybody else gets 401. */
import { s } from '../../../base/schema.ts'
import {
  type AppMatch,
  definePolicy,
  deny,
  type FieldLine,
  type PolicyExchange,
  proceed,
  type Verdict,
} from '../define-policy.ts'
import { fieldValue, writableFieldName } from '../field-rules.ts'

const config = s.strictObject({
  header: writableFieldName().default('x-api-key').describe('Field that carries the key.'),
  bearer: s
    .enum(['Ignore', 'Accept'])
    .default('Ignore')
    .describe('Whether the key may also come as `Authorization: Bearer KEY` (RFC 6750 §2.1).'),
  query: s
    .string()
    .regex(/^[A-Za-z0-9._~-]{1,128}$/, 'must be a parameter name such as `api_key`')
    .optional()
    .describe('Query parameter that may also carry the key. It ends up in logs: prefer a header.'),
  upstreamKey: s
    .enum(['Remove', 'Keep'])
    .default('Remove')
    .describe('Whether the upstream sees the key.'),
  apps: s
    .array(s.name().meta({ refersTo: 'App' }))
    .min(1)
    .max(10_000)
    .optional()
    .describe('Only these apps may pass. Default: every app with a valid key.'),
  realm: fieldValue(256)
    .regex(/^[^"\\]*$/, 'must not contain `"` or `\\`')
    .default('headgate')
    .describe('Named in the `WWW-Authenticate` field of a 401.'),
})

type Config = s.infer<typeof config>

export const apiKey = definePolicy({
  name: 'api-key',
  summary: 'Requires an API key and recognises the app by it.',
  description:
    'The key is looked for in the header, then as bearer token, then in the query, as far as these are accepted; the first one found counts. A missing, unknown or expired key is answered with 401, an app that is suspended or not listed with 403. Later policies and the access log know the app. The upstream does not see the key unless `upstreamKey` is `Keep`.',
  phase: 'authenticate',
  config,
  examples: [
    { title: 'Any app with a valid key', yaml: 'api-key: {}' },
    {
      title: 'Two apps, which may also send the key as bearer token',
      yaml: 'api-key: { bearer: Accept, apps: [mobile, partner] }',
    },
  ],
  create(options, { apps }) {
    const allowedApps = options.apps === undefined ? undefined : new Set(options.apps)
    const answers = refusals(options)
    return {
      onRequest(exchange) {
        const key = presentedKey(exchange, options)
        if (key === undefined) return answers.missing
        if (options.upstreamKey === 'Remove') hideKey(exchange, options)
        const match = apps.find(key)
        if (!match.found) return answers[match.reason]
        if (allowedApps !== undefined && !allowedApps.has(match.app.name)) return answers.notListed
        exchange.consumer = match.identity
        return proceed
      },
    }
  },
})

function presentedKey(exchange: PolicyExchange, options: Config): string | undefined {
  const { request } = exchange
  const fromHeader = request.field(options.header)
  if (fromHeader !== undefined && fromHeader !== '') return fromHeader
  if (options.bearer === 'Accept') {
    const token = bearerToken(request.field('authorization'))
    if (token !== undefined) return token
  }
  if (options.query === undefined || request.query === '') return undefined
  const fromQuery = request.queryParameter(options.query)
  return fromQuery === '' ? undefined : fromQuery
}

/** The scheme is case-insensitive and may be followed by several spaces (RFC 9110 §11.4). */
function bearerToken(credentials: string | undefined): string | undefined {
  if (credentials === undefined || credentials.charCodeAt(6) !== 0x20) return undefined
  if (credentials.slice(0, 6).toLowerCase() !== 'bearer') return undefined
  const token = credentials.slice(7).trim()
  return token === '' ? undefined : token
}

/** Removes the key wherever it may stand: a client may send it in two places. */
function hideKey(exchange: PolicyExchange, options: Config): void {
  exchange.requestFields.remove(options.header)
  // Only a bearer token is ours; `Basic` credentials are meant for the upstream.
  if (
    options.bearer === 'Accept' &&
    bearerToken(exchange.request.field('authorization')) !== undefined
  ) {
    exchange.requestFields.remove('authorization')
  }
  if (options.query !== undefined && exchange.request.query !== '') {
    exchange.removeQueryParameter(options.query)
  }
}

type Refusal = Extract<AppMatch, { readonly found: false }>['reason'] | 'missing' | 'notListed'

/** Every answer is made once; a flood of wrong keys builds nothing. */
function refusals(options: Config): Readonly<Record<Refusal, Verdict>> {
  const missing = challenges(options, undefined)
  const invalid = challenges(options, 'invalid_token')
  return {
    missing: deny('client.credential_missing', { fields: missing, detail: places(options) }),
    unknown: deny('client.credential_invalid', { fields: invalid, detail: { reason: 'unknown' } }),
    expired: deny('client.credential_invalid', { fields: invalid, detail: { reason: 'expired' } }),
    suspended: deny('client.app_denied', { detail: { reason: 'suspended' } }),
    notListed: deny('client.app_denied', { detail: { reason: 'notListed' } }),
  }
}

function places(options: Config): Readonly<Record<string, string>> {
  return {
    header: options.header,
    ...(options.bearer === 'Accept' && { authorization: 'Bearer' }),
    ...(options.query !== undefined && { query: options.query }),
  }
}

/**
 * A 401 must carry at least one challenge (RFC 9110 §11.6.1). For bearer tokens it is that of
 * RFC 6750 §3, which names no error when no credential came. For a key in a field of its own
 * no scheme is registered, so `ApiKey` says where the key belongs.
 */
function challenges(options: Config, error: 'invalid_token' | undefined): readonly FieldLine[] {
  const realm = `realm="${options.realm}"`
  const lines: FieldLine[] = [
    ['www-authenticate', `ApiKey ${realm}, in="header", name="${options.header}"`],
  ]
  if (options.bearer === 'Accept') {
    const suffix = error === undefined ? '' : `, error="${error}"`
    lines.push(['www-authenticate', `Bearer ${realm}${suffix}`])
  }
  return lines
}
