import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { s } from '../../base/schema.ts'
import { policyCatalog } from '../../proxy/policies/catalog.ts'
import { definePolicy } from '../../proxy/policies/define-policy.ts'
import type { ResourceInput } from '../control-api.ts'
import { problemsMax } from '../files/limits.ts'
import { parseConfig } from '../files/parse.ts'
import { sentenceFor } from '../problem.ts'
import { type AdmitOptions, admit, admitParsed } from './admit.ts'

const catalog = policyCatalog()

const upstream = (name: string, spec: object = {}): ResourceInput => ({
  kind: 'Upstream',
  name,
  spec: { url: 'http://127.0.0.1:7001', ...spec },
})
const route = (name: string, spec: object = {}): ResourceInput => ({
  kind: 'Route',
  name,
  spec: { match: { path: `/${name}` }, to: 'books', ...spec },
})
const policySet = (name: string, ...policies: unknown[]): ResourceInput => ({
  kind: 'PolicySet',
  name,
  spec: { policies },
})

/** Code and sentence of every problem; `ok` stands for none. */
function said(documents: readonly ResourceInput[], options?: AdmitOptions): string[] {
  const admission = admit(documents, catalog, options)
  const problems = admission.ok ? admission.warnings : admission.problems
  return problems.map(
    (problem) =>
      `${problem.severity} ${problem.code}: ${sentenceFor(problem)}${problem.suggestion === undefined ? '' : ` (${problem.suggestion})`}`,
  )
}

test('what is admitted comes back in canonical form, ordered by kind and name', () => {
  const admission = admit(
    [
      { ...route('b', { policies: ['api-key', { set: 'standard' }] }), labels: { team: 'x' } },
      route('a', { match: { host: 'A.example', path: '/a', method: 'GET' } }),
      policySet('standard', { 'rate-limit': { limit: '5/s' } }),
      upstream('books'),
    ],
    catalog,
  )
  ok(admission.ok)
  deepEqual(
    admission.resources.map(({ kind, name }) => `${kind}/${name}`),
    ['Upstream/books', 'Route/a', 'Route/b', 'PolicySet/standard'],
  )
  deepEqual(admission.resources[1], {
    kind: 'Route',
    name: 'a',
    workspace: 'default',
    labels: {},
    spec: {
      match: {
        hosts: ['a.example'],
        paths: ['/a'],
        methods: ['GET'],
        headers: {},
        query: {},
        cookies: {},
        addresses: [],
      },
      priority: 0,
      target: { upstreamRef: 'books' },
      policies: [],
    },
  })
  equal(admission.resources[2]?.labels.team, 'x')
})

test('configs of policies come back with their defaults filled in', () => {
  const admission = admit([policySet('a', { 'rate-limit': { limit: '5/s' } })], catalog)
  ok(admission.ok)
  deepEqual(admission.resources[0]?.spec, {
    policies: [
      {
        policy: 'rate-limit',
        config: { limit: '5/s', algorithm: 'TokenBucket', by: 'Route', fields: 'Send' },
      },
    ],
  })
})

test('admitted resources are admitted again, unchanged', () => {
  const first = admit([upstream('books'), route('a', { policies: ['api-key'] })], catalog)
  ok(first.ok)
  const second = admit(first.resources, catalog)
  ok(second.ok)
  deepEqual(second.resources, first.resources)
})

test('deleting what others use is refused, and says who they are', () => {
  const users = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => route(name))
  const deleted = new Set(['Upstream/books'])
  deepEqual(said(users.slice(0, 2), { deleted }), [
    'error config.in_use: Upstream/books cannot be deleted: it is used by Route/a, Route/b; remove these references first, or delete them in the same change',
  ])
  deepEqual(said(users, { deleted }), [
    'error config.in_use: Upstream/books cannot be deleted: it is used by Route/a, Route/b, Route/c, Route/d, Route/e and 2 more; remove these references first, or delete them in the same change',
  ])
  deepEqual(said([], { deleted }), [])
})

test('an unknown kind is refused with the one that was meant', () => {
  deepEqual(said([{ kind: 'Routes', name: 'a', spec: {} }]), [
    'error config.bad_value: `kind` of Routes/a must be one of `Gateway`, `Certificate`, `Upstream`, `Account`, `Route`, `PolicySet` or `App` (did you mean `Route`?)',
  ])
})

test('there is one gateway only, and it is named default', () => {
  deepEqual(said([{ kind: 'Gateway', name: 'default', spec: {} }]), [])
  deepEqual(said([{ kind: 'Gateway', name: 'main', spec: {} }]), [
    'error config.bad_value: `name` of Gateway/main must be `default`: there is exactly one of this kind',
  ])
})

test('metadata is checked too, both sides of its limits', () => {
  const labelled = (labels: unknown) => [{ ...upstream('books'), labels }, route('a')]
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'x']))
  deepEqual(said(labelled(many(64))), [])
  deepEqual(said(labelled(many(65))), [
    'error config.bad_value: `labels` of Upstream/books must have at most 64 entries',
  ])
  deepEqual(said(labelled({ '-a': 'x' })), [
    'error config.bad_value: `labels.-a` of Upstream/books must be a label such as `team` or `acme.io/tier`',
  ])
})

test('a document that is wrong in one place is still checked in all others', () => {
  deepEqual(
    said([
      upstream('books', { colour: 1, account: 'nobody' }),
      route('a', {
        priority: 'high',
        to: 'boks',
        policies: [{ 'rate-limit': {} }, 7, { set: 'a' }, { 'api-kee': {} }],
      }),
    ]),
    [
      'error config.bad_value: `policies[1]` of Route/a must be a policy such as `rate-limit: { limit: 100/min }`, or `set: NAME`',
      'error config.missing_key: `policies[0].rate-limit.limit` of Route/a is missing; it must be a rate such as `10/s`, `100/min` or `20/30s`',
      'error config.unknown_reference: `policies[2].set` of Route/a names the PolicySet `a`, which does not exist',
      'error config.unknown_policy: `policies[3].api-kee` of Route/a is not a policy (did you mean `api-key`?)',
      'error config.bad_value: `priority` of Route/a must be a whole number from -1000 to 1000, not text',
      'error config.unknown_reference: `to` of Route/a names the Upstream `boks`, which does not exist (did you mean `books`?)',
      'error config.unknown_reference: `account` of Upstream/books names the Account `nobody`, which does not exist',
      'error config.unknown_key: `colour` of Upstream/books is not a known key; known here: `name`, `labels`, `description`, `owner`, `url`, `account`, `versions`, `live`, `split`, `forcedVersion`',
    ].toSorted((a, b) => order(a) - order(b)),
  )
})

/** Problems without places come by object and path. */
function order(sentence: string): number {
  const places = [
    'policies[0]',
    'policies[1]',
    'policies[2]',
    'policies[3]',
    'priority',
    '`to`',
    'account',
    'colour',
  ]
  return places.findIndex((place) => sentence.includes(place))
}

test('problems point at what was written, in the long form as well as in the short one', () => {
  const paths = (documents: ResourceInput[]) => {
    const admission = admit(documents, catalog)
    return admission.ok ? [] : admission.problems.map(({ path }) => path.join('.'))
  }
  deepEqual(paths([route('a', { to: undefined, target: { upstreamRef: 'x' } })]), [
    'target.upstreamRef',
  ])
  deepEqual(paths([route('a', { to: 'x' })]), ['to'])
  deepEqual(paths([policySet('a', { policy: 'rate-limit', config: { limit: 5 } })]), [
    'policies.0.config.limit',
  ])
  deepEqual(paths([policySet('a', 'rate-limit')]), ['policies.0.rate-limit.limit'])
  deepEqual(paths([policySet('a', { policySetRef: 'x' })]), ['policies.0.policySetRef'])
  deepEqual(paths([policySet('a', 'nothing')]), ['policies.0'])
})

test('a testers’ app that does not exist is a reference that leads nowhere', () => {
  deepEqual(
    said([upstream('books', { forcedVersion: { header: 'x-v', apps: ['qa'] } }), route('a')]),
    [
      'error config.unknown_reference: `forcedVersion.apps[0]` of Upstream/books names the App `qa`, which does not exist',
    ],
  )
})

test('a policy that names apps refers to them', () => {
  const apps = policySet('a', { 'api-key': { apps: ['mobile', 'partner'] } })
  const mobile: ResourceInput = { kind: 'App', name: 'mobile', spec: {} }
  deepEqual(
    said([apps, mobile]).filter((each) => each.startsWith('error')),
    [
      'error config.unknown_reference: `policies[0].api-key.apps[1]` of PolicySet/a names the App `partner`, which does not exist',
    ],
  )
  const inUse = said([apps, mobile], { deleted: new Set(['App/partner']) })
  ok(
    inUse.some((each) => each.includes('App/partner cannot be deleted: it is used by PolicySet/a')),
  )
})

test('circles of policy sets are found however long they are, each once', () => {
  const ring = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      policySet(`s${index}`, { set: `s${(index + 1) % count}` }),
    )
  deepEqual(said([policySet('a', { set: 'a' })]), [
    'error config.reference_cycle: `policies[0].set` of PolicySet/a refers to itself',
  ])
  deepEqual(said(ring(20_000)), [
    'error config.reference_cycle: `policies[0].set` of PolicySet/s19999 closes a circle: PolicySet/s0 → PolicySet/s1 → PolicySet/s2 → PolicySet/s3 → PolicySet/s4 → PolicySet/s5 → … → PolicySet/s0',
  ])
  deepEqual(
    said([
      policySet('a', { set: 'b' }, { set: 'c' }),
      policySet('b', { set: 'd' }),
      policySet('c', { set: 'd' }),
      policySet('d', 'api-key'),
    ]).filter((each) => each.startsWith('error')),
    [],
  )
})

test('what is valid and probably not meant is a warning', () => {
  deepEqual(
    said([
      upstream('unused'),
      upstream('books', {
        url: undefined,
        versions: { v1: { endpoints: [{ url: 'http://a', weight: 0 }], tls: { verify: 'Off' } } },
        forcedVersion: { header: 'x-v' },
      }),
      { kind: 'Account', name: 'spare', spec: { bearer: { token: 'env:T' } } },
      policySet('nobody', 'api-key'),
      route('a'),
    ]),
    [
      'warning config.unused: Account/spare is not used by anything',
      'warning config.unused: PolicySet/nobody is not used by anything',
      'warning config.no_effect: `forcedVersion` of Upstream/books lets nobody choose: name `apps` or `addresses`',
      'warning config.no_effect: `versions.v1.endpoints` of Upstream/books all have weight 0, yet the version gets traffic: every request would fail',
      'warning config.no_effect: `versions.v1.tls` of Upstream/books has no effect: no endpoint is https',
      'warning config.unused: Upstream/unused is not used by anything',
    ],
  )
})

test('nothing is called unused or unknown while files could not be read', () => {
  const files = [
    {
      name: 'a.yaml',
      text: 'upstreams: [{ name: spare, url: "http://a" }]\nroutes: [{ name: a, to: elsewhere }]\n',
    },
    { name: 'b.yaml', text: 'upstreams: [\n' },
  ]
  const admission = admitParsed(parseConfig(files, {}), catalog)
  ok(!admission.ok)
  deepEqual(
    admission.problems.map(({ code }) => code),
    ['config.syntax'],
  )
})

test('a policy whose schema throws is a problem, not a crash', () => {
  const broken = definePolicy({
    name: 'broken',
    summary: 'Throws.',
    phase: 'admit',
    config: s.strictObject({}).refine(() => {
      throw new Error('no luck')
    }),
    create: () => ({}),
  })
  const admission = admit([policySet('a', 'broken')], policyCatalog([broken]))
  ok(!admission.ok)
  deepEqual(admission.problems.map(sentenceFor), [
    '`policies[0].broken` of PolicySet/a cannot be checked, because the schema of `broken` fails: no luck',
  ])
})

test('no more problems are listed than anybody reads, errors before warnings', () => {
  const unused = Array.from({ length: problemsMax }, (_, index) => upstream(`u${index}`))
  equal(said(unused).length, problemsMax)
  const all = said([...unused, upstream('one-more')])
  equal(all.length, problemsMax + 1)
  equal(all.at(-1), 'warning config.invalid: there are 1 more problems')
  const wrong = Array.from({ length: problemsMax }, (_, index) => route(`r${index}`, { to: 'x' }))
  const errors = said([upstream('books', { forcedVersion: { header: 'x-v' } }), ...wrong])
  equal(errors.filter((each) => each.startsWith('error')).length, problemsMax)
})

test('a file of 1,000 routes is read and admitted, in a time that is reported', (context) => {
  const lines = ['upstreams:', '  - { name: books, url: "http://127.0.0.1:7001" }', 'routes:']
  for (let index = 0; index < 1_000; index++) {
    lines.push(
      `  - name: r${index}`,
      `    match: { host: h${index % 50}.example, path: "/r${index}/{id}/**" }`,
    )
    lines.push('    to: books', '    policies: [{ rate-limit: { limit: 100/min } }, api-key]')
  }
  const text = `${lines.join('\n')}\n`
  const startMs = performance.now()
  const admission = admitParsed(parseConfig([{ name: 'a.yaml', text }], {}), catalog)
  context.diagnostic(`${Math.round(performance.now() - startMs)} ms for ${text.length} bytes`)
  ok(admission.ok)
  equal(admission.resources.length, 1_001)
  deepEqual(admission.warnings, [])
})

test('a value that cannot be turned into text is a problem like any other', () => {
  const spec = JSON.parse('{"state":{"toString":false}}')
  const admission = admit([{ kind: 'App', name: 'a', spec }], policyCatalog())
  deepEqual(admission.ok ? [] : admission.problems.map(({ path }) => path), [['state']])
})
