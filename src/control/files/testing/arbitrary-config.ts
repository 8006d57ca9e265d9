/** Arbitrary valid configurations for property tests: every kind, short and long forms, odd text. */
import fc from 'fast-check'
import type { ResourceInput } from '../../control-api.ts'

/** Text with everything that YAML and variables find special. */
const text = (maxLength: number) =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength }),
    fc.constantFrom(
      ...['${HOME}', '$$', '$${x}', 'a: b', '- a', '#a', 'true', '~', '1e3', '0x1F', ' a ', ''],
      ...[
        '"',
        "'",
        'a\nb\n',
        '\ta',
        'a\r\nb',
        '\u0085',
        '\u2028',
        '\uFEFF',
        '<<',
        '*a',
        '&a',
        '!a',
      ],
    ),
  )

const host = fc.constantFrom('a.example', '*.example.org', 'UPPER.example', '[::1]')
const url = fc.constantFrom(
  'http://127.0.0.1:7001',
  'https://books.internal/api',
  'http://[::1]:80',
)
const duration = fc.constantFrom('250ms', '30s', '1h30m')
const network = fc.constantFrom('10.0.0.0/8', '::1', '2001:db8::/32')

/** A map with any subset of the keys. */
function some<Shape extends Record<string, unknown>>(
  shape: {
    [Key in keyof Shape]: fc.Arbitrary<Shape[Key]>
  },
) {
  return fc.record(shape, { requiredKeys: [] })
}

const timeouts = some({ connect: duration, firstByte: duration, idle: duration, total: duration })
const labels = fc.dictionary(fc.constantFrom('team', 'acme.io/tier', 'x-y'), text(9), {
  maxKeys: 3,
})
const metadata = some({ labels, description: text(40), owner: text(9) })

const endpoints = fc.uniqueArray(url, { minLength: 1, maxLength: 3 }).chain((urls) =>
  fc.tuple(
    ...urls.map((each) =>
      some({ weight: fc.nat(1_000), zone: fc.constantFrom('eu', 'us-1') }).map((rest) => ({
        url: each,
        ...rest,
      })),
    ),
  ),
)

const accountNames = ['key-a', 'key-b'] as const

const version = fc
  .tuple(
    fc.oneof(
      url.map((each) => ({ url: each })),
      endpoints.map((each) => ({ endpoints: each })),
    ),
    fc.oneof(
      fc.constant({}),
      fc.constantFrom(...accountNames).map((account) => ({ account })),
      fc.constantFrom(...accountNames).map((accountRef) => ({ accountRef })),
    ),
    some({
      balance: fc.constantFrom('RoundRobin', 'LeastRequest', 'PeakEwma'),
      connectionsMax: fc.integer({ min: 1, max: 100_000 }),
      timeouts,
      tls: some({
        serverName: fc.constant('a.example'),
        caFile: fc.constant('/ca.pem'),
        verify: fc.constantFrom('Full', 'Off'),
      }),
    }),
  )
  .map(([address, account, rest]) => ({ ...address, ...account, ...rest }))

const split = fc.nat(10_000).map((basisPoints) => ({
  weights: { v1: `${basisPoints / 100}%`, '2': 10_000 - basisPoints },
}))
const sticky = fc.oneof(
  fc.constant({ by: 'Consumer' }),
  fc.constant({ by: 'Header', name: 'x-user' }),
  text(9).map((salt) => ({ by: 'ClientAddress', salt })),
)
const forcedVersion = some({
  apps: fc.constant(['mobile']),
  addresses: fc.array(network, { maxLength: 2 }),
}).map((rest) => ({ header: 'X-Version', ...rest }))

const upstreamSpec = fc.oneof(
  fc
    .tuple(url, some({ account: fc.constantFrom(...accountNames), forcedVersion }))
    .map(([address, rest]) => ({ url: address, ...rest })),
  fc
    .tuple(
      version,
      version,
      some({ split: fc.tuple(split, some({ sticky })), forcedVersion }),
      some({ live: fc.constantFrom('v1', '2') }),
    )
    .map(([v1, v2, { split: both, ...rest }, live]) => ({
      versions: { v1, '2': v2 },
      ...(both && { split: { ...both[0], ...both[1] } }),
      ...rest,
      ...live,
    })),
  version.map((v1) => ({ versions: { v1 } })),
)

const valueMatch = fc.oneof(
  text(9),
  fc.constant('*'),
  fc.boolean().map((present) => ({ present })),
  fc
    .constantFrom('exact', 'prefix', 'suffix', 'contains')
    .chain((key) => fc.oneof(text(9), fc.constant('*')).map((value) => ({ [key]: value }))),
)
const conditionName = fc.constantFrom('x-a', 'b', '<<', '1', 'true', 'null', '${c}')

const policyNames = fc.constantFrom('api-key', 'rate-limit', 'size-limit')

/** Entries in every form; sets only from `sets`, which keeps them free of circles. */
function policies(sets: readonly string[]) {
  const policy = policyNames.chain((name) =>
    fc.constantFrom(...entriesOf(name)).map((entry): unknown => entry),
  )
  if (sets.length === 0) return fc.array(policy, { maxLength: 3 })
  const set = fc
    .constantFrom(...sets)
    .chain((name) => fc.constantFrom({ set: name }, { policySetRef: name }))
  return fc.array(fc.oneof(policy, set), { maxLength: 3 })
}

function entriesOf(name: string): unknown[] {
  if (name === 'api-key') return ['api-key', { 'api-key': null }, { policy: 'api-key' }]
  const config = name === 'rate-limit' ? { limit: '5/s', by: 'App' } : { bodyBytes: '1MiB' }
  return [{ [name]: config }, { policy: name, config }]
}

const json = fc
  .jsonValue({ maxDepth: 2, stringUnit: 'binary' })
  // Without -0, which JSON does not tell from 0, and the one key that is refused.
  .map((value): unknown => JSON.parse(JSON.stringify(value)))
  .filter((value) => !JSON.stringify(value).includes('__proto__'))

function routeSpec(index: number) {
  const match = fc
    .tuple(
      some({
        methods: fc.uniqueArray(fc.constantFrom('GET', 'POST', 'PURGE'), { minLength: 1 }),
        headers: fc.dictionary(fc.constantFrom('X-A', 'b', '1'), valueMatch, { maxKeys: 2 }),
        query: fc.dictionary(conditionName, valueMatch, { maxKeys: 2 }),
        cookies: fc.dictionary(conditionName, valueMatch, { maxKeys: 2 }),
        addresses: fc.uniqueArray(network, { minLength: 1, maxLength: 2 }),
      }),
      fc.oneof(
        host.map((each) => ({ host: each })),
        fc.uniqueArray(host, { minLength: 1 }).map((hosts) => ({ hosts })),
        fc.constant({}),
      ),
      fc.constantFrom(
        { path: `/r${index}/{id}/**` },
        { paths: [`/r${index}/{id}/**`, `/s${index}/{id}/**`] },
      ),
    )
    .map((parts) => Object.assign({}, ...parts))
  const rewrite = fc.constantFrom<unknown>(
    { path: '/x/{id}/{**}', host: 'Preserve' },
    { stripPrefix: '/r', addPrefix: '/y' },
  )
  const action = fc.oneof(
    fc
      .tuple(fc.constantFrom('books', 'http://127.0.0.1:9'), some({ rewrite, timeouts }))
      .map(([to, rest]): object => ({ to, ...rest })),
    fc.constantFrom({ target: { upstreamRef: 'books' } }, { target: { url: 'http://a' } }),
    fc.constantFrom(
      { redirect: { status: 301, location: 'https://a.example/{**}' } },
      { redirect: { host: 'a.example:8443', path: '/{id}' } },
    ),
    some({ body: text(20) }).map((rest) => ({ respond: { status: 200, ...rest } })),
    json.map((value) => ({
      respond: { status: 404, headers: { 'X-B': 'a: "b" $$' }, json: value },
    })),
  )
  return fc
    .tuple(
      match,
      action,
      some({ priority: fc.integer({ min: -9, max: 9 }), policies: policies(['s0', 's1']) }),
    )
    .map(([conditions, rest, more]) => ({ match: conditions, ...rest, ...more }))
}

const accounts = [
  { header: { name: 'X-Key', secret: 'env:KEY_A', prefix: 'Token ' } },
  { basic: { username: '${user}', password: 'file:/run/secrets/$p' } },
]

const appSpec = some({
  consumer: text(9).filter((each) => each.length > 0),
  state: fc.constantFrom('Active', 'Suspended'),
  keys: fc.constantFrom(
    [{ name: 'first', secret: 'env:MOBILE_KEY' }],
    [{ name: '1', hash: `sha256:${'0'.repeat(64)}`, expiresAt: '2027-01-31T12:00:00Z' }],
  ),
})

const gatewaySpec = some({
  trustedProxies: fc.uniqueArray(network),
  limits: some({ fieldCount: fc.integer({ min: 1, max: 1_000 }), headBytes: fc.constant('64KiB') }),
  timeouts,
  accessLog: fc.constantFrom({ output: 'Stdout' }, { output: 'File', path: '${dir}/access.log' }),
})

function resource(kind: string, name: string, spec: fc.Arbitrary<unknown>) {
  return fc
    .tuple(metadata, spec)
    .map(([more, content]): ResourceInput => ({ kind, name, ...more, spec: content }))
}

/** Resources as somebody may write them; all are valid together. */
export const arbitraryConfig: fc.Arbitrary<ResourceInput[]> = fc
  .tuple(
    resource('Upstream', 'books', upstreamSpec),
    resource('Account', accountNames[0], fc.constant(accounts[0])),
    resource('Account', accountNames[1], fc.constant(accounts[1])),
    resource('App', 'mobile', appSpec),
    resource(
      'PolicySet',
      's0',
      policies(['s1']).map((list) => ({ policies: list })),
    ),
    resource(
      'PolicySet',
      's1',
      policies([]).map((list) => ({ policies: list })),
    ),
    resource('Route', 'r0', routeSpec(0)),
    resource('Route', '1', routeSpec(1)),
    fc.option(resource('Gateway', 'default', gatewaySpec), { nil: undefined }),
  )
  .map((resources) => resources.filter((each) => each !== undefined))
