import { isFramingField } from '../base/framing-fields.ts'
import { s } from '../base/schema.ts'
import { issueOf } from '../base/schema-check.ts'
import { defineKind, type Path, type Reference, type SpecWarning } from './define-kind.ts'
import {
  expandPolicies,
  type PolicyEntry,
  policyListSchema,
  policyReferences,
  policyShortForms,
  shortenPolicies,
} from './policy-list.ts'
import { pathPatternProblem, templateProblem } from './route-patterns.ts'
import { timeoutsSchema } from './timeouts.ts'

const valueText = s.string({ error: 'must be text: put it in quotes' }).max(1_024)

const valueMatchSchema = s.union([
  valueText.describe('The exact value; `*` for any value.'),
  s
    .strictObject({
      exact: valueText.optional().meta({ description: 'Equal to this.', examples: ['beta'] }),
      prefix: valueText
        .optional()
        .meta({ description: 'Begins with this.', examples: ['Bearer '] }),
      suffix: valueText.optional().meta({ description: 'Ends with this.', examples: ['-eu'] }),
      contains: valueText.optional().meta({ description: 'Holds this.', examples: ['Mobile'] }),
      present: s
        .boolean()
        .optional()
        .meta({
          description: '`true`: is there, with any value; `false`: is not there.',
          examples: [false],
        }),
    })
    .refine(
      (match) => Object.keys(match).length === 1,
      'must have exactly one of `exact`, `prefix`, `suffix`, `contains`, `present`',
    ),
])

const hostForm = 'must be a host such as `api.example.com` or `*.example.com`, without port'
const hostPattern = s
  .string({ error: hostForm })
  .max(253, hostForm)
  .regex(/^(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$|^\[[0-9A-Fa-f:.]+\]$/, hostForm)
  .transform((host) => host.toLowerCase())

/** Where a request goes or is sent: a host, with a port where it is not the usual one. */
function authority(error: string) {
  return s
    .string({ error })
    .min(1, error)
    .max(259, error)
    .regex(
      /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/,
      error,
    )
}

const pathPattern = s
  .string({ error: 'must be a path such as `/books/**`' })
  .max(1_024)
  .superRefine((pattern, context) => {
    const message = pathPatternProblem(pattern)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

const methodForm = 'must be a method in capitals such as `GET`'
const method = s
  .string({ error: methodForm })
  .max(32)
  .superRefine((text, context) => {
    if (/^[A-Z][A-Z-]*$/.test(text)) return
    const capitals = text.toUpperCase()
    const suggestion = /^[A-Z][A-Z-]*$/.test(capitals) ? `did you mean \`${capitals}\`?` : undefined
    context.addIssue(
      issueOf({
        path: [],
        code: 'config.bad_value',
        message: methodForm,
        ...(suggestion !== undefined && { suggestion }),
      }),
    )
  })

const conditionsMax = 32
const conditionName = s.string().min(1).max(256)
const conditions = (key: typeof conditionName | ReturnType<typeof s.fieldName>) =>
  s.map(key, valueMatchSchema, { entriesMax: conditionsMax })

// Lists may be empty, which is how the canonical form says "any".
const matchSchema = s.strictObject({
  host: hostPattern
    .optional()
    .meta({ description: 'Short for `hosts` with one entry.', examples: ['api.example.com'] }),
  hosts: s
    .array(hostPattern)
    .max(256)
    .optional()
    .meta({
      description: 'Exact, or `*.example.com` for every name below. Without it: any host.',
      examples: [['api.example.com', '*.example.org']],
    }),
  path: pathPattern
    .optional()
    .meta({ description: 'Short for `paths` with one entry.', examples: ['/books/**'] }),
  paths: s
    .array(pathPattern)
    .max(256)
    .optional()
    .meta({
      description:
        'Exact `/books`, with parameters `/books/{id}`, or everything below `/books/**`. Without it: any path.',
      examples: [['/books', '/books/{id}', '/authors/**']],
    }),
  method: method
    .optional()
    .meta({ description: 'Short for `methods` with one entry.', examples: ['POST'] }),
  methods: s
    .array(method)
    .max(32)
    .optional()
    .meta({ description: 'Without it: any. `GET` includes `HEAD`.', examples: [['GET', 'POST']] }),
  headers: conditions(s.fieldName())
    .optional()
    .meta({
      description: 'Header fields and what they must hold.',
      examples: [{ 'x-tier': 'gold', 'x-debug': { present: true } }],
    }),
  query: conditions(conditionName)
    .optional()
    .meta({ description: 'Query parameters and what they must hold.', examples: [{ v: '2' }] }),
  cookies: conditions(conditionName)
    .optional()
    .meta({ description: 'Cookies and what they must hold.', examples: [{ beta: '*' }] }),
  addresses: s
    .array(s.cidr())
    .max(1_000)
    .optional()
    .meta({ description: 'Client networks.', examples: [['10.0.0.0/8']] }),
})

/** Text that may insert what the path matched; whether the parameters exist is checked above it. */
function template({ charactersMax, error }: { charactersMax: number; error: string }) {
  return s
    .string({ error })
    .min(1, error)
    .max(charactersMax)
    .regex(/^[\x21-\x7e]+$/, error)
}

const redirectSchema = s
  .strictObject({
    status: s
      .literal([301, 302, 303, 307, 308])
      .optional()
      .meta({ description: 'Status of the answer.', default: 308 }),
    location: template({
      charactersMax: 2_048,
      error: 'must be an address without spaces, such as `https://example.com/{**}`',
    })
      .optional()
      .meta({
        description:
          'Address or path, sent as it stands; `{id}` and `{**}` insert what the path matched.',
        examples: ['https://example.com/{**}'],
      }),
    scheme: s
      .enum(['http', 'https'])
      .optional()
      .describe('Replaces the scheme and keeps the rest of the address.'),
    host: authority('must be a host such as `www.example.com`, with a port where needed')
      .optional()
      .meta({ description: 'Replaces the host.', examples: ['www.example.com'] }),
    path: template({ charactersMax: 2_048, error: 'must be a path such as `/books/{id}`' })
      .startsWith('/', 'must start with `/`')
      .optional()
      .meta({
        description:
          'Replaces the path; `{id}` and `{**}` insert what the path matched. The query is kept.',
        examples: ['/books/{id}'],
      }),
  })
  .describe('Sends the client elsewhere.')

const bodyBytesMax = 65_536
const upgradesMax = 8
const upgradeLengthMax = 80

const respondSchema = s
  .strictObject({
    status: s
      .int()
      .min(200)
      .max(599)
      .meta({ description: 'Status.', examples: [200, 404] }),
    headers: s
      .map(
        s.fieldName().refine((name) => !isFramingField(name), {
          error: 'belongs to the connection or frames the message: the gateway writes it',
        }),
        s.fieldValue({ charactersMax: 4_096 }),
        { entriesMax: 64 },
      )
      .optional()
      .meta({ description: 'Header fields.', examples: [{ 'cache-control': 'no-store' }] }),
    body: s
      .string()
      .max(bodyBytesMax)
      .optional()
      .meta({ description: 'Sent as it is.', examples: ['User-agent: *\nDisallow: /\n'] }),
    json: s
      .json({ bytesMax: bodyBytesMax })
      .optional()
      .meta({
        description: 'Sent as `application/json`.',
        examples: [{ status: 'ok' }],
        isBounded: true,
      }),
  })
  .describe('Answers without asking an upstream.')

const prefixForm = 'must start with `/`, as in `/api`'
const prefix = s
  .string({ error: prefixForm })
  .min(2, prefixForm)
  .max(1_024)
  .regex(/^\/[\x21-\x7e]*$/, prefixForm)

const rewriteSchema = s
  .strictObject({
    path: template({ charactersMax: 1_024, error: 'must be a path such as `/v2/{**}`' })
      .startsWith('/', 'must start with `/`')
      .optional()
      .meta({
        description: 'New path; `{id}` and `{**}` insert what the path matched. The query is kept.',
        examples: ['/v2/{**}'],
      }),
    stripPrefix: prefix.optional().meta({
      description: 'Taken off the beginning of the path, in whole segments.',
      examples: ['/api'],
    }),
    addPrefix: prefix
      .optional()
      .meta({ description: 'Put before the path.', examples: ['/internal'] }),
    host: authority('must be `Upstream`, `Preserve` or a host such as `books.internal`')
      .optional()
      .meta({
        description: '`Upstream`, `Preserve` (what the client sent), or a literal host.',
        default: 'Upstream',
        examples: ['Preserve', 'books.internal'],
      }),
  })
  .refine(
    (rewrite) =>
      rewrite.path === undefined ||
      (rewrite.stripPrefix === undefined && rewrite.addPrefix === undefined),
    '`path` cannot be combined with `stripPrefix` or `addPrefix`',
  )
  .describe('Changes the request line and `Host` on the way to the upstream.')

const routeInput = s.strictObject({
  match: matchSchema
    .optional()
    .describe('Which requests; all conditions must hold. Without it: every request.'),
  priority: s
    .int()
    .min(-1_000)
    .max(1_000)
    .optional()
    .meta({ description: 'Among equally specific routes the higher one wins.', default: 0 }),
  to: s
    .union([s.httpUrl(), s.name()], {
      error: 'must be the name of an upstream or an http:// or https:// address',
    })
    .optional()
    .meta({
      description: 'Name of an upstream, or an address for an upstream of its own.',
      examples: ['books', 'http://127.0.0.1:7001'],
    }),
  target: s
    .union([
      s.strictObject({
        upstreamRef: s.name().meta({ description: 'Name of an upstream.', examples: ['books'] }),
      }),
      s.strictObject({ url: s.httpUrl().describe('Address for an upstream of its own.') }),
    ])
    .optional()
    .describe('Long form of `to`.'),
  redirect: redirectSchema.optional(),
  respond: respondSchema.optional(),
  rewrite: rewriteSchema.optional(),
  timeouts: timeoutsSchema.optional(),
  upgrades: s
    .array(
      s
        .string()
        .max(upgradeLengthMax)
        .regex(/^(?!h2c$|tls\b)[a-z0-9!#$%&'*+.^_`|~-]+(?:\/[a-z0-9.]+)?$/, {
          error:
            'must be the name of a protocol in lower case, such as `websocket`; HTTP/2 and TLS are not upgraded to',
        }),
    )
    .max(upgradesMax)
    .optional()
    .meta({
      description:
        'Protocols that clients may change the connection to with `Upgrade`. An empty list allows none.',
      default: ['websocket'],
      examples: [['websocket', 'my-protocol']],
    }),
  policies: policyListSchema.optional().describe('In the order in which they run in their phase.'),
})

export type RouteInput = s.infer<typeof routeInput>
export type ValueMatch =
  | { exact: string }
  | { prefix: string }
  | { suffix: string }
  | { contains: string }
  | { present: boolean }
export type RouteMatch = {
  hosts: string[]
  paths: string[]
  methods: string[]
  headers: Record<string, ValueMatch>
  query: Record<string, ValueMatch>
  cookies: Record<string, ValueMatch>
  addresses: string[]
}
export type RedirectSpec = s.infer<typeof redirectSchema>
export type RespondSpec = s.infer<typeof respondSchema>
export type RewriteSpec = s.infer<typeof rewriteSchema>
export type RouteSpec = {
  /** Empty lists and maps mean: any. */
  match: RouteMatch
  priority: number
  /** Exactly one of `target`, `redirect`, `respond`. */
  target?: { upstreamRef: string } | { url: string }
  redirect?: RedirectSpec
  respond?: RespondSpec
  rewrite?: RewriteSpec
  timeouts?: s.infer<typeof timeoutsSchema>
  /** Absent: WebSocket only. */
  upgrades?: string[]
  policies: PolicyEntry[]
}

export const route = defineKind<RouteSpec, RouteInput>({
  kind: 'Route',
  plural: 'routes',
  summary: 'Which requests go where, and through which policies.',
  description: `A route matches on host, path, method, header, query, cookie and client network, and sends what it matches to an upstream, redirects it, or answers itself.

When several routes match, the more specific one wins, in this order: host (exact, then the longest wildcard, then any); path, segment by segment (literal, then parameter, then \`/**\`); number of further conditions (each header, query parameter and cookie counts one, and so do methods and addresses); the higher \`priority\`; the name that comes first. Two routes with the same match and priority are refused, and a route that can never be chosen is reported.

Paths are compared by what they mean: \`//admin\` and \`/%61dmin\` match like \`/admin\`. Case counts, and so does a slash at the end, but \`/books/**\` takes \`/books\`, \`/books/\` and everything below. A parameter stands for one segment that is not empty. Paths with dot segments, encoded or not, are refused with 400. Upstreams get the path as the client sent it, unless \`rewrite\` changes it.`,
  spec: routeInput.superRefine(checkRoute),
  expand: expandRoute,
  shorten: shortenRoute,
  shortForms: [
    ...policyShortForms,
    ['target.upstreamRef', 'to'],
    ['target.url', 'to'],
    ['target', 'to'],
    ['match.hosts.*', 'match.host'],
    ['match.paths.*', 'match.path'],
    ['match.methods.*', 'match.method'],
  ],
  policyLists: [['policies']],
  warnings: warnAboutRoute,
  references: (spec) => [
    ...(spec.target !== undefined && 'upstreamRef' in spec.target
      ? [
          {
            kind: 'Upstream',
            name: spec.target.upstreamRef,
            path: ['target', 'upstreamRef'],
          } satisfies Reference,
        ]
      : []),
    ...policyReferences(spec.policies),
  ],
  columns: [
    { title: 'HOSTS', value: (spec) => spec.match.hosts.join(', ') || '*' },
    { title: 'PATHS', value: (spec) => spec.match.paths.join(', ') || '/**' },
    { title: 'METHODS', isWide: true, value: (spec) => spec.match.methods.join(', ') || '*' },
    { title: 'TO', value: describeTarget },
    { title: 'POLICIES', isWide: true, value: (spec) => String(spec.policies.length) },
  ],
  actions: [],
  examples: [
    {
      title: 'Everything below a path',
      yaml: 'routes:\n  - { name: books, match: { path: /books/** }, to: "http://127.0.0.1:7001" }\n',
    },
    {
      title: 'Redirect and static answer',
      yaml: `routes:
  - { name: old, match: { path: "/v1/{id}" }, redirect: { status: 301, path: "/books/{id}" } }
  - { name: robots, match: { path: /robots.txt }, respond: { status: 200, body: "User-agent: *\\nDisallow: /\\n" } }
`,
    },
  ],
})

function checkRoute(input: RouteInput, context: s.RefinementCtx<RouteInput>): void {
  const issue = (path: Path, message: string) =>
    context.addIssue(issueOf({ path, code: 'config.bad_value', message }))
  const given = (['to', 'target', 'redirect', 'respond'] as const).filter(
    (key) => input[key] !== undefined,
  )
  if (given.length !== 1) {
    const found =
      given.length === 0 ? '' : `, not ${given.map((key) => `\`${key}\``).join(' and ')}`
    issue([], `must have exactly one of \`to\`, \`redirect\` and \`respond\`${found}`)
  }
  for (const [short, long] of [
    ['host', 'hosts'],
    ['path', 'paths'],
    ['method', 'methods'],
  ] as const) {
    if (input.match?.[short] !== undefined && input.match[long] !== undefined) {
      issue(['match', short], `is short for \`${long}\`; write one of the two`)
    }
  }
  if (
    input.redirect !== undefined &&
    Object.keys(input.redirect).every((key) => key === 'status')
  ) {
    issue(['redirect'], 'needs `location`, or one of `scheme`, `host` and `path`')
  }
  if (
    input.redirect?.location !== undefined &&
    (input.redirect.scheme ?? input.redirect.host ?? input.redirect.path) !== undefined
  ) {
    issue(['redirect', 'location'], 'cannot be combined with `scheme`, `host` or `path`')
  }
  if (input.respond?.body !== undefined && input.respond.json !== undefined)
    issue(['respond', 'json'], 'cannot be combined with `body`')
  checkTemplates(input, issue)
}

/** Every `{name}` of a template must be a parameter in all paths of the route. */
function checkTemplates(input: RouteInput, issue: (path: Path, message: string) => void): void {
  const paths = input.match?.paths ?? (input.match?.path === undefined ? [] : [input.match.path])
  for (const [path, text, place] of [
    [['rewrite', 'path'], input.rewrite?.path, 'path'],
    [['redirect', 'location'], input.redirect?.location, 'location'],
    [['redirect', 'path'], input.redirect?.path, 'path'],
  ] as const) {
    const message =
      text === undefined ? undefined : templateProblem(text, { patterns: paths, place })
    if (message !== undefined) issue(path, message)
  }
}

function expandRoute(input: RouteInput): RouteSpec {
  const match = input.match ?? {}
  const target = expandTarget(input)
  return {
    match: {
      hosts: match.hosts ?? (match.host === undefined ? [] : [match.host]),
      paths: match.paths ?? (match.path === undefined ? [] : [match.path]),
      methods: match.methods ?? (match.method === undefined ? [] : [match.method]),
      headers: expandMatches(match.headers),
      query: expandMatches(match.query),
      cookies: expandMatches(match.cookies),
      addresses: match.addresses ?? [],
    },
    priority: input.priority ?? 0,
    ...(target && { target }),
    ...(input.redirect && { redirect: input.redirect }),
    ...(input.respond && { respond: input.respond }),
    ...(input.rewrite && { rewrite: input.rewrite }),
    ...(input.timeouts && { timeouts: input.timeouts }),
    ...(input.upgrades && { upgrades: input.upgrades }),
    policies: expandPolicies(input.policies ?? []),
  }
}

function shortenRoute(spec: RouteSpec): RouteInput {
  const { hosts, paths, methods, headers, query, cookies, addresses } = spec.match
  const match = {
    ...shortenList('host', 'hosts', hosts),
    ...shortenList('path', 'paths', paths),
    ...shortenList('method', 'methods', methods),
    ...shortenMatches('headers', headers),
    ...shortenMatches('query', query),
    ...shortenMatches('cookies', cookies),
    ...(addresses.length > 0 && { addresses }),
  }
  const { target } = spec
  return {
    ...(Object.keys(match).length > 0 && { match }),
    ...(spec.priority !== 0 && { priority: spec.priority }),
    ...(target && { to: 'upstreamRef' in target ? target.upstreamRef : target.url }),
    ...(spec.redirect && { redirect: spec.redirect }),
    ...(spec.respond && { respond: spec.respond }),
    ...(spec.rewrite && { rewrite: spec.rewrite }),
    ...(spec.timeouts && { timeouts: spec.timeouts }),
    ...(spec.upgrades && { upgrades: spec.upgrades }),
    ...(spec.policies.length > 0 && { policies: shortenPolicies(spec.policies) }),
  }
}

function shortenList(short: string, long: string, values: string[]) {
  if (values.length === 0) return {}
  return values.length === 1 ? { [short]: values[0] } : { [long]: values }
}

function shortenMatches(key: string, matches: Record<string, ValueMatch>) {
  const entries = Object.entries(matches).map(([name, match]) => [name, shortenMatch(match)])
  return entries.length === 0 ? {} : { [key]: Object.fromEntries(entries) }
}

function shortenMatch(match: ValueMatch): string | ValueMatch {
  if ('present' in match && match.present) return '*'
  return 'exact' in match && match.exact !== '*' ? match.exact : match
}

function warnAboutRoute(spec: RouteSpec): SpecWarning[] {
  if (spec.target !== undefined) return []
  const message = 'has no effect: this route does not ask an upstream'
  return (['rewrite', 'timeouts', 'upgrades'] as const).flatMap((key): SpecWarning[] =>
    spec[key] === undefined ? [] : [{ code: 'config.no_effect', path: [key], message }],
  )
}

function expandTarget(input: RouteInput): RouteSpec['target'] {
  if (input.target !== undefined) return input.target
  if (input.to === undefined) return undefined
  return input.to.includes('://') ? { url: input.to } : { upstreamRef: input.to }
}

function expandMatches(
  matches: Record<string, s.infer<typeof valueMatchSchema>> = {},
): Record<string, ValueMatch> {
  return Object.fromEntries(
    Object.entries(matches).map(([name, match]) => [name, expandMatch(match)]),
  )
}

function expandMatch(match: s.infer<typeof valueMatchSchema>): ValueMatch {
  if (match === '*') return { present: true }
  if (typeof match === 'string') return { exact: match }
  if (match.prefix !== undefined) return { prefix: match.prefix }
  if (match.suffix !== undefined) return { suffix: match.suffix }
  if (match.contains !== undefined) return { contains: match.contains }
  if (match.present !== undefined) return { present: match.present }
  return { exact: match.exact ?? '' }
}

function describeTarget(spec: RouteSpec): string {
  if (spec.redirect !== undefined) return `redirect ${spec.redirect.status ?? 308}`
  if (spec.respond !== undefined) return `answer ${spec.respond.status}`
  if (spec.target === undefined) return ''
  return 'upstreamRef' in spec.target ? spec.target.upstreamRef : spec.target.url
}
