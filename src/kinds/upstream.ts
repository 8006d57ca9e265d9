import { s } from '../base/schema.ts'
import { basisPointsWhole, formatShare, parseShare } from '../base/units.ts'
import { defineKind, type Reference } from './define-kind.ts'
import { timeoutsSchema } from './gateway.ts'

const weightSchema = s.int().min(0).max(1_000)

const endpointSchema = s.strictObject({
  url: s.httpUrl().describe('Scheme, host and port, and a path prefix where the upstream has one.'),
  weight: weightSchema
    .optional()
    .describe('Relative to the other endpoints. Default 1; 0 takes no traffic.'),
  zone: s.name().optional(),
})

export const balancerNames = ['RoundRobin', 'LeastRequest', 'PeakEwma'] as const

const tlsSchema = s.strictObject({
  serverName: s
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe('Name for SNI and verification. Default: host of the endpoint.'),
  caFile: s
    .string()
    .min(1)
    .max(1_024)
    .optional()
    .describe('PEM file with the authorities to trust instead of the public ones.'),
  verify: s
    .enum(['Full', 'Off'])
    .optional()
    .describe('`Off` accepts any certificate; for tests only. Default Full.'),
})

const versionSchema = s.strictObject({
  url: s.httpUrl().optional().describe('Short for a single endpoint.'),
  endpoints: s.array(endpointSchema).min(1).max(1_000).optional(),
  account: s.name().optional().describe('Short for `accountRef`.'),
  accountRef: s.name().optional().describe('Credentials that requests to this version carry.'),
  balance: s
    .enum(balancerNames)
    .optional()
    .describe('How an endpoint is picked. Default PeakEwma.'),
  connectionsMax: s
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('Open connections per endpoint and worker. Default 1024.'),
  timeouts: timeoutsSchema.optional(),
  tls: tlsSchema.optional(),
})

const versionName = s
  .string()
  .max(63)
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/,
    'must be lower-case letters, digits, `.`, `_` and `-`, as in `v2` or `gpt-4.1`',
  )

export const stickyUnits = ['Consumer', 'Header', 'Cookie', 'ClientAddress'] as const

const splitSchema = s.strictObject({
  weights: s
    .record(versionName, s.share())
    .refine((weights) => Object.keys(weights).length <= 32, 'must name at most 32 versions')
    .describe('Share of traffic per version; together 100 %.'),
  sticky: s
    .strictObject({
      by: s
        .enum(stickyUnits)
        .describe(
          'The unit that keeps its version while weights stand, and only moves forward while they grow.',
        ),
      name: s.string().min(1).max(128).optional().describe('Name of the header or cookie.'),
      salt: s
        .string()
        .max(64)
        .optional()
        .describe('Another salt deals the units anew. Default: name of the upstream.'),
    })
    .optional()
    .describe('Default: each request is dealt on its own.'),
})

const forcedVersionSchema = s
  .strictObject({
    header: s.fieldName().describe('Field that names the version, such as `x-headgate-version`.'),
    apps: s
      .array(s.name())
      .max(1_000)
      .optional()
      .describe('Apps that may use it, once authenticated.'),
    addresses: s.array(s.cidr()).max(1_000).optional().describe('Client networks that may use it.'),
  })
  .describe(
    'Lets authorised testers choose the version of one request. From anybody else the field is removed.',
  )

const upstreamInput = s.strictObject({
  url: s.httpUrl().optional().describe('Short for one version `v1` with this one endpoint.'),
  account: s.name().optional().describe('With `url`: short for the account of that version.'),
  versions: s
    .record(versionName, versionSchema)
    .refine((versions) => Object.keys(versions).length <= 32, 'must have at most 32 versions')
    .optional()
    .describe('Bundles of endpoints, account and settings that traffic can be moved between.'),
  live: versionName
    .optional()
    .describe(
      'Version that gets all traffic when there is no split. Default: the only or first one.',
    ),
  split: splitSchema.optional(),
  forcedVersion: forcedVersionSchema.optional(),
})

export type UpstreamInput = s.infer<typeof upstreamInput>
type VersionInput = s.infer<typeof versionSchema>

export type EndpointSpec = { url: string; weight: number; zone?: string }
export type VersionSpec = {
  endpoints: EndpointSpec[]
  accountRef?: string
  balance: (typeof balancerNames)[number]
  connectionsMax: number
  timeouts?: s.infer<typeof timeoutsSchema>
  tls?: s.infer<typeof tlsSchema>
}
export type SplitSpec = {
  /** Basis points per version; together 10000. */
  weights: Record<string, number>
  sticky?: { by: (typeof stickyUnits)[number]; name?: string; salt?: string }
}
export type UpstreamSpec = {
  versions: Record<string, VersionSpec>
  live: string
  split?: SplitSpec
  forcedVersion?: s.infer<typeof forcedVersionSchema>
}

const setSplitInput = s.strictObject({
  weights: splitSchema.shape.weights,
  reason: s.string().max(1_024).optional(),
})

export const upstream = defineKind<UpstreamSpec, UpstreamInput>({
  kind: 'Upstream',
  plural: 'upstreams',
  summary: 'A backend behind the gateway and its versions.',
  description:
    'An upstream has versions; each is a bundle of endpoints, account and settings. `live` gets the traffic, or a `split` deals it by weight. The action `setSplit` moves traffic at run time without touching the definition; it stands until the definition of the split itself changes or `clearSplit` is called.',
  spec: upstreamInput.superRefine(checkUpstream),
  expand: expandUpstream,
  references: (spec) =>
    Object.entries(spec.versions).flatMap(([version, { accountRef }]): Reference[] =>
      accountRef === undefined
        ? []
        : [{ kind: 'Account', name: accountRef, path: ['versions', version, 'accountRef'] }],
    ),
  columns: [
    { title: 'VERSIONS', value: (spec) => Object.keys(spec.versions).join(', ') },
    { title: 'TRAFFIC', value: (spec, status) => describeTraffic(spec, status) },
    {
      title: 'ENDPOINTS',
      isWide: true,
      value: (spec) =>
        Object.values(spec.versions)
          .flatMap((v) => v.endpoints.map((e) => e.url))
          .join(', '),
    },
  ],
  actions: [
    {
      verb: 'setSplit',
      summary: 'Moves traffic between versions at once, on all workers.',
      input: setSplitInput,
    },
    {
      verb: 'clearSplit',
      summary: 'Drops the run-time split: the definition decides again.',
      input: s.strictObject({ reason: s.string().max(1_024).optional() }),
    },
  ],
  examples: [
    {
      title: 'One address',
      yaml: 'upstreams:\n  - { name: books, url: "http://127.0.0.1:7001" }\n',
    },
    {
      title: 'Two versions, 5 % of the consumers on the new one',
      yaml: `upstreams:
  - name: books
    versions:
      v1: { url: "http://127.0.0.1:7001" }
      v2: { url: "http://127.0.0.1:7002" }
    live: v1
    split: { weights: { v1: 95%, v2: 5% }, sticky: { by: Consumer } }
`,
    },
  ],
})

function checkUpstream(input: UpstreamInput, context: s.RefinementCtx<UpstreamInput>): void {
  const issue = (path: (string | number)[], message: string) =>
    context.addIssue({ code: 'custom', path, message })
  const names = Object.keys(input.versions ?? {})
  if ((input.url === undefined) === (input.versions === undefined)) {
    issue([], 'must have either `url` or `versions`')
    return
  }
  if (input.versions !== undefined && names.length === 0)
    issue(['versions'], 'must have at least one version')
  if (input.versions !== undefined && input.account !== undefined) {
    issue(['account'], 'belongs into the version when there are `versions`')
  }
  for (const [name, version] of Object.entries(input.versions ?? {}))
    checkVersion(name, version, issue)
  const known = input.url === undefined ? names : ['v1']
  if (input.live !== undefined && !known.includes(input.live)) {
    issue(['live'], `must be one of the versions: ${known.join(', ')}`)
  }
  if (input.split !== undefined) checkSplit(input.split, known, issue)
}

type AddIssue = (path: (string | number)[], message: string) => void

function checkVersion(name: string, version: VersionInput, issue: AddIssue): void {
  if ((version.url === undefined) === (version.endpoints === undefined)) {
    issue(['versions', name], 'must have either `url` or `endpoints`')
  }
  if (version.account !== undefined && version.accountRef !== undefined) {
    issue(['versions', name, 'account'], 'is short for `accountRef`; write one of the two')
  }
}

function checkSplit(
  split: s.infer<typeof splitSchema>,
  known: readonly string[],
  issue: AddIssue,
): void {
  for (const name of Object.keys(split.weights)) {
    if (!known.includes(name))
      issue(['split', 'weights', name], `must be one of the versions: ${known.join(', ')}`)
  }
  const total = Object.values(split.weights).reduce<number>(
    (sum, weight) => sum + basisPoints(weight),
    0,
  )
  if (total !== basisPointsWhole)
    issue(['split', 'weights'], `must add up to 100 %, not ${formatShare(total)}`)
  const needsName = split.sticky?.by === 'Header' || split.sticky?.by === 'Cookie'
  if (needsName && split.sticky?.name === undefined)
    issue(['split', 'sticky'], 'needs the `name` of the header or cookie')
}

function basisPoints(weight: string | number): number {
  return typeof weight === 'number' ? weight : (parseShare(weight) ?? 0)
}

/** Weights of a split as basis points. */
export function expandWeights(
  weights: Readonly<Record<string, string | number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, basisPoints(weight)]),
  )
}

function expandUpstream(input: UpstreamInput): UpstreamSpec {
  const versions = input.versions ?? { v1: { url: input.url, account: input.account } }
  const first = Object.keys(versions)[0] ?? ''
  return {
    versions: Object.fromEntries(
      Object.entries(versions).map(([name, version]) => [name, expandVersion(version)]),
    ),
    live: input.live ?? first,
    ...(input.split && { split: { ...input.split, weights: expandWeights(input.split.weights) } }),
    ...(input.forcedVersion && { forcedVersion: input.forcedVersion }),
  }
}

function expandVersion(version: VersionInput): VersionSpec {
  const endpoints = version.endpoints ?? [{ url: version.url ?? '' }]
  const accountRef = version.accountRef ?? version.account
  return {
    endpoints: endpoints.map((endpoint) => ({ ...endpoint, weight: endpoint.weight ?? 1 })),
    ...(accountRef !== undefined && { accountRef }),
    balance: version.balance ?? 'PeakEwma',
    connectionsMax: version.connectionsMax ?? 1_024,
    ...(version.timeouts && { timeouts: version.timeouts }),
    ...(version.tls && { tls: version.tls }),
  }
}

/** `v1 95%, v2 5%`: the split in force, from run-time state, definition or `live`. */
function describeTraffic(spec: UpstreamSpec, status: Readonly<Record<string, unknown>>): string {
  const weights = upstreamStatus.safeParse(status).data?.weights ??
    spec.split?.weights ?? { [spec.live]: basisPointsWhole }
  return Object.entries(weights)
    .map(([name, weight]) => `${name} ${formatShare(weight)}`)
    .join(', ')
}

const upstreamStatus = s.object({ weights: s.record(s.string(), s.number()).optional() })
