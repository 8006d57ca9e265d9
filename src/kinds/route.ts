import { s } from '../base/schema.ts'
import { defineKind, type Reference } from './define-kind.ts'
import { timeoutsSchema } from './gateway.ts'
import {
  expandPolicies,
  type PolicyEntry,
  policyListSchema,
  policyReferences,
} from './policy-list.ts'
import { templateProblem } from './route-template.ts'

const valueMatchSchema = s.union([
  s.string().max(1_024).describe('The exact value; `*` for any value.'),
  s
    .strictObject({
      exact: s.string().max(1_024).optional(),
      prefix: s.string().max(1_024).optional(),
      suffix: s.string().max(1_024).optional(),
      contains: s.string().max(1_024).optional(),
      present: s.boolean().optional(),
    })
    .refine(
      (match) => Object.keys(match).length === 1,
      'must have exactly one of `exact`, `prefix`, `suffix`, `contains`, `present`',
    ),
])

const hostPattern = s
  .string()
  .max(253)
  .regex(
    /^(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$|^\[[0-9A-Fa-f:.]+\]$/,
    'must be a host such as `api.example.com` or `*.example.com`, without port',
  )
  .transform((host) => host.toLowerCase())

const pathPattern = s
  .string()
  .max(1_024)
  .superRefine((pattern, context) => {
    const message = pathPatternProblem(pattern)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

const method = s
  .string()
  .max(32)
  .regex(/^[A-Z][A-Z-]*$/, 'must be a method in capitals such as `GET`')

const matchSchema = s.strictObject({
  host: hostPattern.optional().describe('Short for `hosts` with one entry.'),
  hosts: s
    .array(hostPattern)
    .min(1)
    .max(256)
    .optional()
    .describe('Exact, or `*.example.com` for every name below. Default: any host.'),
  path: pathPattern.optional().describe('Short for `paths` with one entry.'),
  paths: s
    .array(pathPattern)
    .min(1)
    .max(256)
    .optional()
    .describe(
      'Exact `/books`, with parameters `/books/{id}`, or everything below `/books/**`. Default: any path.',
    ),
  method: method.optional().describe('Short for `methods` with one entry.'),
  methods: s
    .array(method)
    .min(1)
    .max(32)
    .optional()
    .describe('Default: any. `GET` includes `HEAD`.'),
  headers: s.record(s.fieldName(), valueMatchSchema).optional(),
  query: s.record(s.string().min(1).max(256), valueMatchSchema).optional(),
  cookies: s.record(s.string().min(1).max(256), valueMatchSchema).optional(),
  addresses: s.array(s.cidr()).min(1).max(1_000).optional().describe('Client networks.'),
})

const authority = s
  .string()
  .max(260)
  .regex(
    /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/,
    'must be a host such as `api.example.com` or `api.example.com:8443`',
  )

const redirectSchema = s.strictObject({
  status: s
    .union([s.literal(301), s.literal(302), s.literal(303), s.literal(307), s.literal(308)])
    .optional()
    .describe('Default 308.'),
  location: s
    .string()
    .min(1)
    .max(2_048)
    .optional()
    .describe(
      'Whole address or path, sent as it stands; `{id}` and `{**}` insert what the path matched.',
    ),
  scheme: s.enum(['http', 'https']).optional().describe('Replaces the scheme of the request.'),
  host: authority.optional().describe('Replaces the host of the request; may have a port.'),
  path: s
    .string()
    .min(1)
    .max(2_048)
    .optional()
    .describe('Replaces the path; `{id}` and `{**}` insert what it matched. The query is kept.'),
})

const respondSchema = s.strictObject({
  status: s.int().min(200).max(599),
  headers: s.record(s.fieldName(), s.string().max(4_096)).optional(),
  body: s.string().max(65_536).optional(),
  json: s.unknown().optional().describe('Sent as `application/json`.'),
})

const prefix = s
  .string()
  .min(2)
  .max(1_024)
  .startsWith('/', 'must start with `/`')
  .regex(/^[^?#{}]*$/, 'must be plain text without query; templates belong into `path`')

const rewriteSchema = s
  .strictObject({
    path: s
      .string()
      .min(1)
      .max(1_024)
      .startsWith('/', 'must start with `/`')
      .optional()
      .describe('New path; `{id}` and `{**}` insert what the path matched. The query is kept.'),
    stripPrefix: prefix
      .optional()
      .describe('Cut off the front of the path, in whole segments, before `addPrefix` is added.'),
    addPrefix: prefix.optional().describe('Put before the path.'),
    host: s
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('`Upstream` (default), `Preserve`, or a literal host.'),
  })
  .refine(
    (rewrite) =>
      rewrite.path === undefined ||
      (rewrite.stripPrefix === undefined && rewrite.addPrefix === undefined),
    '`path` cannot be combined with `stripPrefix` or `addPrefix`',
  )

const routeInput = s.strictObject({
  match: matchSchema
    .optional()
    .describe('Which requests; all conditions must hold. Default: every request.'),
  priority: s
    .int()
    .min(-1_000)
    .max(1_000)
    .optional()
    .describe('Among equally specific routes the higher one wins. Default 0.'),
  to: s
    .union([s.httpUrl(), s.name()], {
      error: 'must be the name of an upstream or an http(s) address',
    })
    .optional()
    .describe('Name of an upstream, or an address for an upstream of its own.'),
  target: s
    .union([s.strictObject({ upstreamRef: s.name() }), s.strictObject({ url: s.httpUrl() })])
    .optional()
    .describe('Long form of `to`.'),
  redirect: redirectSchema.optional(),
  respond: respondSchema.optional(),
  rewrite: rewriteSchema.optional(),
  timeouts: timeoutsSchema.optional(),
  policies: policyListSchema.optional(),
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
  const issue = (path: (string | number)[], message: string) =>
    context.addIssue({ code: 'custom', path, message })
  const targets = [input.to, input.target, input.redirect, input.respond].filter(
    (target) => target !== undefined,
  )
  if (targets.length !== 1) issue([], 'must have exactly one of `to`, `redirect` and `respond`')
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
  if (input.respond?.body !== undefined && input.respond.json !== undefined)
    issue(['respond', 'json'], 'cannot be combined with `body`')
  checkTemplates(input, issue)
}

function checkTemplates(
  input: RouteInput,
  issue: (path: (string | number)[], message: string) => void,
): void {
  const paths = input.match?.paths ?? (input.match?.path === undefined ? [] : [input.match.path])
  for (const [path, text, place] of [
    [['rewrite', 'path'], input.rewrite?.path, 'path'],
    [['redirect', 'path'], input.redirect?.path, 'path'],
    [['redirect', 'location'], input.redirect?.location, 'location'],
  ] as const) {
    const problem = text === undefined ? undefined : templateProblem(text, { paths, place })
    if (problem !== undefined) issue([...path], problem)
  }
  const { location, scheme, host, path } = input.redirect ?? {}
  if (location !== undefined && [scheme, host, path].some((value) => value !== undefined))
    issue(['redirect', 'location'], 'cannot be combined with `scheme`, `host` or `path`')
}

/** What is wrong with a path pattern, or undefined. */
function pathPatternProblem(pattern: string): string | undefined {
  if (!pattern.startsWith('/')) return 'must start with `/`'
  if (/[?#\s]/.test(pattern)) return 'must be a path, without query, fragment or spaces'
  const segments = pattern.slice(1).split('/')
  const parameters = new Set<string>()
  for (const [index, segment] of segments.entries()) {
    if (segment === '**') {
      if (index !== segments.length - 1) return '`**` may only stand at the end, as in `/books/**`'
      continue
    }
    if (/^(?:\.|%2e){1,2}(?:;|$)/i.test(segment)) return 'must not have `.` or `..` segments'
    if (/%(?![0-9A-Fa-f]{2})|%[01]|%7f|%5c|\\/i.test(segment))
      return 'must not have backslashes, control characters or a `%` without two hexadecimal digits'
    if (segment === '' && index !== segments.length - 1)
      return 'must not have empty segments (`//`)'
    if (segment.includes('*'))
      return 'may use `*` only as a last segment `**`; use `{name}` for one segment'
    if (!/[{}]/.test(segment)) continue
    const parameter = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(segment)?.[1]
    if (parameter === undefined) return 'a parameter is a whole segment, as in `/books/{id}`'
    if (parameters.has(parameter)) return `parameter \`{${parameter}}\` stands twice`
    parameters.add(parameter)
  }
  return undefined
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
    policies: expandPolicies(input.policies ?? []),
  }
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
