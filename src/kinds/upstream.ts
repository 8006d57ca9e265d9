import { s } from '../base/schema.ts'
import { issueOf, notOneOf } from '../base/schema-check.ts'
import { basisPointsWhole, formatShare, parseShare } from '../base/units.ts'
import { defineKind, type Path, type Reference, type SpecWarning } from './define-kind.ts'
import { timeoutsSchema } from './timeouts.ts'

const balanceDefault = 'PeakEwma'
const connectionsMaxDefault = 1_024
const weightDefault = 1

const weightSchema = s.int().min(0).max(1_000)

const endpointSchema = s.strictObject({
  url: s.httpUrl().describe('Scheme, host and port, and a path prefix where the upstream has one.'),
  weight: weightSchema.optional().meta({
    description: 'Relative to the other endpoints; 0 takes no traffic.',
    default: weightDefault,
  }),
  zone: s
    .name()
    .optional()
    .meta({ description: 'Where it runs, such as a datacentre.', examples: ['eu-west-1a'] }),
})

export const balancerNames = ['RoundRobin', 'LeastRequest', 'PeakEwma'] as const

const tlsSchema = s
  .strictObject({
    serverName: s
      .string()
      .min(1)
      .max(253)
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'must be a host name')
      .optional()
      .meta({
        description: 'Name for SNI and verification. Without it, the host of the endpoint.',
        examples: ['books.internal'],
      }),
    caFile: s
      .string()
      .min(1)
      .max(1_024)
      .optional()
      .meta({
        description: 'PEM file with the authorities to trust instead of the public ones.',
        examples: ['/etc/headgate/internal-ca.pem'],
      }),
    clientCertificateRef: s
      .name()
      .optional()
      .meta({
        description: 'Certificate that is presented to endpoints that ask for one (mTLS).',
        examples: ['towards-books'],
      }),
    verify: s.enum(['Full', 'Off']).optional().meta({
      description: '`Off` accepts any certificate; for tests only.',
      default: 'Full',
    }),
  })
  .describe('How `https` endpoints are verified.')

const versionSchema = s
  .strictObject({
    url: s.httpUrl().optional().describe('Short for a single endpoint.'),
    endpoints: s
      .array(endpointSchema)
      .min(1)
      .max(1_000)
      .optional()
      .describe('Addresses that requests are balanced over.'),
    account: s
      .name()
      .optional()
      .meta({ description: 'Short for `accountRef`.', examples: ['books-key'] }),
    accountRef: s
      .name()
      .optional()
      .meta({
        description: 'Credentials that requests to this version carry.',
        examples: ['books-key'],
      }),
    balance: s
      .enum(balancerNames)
      .optional()
      .meta({ description: 'How an endpoint is picked.', default: balanceDefault }),
    connectionsMax: s.int().min(1).max(100_000).optional().meta({
      description: 'Open connections per endpoint and worker.',
      default: connectionsMaxDefault,
    }),
    timeouts: timeoutsSchema.optional(),
    tls: tlsSchema.optional(),
  })
  .describe('A bundle of endpoints, account and settings.')

const versionForm = 'must be lower-case letters, digits, `.`, `_` and `-`, as in `v2` or `gpt-4.1`'
const versionName = s
  .string({ error: versionForm })
  .max(63, 'must be at most 63 characters long')
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/, versionForm)

export const stickyUnits = ['Consumer', 'Header', 'Cookie', 'ClientAddress'] as const

const versionsMax = 32

const stickySchema = s
  .strictObject({
    by: s
      .enum(stickyUnits)
      .describe(
        'The unit that keeps its version while weights stand, and only moves forward while they grow.',
      ),
    name: s
      .string()
      .min(1)
      .max(128)
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be the name of a header field or a cookie')
      .optional()
      .meta({ description: 'Name of the header or cookie.', examples: ['x-user-id'] }),
    salt: s
      .string()
      .max(64)
      .optional()
      .meta({
        description: 'Another salt deals the units anew. Without it, the name of the upstream.',
        examples: ['2026-10'],
      }),
  })
  .describe('What keeps its version. Without it each request is dealt on its own.')

const splitSchema = s
  .strictObject({
    weights: s
      .map(versionName, s.share(), {
        entriesMax: versionsMax,
        error: `must name at most ${versionsMax} versions`,
      })
      .meta({
        description: 'Share of traffic per version; together 100 %.',
        examples: [{ v1: '95%', v2: '5%' }],
      }),
    sticky: stickySchema.optional(),
  })
  .describe('Deals traffic to versions by weight, in place of all to `live`.')

const forcedVersionSchema = s
  .strictObject({
    header: s.fieldName().meta({
      description: 'Field that names the version.',
      examples: ['x-headgate-version'],
    }),
    apps: s
      .array(s.name())
      .max(1_000)
      .optional()
      .meta({ description: 'Apps that may use it, once authenticated.', examples: [['tester']] }),
    addresses: s
      .array(s.cidr())
      .max(1_000)
      .optional()
      .meta({ description: 'Client networks that may use it.', examples: [['10.0.0.0/8']] }),
  })
  .describe(
    'Lets authorised testers choose the version of one request. From anybody else the field is removed.',
  )

const upstreamInput = s.strictObject({
  url: s.httpUrl().optional().describe('Short for one version `v1` with this one endpoint.'),
  account: s
    .name()
    .optional()
    .meta({
      description: 'With `url`: short for the account of that version.',
      examples: ['books-key'],
    }),
  versions: s
    .map(versionName, versionSchema, {
      entriesMax: versionsMax,
      error: `must have at most ${versionsMax} versions`,
    })
    .optional()
    .describe('Bundles of endpoints, account and settings that traffic can be moved between.'),
  live: versionName.optional().meta({
    description: 'Version that gets all traffic when there is no split. Without it, the first one.',
    examples: ['v1'],
  }),
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

const reason = s
  .string()
  .max(1_024)
  .optional()
  .meta({ description: 'Kept in the audit.', examples: ['v2 looks good'] })

const setSplitInput = s.strictObject({ weights: splitSchema.shape.weights, reason })

export const upstream = defineKind<UpstreamSpec, UpstreamInput>({
  kind: 'Upstream',
  plural: 'upstreams',
  needsUser: true,
  summary: 'A backend behind the gateway and its versions.',
  description:
    'An upstream has versions; each is a bundle of endpoints, account and settings. `live` gets the traffic, or a `split` deals it by weight. The action `setSplit` moves traffic at run time without touching the definition; it stands until the definition of the split itself changes or `clearSplit` is called.',
  spec: upstreamInput.superRefine(checkUpstream),
  expand: expandUpstream,
  shorten: shortenUpstream,
  shortForms: [
    ['versions.*.accountRef', 'versions.*.account'],
    ['versions.v1.accountRef', 'account'],
    ['versions.*.endpoints.0.url', 'versions.*.url'],
    ['versions.*.endpoints', 'versions.*.url'],
    ['versions.v1', 'url'],
  ],
  parts: (spec) => Object.keys(spec.versions),
  references: upstreamReferences,
  warnings: warnAboutUpstream,
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
      input: s.strictObject({ reason }),
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

type AddIssue = (path: Path, message: string) => void

function checkUpstream(input: UpstreamInput, context: s.RefinementCtx<UpstreamInput>): void {
  const issue: AddIssue = (path, message) =>
    context.addIssue(issueOf({ path, code: 'config.bad_value', message }))
  const names = Object.keys(input.versions ?? {})
  if ((input.url === undefined) === (input.versions === undefined)) {
    issue([], 'must have either `url` or `versions`')
    return
  }
  if (input.versions !== undefined && names.length === 0) {
    issue(['versions'], 'must have at least one version')
    return
  }
  if (input.versions !== undefined && input.account !== undefined) {
    issue(['account'], 'belongs into the version when there are `versions`')
  }
  for (const [name, version] of Object.entries(input.versions ?? {}))
    checkVersion(name, version, issue)
  const known = input.url === undefined ? names : ['v1']
  if (input.live !== undefined && !known.includes(input.live)) {
    context.addIssue(issueOf(notOneOf(['live'], input.live, known, 'versions')))
  }
  if (input.split !== undefined) checkSplit(input.split, known, context)
}

function checkVersion(name: string, version: VersionInput, issue: AddIssue): void {
  if ((version.url === undefined) === (version.endpoints === undefined)) {
    issue(['versions', name], 'must have either `url` or `endpoints`')
  }
  if (version.account !== undefined && version.accountRef !== undefined) {
    issue(['versions', name, 'account'], 'is short for `accountRef`; write one of the two')
  }
  const urls = new Set<string>()
  for (const [index, { url }] of (version.endpoints ?? []).entries()) {
    if (urls.has(url)) {
      issue(
        ['versions', name, 'endpoints', index, 'url'],
        'stands in this list already; give one of them a higher `weight` instead',
      )
    }
    urls.add(url)
  }
}

function checkSplit(
  split: s.infer<typeof splitSchema>,
  known: readonly string[],
  context: s.RefinementCtx<UpstreamInput>,
): void {
  const bad = (path: Path, message: string) =>
    context.addIssue(issueOf({ path, code: 'config.bad_value', message }))
  const strangers = Object.keys(split.weights).filter((name) => !known.includes(name))
  for (const name of strangers) {
    const flaw = notOneOf(['split', 'weights', name], name, known, 'versions')
    context.addIssue(issueOf({ ...flaw, at: 'key' }))
  }
  const total = Object.values(split.weights).reduce<number>(
    (sum, weight) => sum + basisPoints(weight),
    0,
  )
  if (total !== basisPointsWhole)
    bad(['split', 'weights'], `must add up to 100 %, not ${formatShare(total)}`)
  const needsName = split.sticky?.by === 'Header' || split.sticky?.by === 'Cookie'
  if (needsName && split.sticky?.name === undefined)
    bad(['split', 'sticky'], 'needs the `name` of the header or cookie')
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
    endpoints: endpoints.map((endpoint) => ({
      ...endpoint,
      weight: endpoint.weight ?? weightDefault,
    })),
    ...(accountRef !== undefined && { accountRef }),
    balance: version.balance ?? balanceDefault,
    connectionsMax: version.connectionsMax ?? connectionsMaxDefault,
    ...(version.timeouts && { timeouts: version.timeouts }),
    ...(version.tls && { tls: version.tls }),
  }
}

function shortenUpstream(spec: UpstreamSpec): UpstreamInput {
  const names = Object.keys(spec.versions)
  const versions = Object.fromEntries(
    Object.entries(spec.versions).map(([name, version]) => [name, shortenVersion(version)]),
  )
  const rest = {
    ...(spec.split && { split: { ...spec.split, weights: shareWeights(spec.split.weights) } }),
    ...(spec.forcedVersion && { forcedVersion: spec.forcedVersion }),
  }
  const { url, account, ...others } = versions.v1 ?? {}
  const isOneAddress = names.length === 1 && url !== undefined && Object.keys(others).length === 0
  if (isOneAddress) return { url, ...(account !== undefined && { account }), ...rest }
  // With several versions `live` is always written: it should not hang on the order of keys.
  const isLiveClear = names.length === 1 && spec.live === names[0]
  return { versions, ...(!isLiveClear && { live: spec.live }), ...rest }
}

function shortenVersion(version: VersionSpec): VersionInput {
  const endpoints = version.endpoints.map(({ weight, ...endpoint }) => ({
    ...endpoint,
    ...(weight !== weightDefault && { weight }),
  }))
  const [first] = endpoints
  const isPlain = endpoints.length === 1 && Object.keys(first ?? {}).length === 1
  return {
    ...(isPlain && first !== undefined ? { url: first.url } : { endpoints }),
    ...(version.accountRef !== undefined && { account: version.accountRef }),
    ...(version.balance !== balanceDefault && { balance: version.balance }),
    ...(version.connectionsMax !== connectionsMaxDefault && {
      connectionsMax: version.connectionsMax,
    }),
    ...(version.timeouts && { timeouts: version.timeouts }),
    ...(version.tls && { tls: version.tls }),
  }
}

/** Weights as people read them: `9500` to `95%`. */
function shareWeights(weights: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, formatShare(weight)]),
  )
}

function upstreamReferences(spec: UpstreamSpec): Reference[] {
  const accounts = Object.entries(spec.versions).flatMap(
    ([version, { accountRef }]): Reference[] =>
      accountRef === undefined
        ? []
        : [{ kind: 'Account', name: accountRef, path: ['versions', version, 'accountRef'] }],
  )
  const certificates = Object.entries(spec.versions).flatMap(([version, { tls }]): Reference[] =>
    tls?.clientCertificateRef === undefined
      ? []
      : [
          {
            kind: 'Certificate',
            name: tls.clientCertificateRef,
            path: ['versions', version, 'tls', 'clientCertificateRef'],
          },
        ],
  )
  const testers = (spec.forcedVersion?.apps ?? []).map(
    (name, index): Reference => ({ kind: 'App', name, path: ['forcedVersion', 'apps', index] }),
  )
  return [...accounts, ...certificates, ...testers]
}

function warnAboutUpstream(spec: UpstreamSpec): SpecWarning[] {
  const warnings: SpecWarning[] = []
  const warn = (path: Path, message: string) =>
    warnings.push({ code: 'config.no_effect', path, message })
  const weights = spec.split?.weights ?? { [spec.live]: basisPointsWhole }
  for (const [name, { endpoints, tls }] of Object.entries(spec.versions)) {
    const takesNothing = endpoints.every((endpoint) => endpoint.weight === 0)
    if (takesNothing && (weights[name] ?? 0) > 0) {
      warn(
        ['versions', name, 'endpoints'],
        'all have weight 0, yet the version gets traffic: every request would fail',
      )
    }
    if (tls !== undefined && endpoints.every((endpoint) => endpoint.url.startsWith('http:')))
      warn(['versions', name, 'tls'], 'has no effect: no endpoint is https')
  }
  const { apps, addresses } = spec.forcedVersion ?? { apps: [''] }
  if ((apps ?? []).length + (addresses ?? []).length === 0)
    warn(['forcedVersion'], 'lets nobody choose: name `apps` or `addresses`')
  return warnings
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
