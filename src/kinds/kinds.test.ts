import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { s } from '../base/schema.ts'
import { checkValue } from '../base/schema-check.ts'
import { alternativesOf, unboundedPlaces } from '../base/schema-walk.ts'
import { type KindDefinition, metadataSchema } from './define-kind.ts'
import { kinds } from './index.ts'
import { policyName } from './policy-list.ts'
import { upstream } from './upstream.ts'

type Item = { readonly name: string; readonly spec: Record<string, unknown> }

/** The entries of a kind in a document in file form, metadata and spec apart. */
function itemsIn(yaml: string, kind: KindDefinition): Item[] {
  const file: unknown = parse(yaml)
  const sections = s.record(s.string(), s.unknown()).parse(file)
  const key = kind.isSingleton === true ? 'gateway' : kind.plural
  const items = s.array(s.record(s.string(), s.unknown())).parse([sections[key]].flat())
  return items.map(({ name, labels, description, owner, ...spec }) => ({
    name: String(name ?? 'default'),
    spec,
  }))
}

const examples = kinds.flatMap((kind) =>
  kind.examples.flatMap((example) =>
    itemsIn(example.yaml, kind).map((item) => ({ kind, title: example.title, item })),
  ),
)

test('every kind has examples, and all of them are valid', () => {
  deepEqual(
    kinds.filter((kind) => kind.examples.length === 0).map((kind) => kind.kind),
    [],
  )
  for (const { kind, title, item } of examples) {
    const checked = checkValue(kind.spec, item.spec)
    deepEqual(checked.ok ? [] : checked.flaws, [], `${kind.kind}: ${title}`)
  }
})

test('a spec accepts its own expanded form and expands it to itself', () => {
  for (const { kind, item } of examples) {
    const once = kind.expand(kind.spec.parse(item.spec))
    const twice = kind.expand(kind.spec.parse(once))
    deepEqual(twice, once, `${kind.kind}/${item.name}`)
  }
})

test('a shortened spec expands to the same spec again', () => {
  for (const { kind, item } of examples) {
    const long = kind.expand(kind.spec.parse(item.spec))
    if (kind.shorten === undefined) continue
    deepEqual(kind.expand(kind.spec.parse(kind.shorten(long))), long, `${kind.kind}/${item.name}`)
  }
})

test('every string, list and map of a kind has a maximum', () => {
  deepEqual(unboundedPlaces(metadataSchema), [])
  for (const kind of kinds) deepEqual(unboundedPlaces(kind.spec), [], kind.kind)
})

test('every input of an action has a maximum', () => {
  for (const kind of kinds)
    for (const action of kind.actions)
      deepEqual(unboundedPlaces(action.input), [], `${kind.kind} ${action.verb}`)
})

test('no key of a spec is also one of metadata, because they stand side by side in files', () => {
  const metadata = Object.keys(metadataSchema.shape)
  for (const kind of kinds) {
    const [schema] = alternativesOf(kind.spec)
    ok(schema instanceof s.core.$ZodObject)
    const keys = Object.keys(schema._zod.def.shape)
    deepEqual(
      keys.filter((key) => metadata.includes(key)),
      [],
      kind.kind,
    )
  }
})

test('names of kinds are unique and follow the rules of their languages', () => {
  equal(new Set(kinds.map((kind) => kind.kind)).size, kinds.length)
  equal(new Set(kinds.map((kind) => kind.plural)).size, kinds.length)
  for (const kind of kinds) {
    ok(/^[A-Z][A-Za-z]+$/.test(kind.kind), kind.kind)
    ok(/^[a-z][A-Za-z]+s$/.test(kind.plural), kind.plural)
    ok(kind.summary.endsWith('.'), kind.kind)
  }
})

test('no kind has a column that every table has already', () => {
  for (const { kind, columns } of kinds) {
    const titles = ['NAME', ...columns.map(({ title }) => title), 'STATE']
    equal(new Set(titles).size, titles.length, `${kind}: ${titles.join(', ')}`)
  }
})

test('columns show what an operator wants to see first', () => {
  const rows = examples.map(({ kind, item }) => {
    const spec = kind.expand(kind.spec.parse(item.spec))
    const cells = kind.columns.map(({ title, value }) => `${title}=${value(spec, {})}`)
    return [kind.kind, item.name, ...cells].join(' | ')
  })
  deepEqual(rows, [
    'Gateway | default | ACCESS LOG=Stdout | TRUSTED PROXIES=1',
    'Gateway | default | ACCESS LOG=Off | TRUSTED PROXIES=0',
    'Certificate | api | NAMES= | EXPIRES= | USAGE=Server | FILE=tls/api.crt',
    'Certificate | towards-books | NAMES= | EXPIRES= | USAGE=Client | FILE=tls/client.crt',
    'Upstream | books | VERSIONS=v1 | TRAFFIC=v1 100% | ENDPOINTS=http://127.0.0.1:7001',
    'Upstream | books | VERSIONS=v1, v2 | TRAFFIC=v1 95%, v2 5% | ENDPOINTS=http://127.0.0.1:7001, http://127.0.0.1:7002',
    'Account | books-a | SCHEME=header | SECRET=env:BOOKS_KEY_A',
    'Account | legacy | SCHEME=basic | SECRET=env:LEGACY_PASSWORD',
    'Account | payments | SCHEME=bearer | SECRET=file:/run/secrets/payments',
    'Route | books | HOSTS=* | PATHS=/books/** | METHODS=* | TO=http://127.0.0.1:7001 | POLICIES=0',
    'Route | old | HOSTS=* | PATHS=/v1/{id} | METHODS=* | TO=redirect 301 | POLICIES=0',
    'Route | robots | HOSTS=* | PATHS=/robots.txt | METHODS=* | TO=answer 200 | POLICIES=0',
    'PolicySet | standard | POLICIES=api-key, rate-limit',
    'App | mobile | CONSUMER= | KEYS=1 | ACCESS=Active',
    'App | partner | CONSUMER=Acme Corp | KEYS=2 | ACCESS=Active',
  ])
})

test('the column of traffic shows the split in force, not the one of the definition', () => {
  const spec = upstream.expand({
    versions: { v1: { url: 'http://127.0.0.1:1' }, v2: { url: 'http://127.0.0.1:2' } },
  })
  const traffic = upstream.columns.find(({ title }) => title === 'TRAFFIC')
  equal(traffic?.value(spec, {}), 'v1 100%')
  equal(traffic?.value(spec, { weights: { v1: 9_975, v2: 25 } }), 'v1 99.75%, v2 0.25%')
})

test('names of policies leave room for the other keys of an entry', () => {
  for (const name of ['set', 'policy', 'x-mine', 'Rate', '', '1st'])
    equal(policyName.safeParse(name).success, false, name)
  for (const name of ['rate-limit', 'setter', 'policy-x', 'xml'])
    equal(policyName.safeParse(name).success, true, name)
})

/** Paths and messages of what is wrong with a spec. */
function flawsOf(kind: KindDefinition, spec: unknown): string[] {
  const checked = checkValue(kind.spec, spec)
  return checked.ok ? [] : checked.flaws.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

const versions = { v1: { url: 'http://127.0.0.1:1' }, v2: { url: 'http://127.0.0.1:2' } }

test('a split must add up to the whole and name versions that exist', () => {
  deepEqual(
    flawsOf(kindOf('Upstream'), { versions, split: { weights: { v1: '99.5%', v2: 50 } } }),
    [],
  )
  deepEqual(
    flawsOf(kindOf('Upstream'), { versions, split: { weights: { v1: '95%', v2: '6%' } } }),
    ['split.weights: must add up to 100 %, not 101%'],
  )
  deepEqual(
    flawsOf(kindOf('Upstream'), { versions, split: { weights: { v1: '95%', v3: '5%' } } }),
    ['split.weights.v3: must be one of the versions: `v1`, `v2`'],
  )
})

test('an upstream has at most 32 versions and at least one', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`v${i}`, versions.v1]))
  deepEqual(flawsOf(kindOf('Upstream'), { versions: many(32) }), [])
  deepEqual(flawsOf(kindOf('Upstream'), { versions: many(33) }), [
    'versions: must have at most 32 versions',
  ])
  deepEqual(flawsOf(kindOf('Upstream'), { versions: {} }), [
    'versions: must have at least one version',
  ])
})

test('an answer of a route cannot frame the message or smuggle a line', () => {
  const respond = (headers: Record<string, string>) =>
    flawsOf(kindOf('Route'), { respond: { status: 200, headers } })
  deepEqual(respond({ 'cache-control': 'no-store' }), [])
  deepEqual(respond({ 'Content-Length': '3' }), [
    'respond.headers.Content-Length: belongs to the connection or frames the message: the gateway writes it',
  ])
  deepEqual(respond({ 'x-a': 'b\r\nset-cookie: c' }), [
    'respond.headers.x-a: must be printable ASCII without line breaks and without spaces at either end',
  ])
})

test('a template may only insert what every path of the route matches', () => {
  const rewrite = (paths: string[], path: string) =>
    flawsOf(kindOf('Route'), { match: { paths }, to: 'books', rewrite: { path } })
  deepEqual(rewrite(['/a/{id}/**', '/b/{id}/**'], '/x/{id}/{**}'), [])
  deepEqual(rewrite(['/a/{id}', '/b'], '/x/{id}'), [
    'rewrite.path: uses `{id}`, which is not a parameter of every path of the route',
  ])
  deepEqual(rewrite(['/a'], '/x/{**}'), [
    'rewrite.path: uses `{**}`, but not every path of the route ends in `/**`',
  ])
  deepEqual(flawsOf(kindOf('Route'), { to: 'books', rewrite: { path: '/x/{**}' } }), [])
  deepEqual(rewrite(['/a'], '/x/{id'), [
    'rewrite.path: has a brace that is not part of `{name}` or `{**}`; write `%7B` and `%7D` for braces',
  ])
})

function kindOf(name: string): KindDefinition {
  const kind = kinds.find((each) => each.kind === name)
  ok(kind)
  return kind
}
