import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { defaultWorkspace, type KindDefinition, type Resource } from '../kinds/define-kind.ts'
import type { FieldChange, PlannedChange } from './control-api.ts'
import { compareResources, describeChange, isSame } from './plan.ts'
import { indexReferences, kindNamed } from './references.ts'
import { planAssignments, type UpstreamStates, upstreamsOf } from './runtime-state.ts'

/** A resource in canonical form, from whatever form is handy. */
function made(
  kindName: string,
  name: string,
  input: unknown,
  more: Partial<Resource> = {},
): Resource {
  const kind: KindDefinition | undefined = kindNamed(kindName)
  if (kind === undefined) throw new Error(`no kind ${kindName}`)
  const spec = kind.expand(kind.spec.parse(input))
  return { kind: kindName, name, workspace: defaultWorkspace, labels: {}, spec, ...more }
}

const books = (more: Record<string, unknown> = {}) =>
  made('Upstream', 'books', {
    versions: { v1: { url: 'http://h:1' }, v2: { url: 'http://h:2' } },
    live: 'v1',
    ...more,
  })

function planned(
  before: readonly Resource[],
  after: readonly Resource[],
  states: UpstreamStates = new Map(),
): PlannedChange[] {
  const traffic = planAssignments({
    before: upstreamsOf(before),
    after: upstreamsOf(after),
    states,
    epochFloor: 0,
  })
  const context = { references: indexReferences(after), ...traffic }
  return compareResources(before, after).changes.map((change) => describeChange(change, context))
}

function fieldsOf(before: Resource, after: Resource): readonly FieldChange[] {
  return planned([before], [after]).flatMap(({ fields }) => fields)
}

function effects(before: readonly Resource[], after: readonly Resource[]): string[] {
  return planned(before, after).flatMap((change) => [...change.effects])
}

test('objects are created, changed, deleted or left, in the order of kinds and names', () => {
  const before = [books(), made('Route', 'a', { to: 'books' }), made('Route', 'b', { to: 'books' })]
  const after = [
    made('Route', 'c', { to: 'books' }),
    made('Route', 'b', { to: 'books', priority: 1 }),
    books({ live: 'v2' }),
  ]
  deepEqual(
    planned(before, after).map(({ action, key }) => `${action} ${key.kind}/${key.name}`),
    ['change Upstream/books', 'delete Route/a', 'change Route/b', 'create Route/c'],
  )
  deepEqual(compareResources(before, before), { changes: [], unchangedCount: 3 })
})

test('short forms, defaults and the order of keys never show', () => {
  const short = made('Upstream', 'books', { url: 'http://h:1' })
  const long = made('Upstream', 'books', {
    live: 'v1',
    versions: {
      v1: {
        balance: 'PeakEwma',
        connectionsMax: 1_024,
        endpoints: [{ weight: 1, url: 'http://h:1' }],
      },
    },
  })
  deepEqual(planned([short], [long]), [])
  const labelled = { ...short, labels: { a: '1', b: '2' } }
  deepEqual(planned([labelled], [{ ...short, labels: { b: '2', a: '1' } }]), [])
})

test('a changed field is named by its path, with the value before and after', () => {
  const weight = (count: number) =>
    books({
      versions: {
        v1: { url: 'http://h:1' },
        v2: { endpoints: [{ url: 'http://h:2', weight: count }, { url: 'http://h:3' }] },
      },
    })
  deepEqual(fieldsOf(weight(1), weight(5)), [
    { path: 'versions.v2.endpoints[0].weight', before: 1, after: 5 },
  ])
  const dotted = (url: string) => books({ versions: { 'gpt-4.1': { url } }, live: 'gpt-4.1' })
  deepEqual(fieldsOf(dotted('http://h:1'), dotted('http://h:2')), [
    { path: 'versions."gpt-4.1".endpoints[0].url', before: 'http://h:1', after: 'http://h:2' },
  ])
})

test('metadata changes show beside those of the spec', () => {
  const before = { ...books(), owner: 'ann', labels: { team: 'a' } }
  const after = { ...books(), description: 'shop', labels: { team: 'b' } }
  deepEqual(fieldsOf(before, after), [
    { path: 'labels.team', before: 'a', after: 'b' },
    { path: 'owner', before: 'ann' },
    { path: 'description', after: 'shop' },
  ])
})

test('one entry more or less in a list shows as just that', () => {
  const match = (paths: string[]) => made('Route', 'r', { match: { paths }, to: 'books' })
  deepEqual(fieldsOf(match(['/a', '/b', '/c']), match(['/a', '/c'])), [
    { path: 'match.paths[1]', before: '/b' },
  ])
  deepEqual(fieldsOf(match(['/b', '/c']), match(['/a', '/b', '/c'])), [
    { path: 'match.paths[0]', after: '/a' },
  ])
  deepEqual(fieldsOf(match(['/a', '/b']), match(['/a', '/x', '/y'])), [
    { path: 'match.paths[1]', before: '/b', after: '/x' },
    { path: 'match.paths[2]', after: '/y' },
  ])
})

test('what is created or deleted lists its fields one by one', () => {
  const [created] = planned([], [made('App', 'mobile', { consumer: 'Acme' })])
  deepEqual(created?.fields, [{ path: 'consumer', after: 'Acme' }])
  const [deleted] = planned([made('App', 'mobile', { consumer: 'Acme' })], [])
  deepEqual(deleted?.fields, [{ path: 'consumer', before: 'Acme' }])
})

test('an upstream says how much traffic moves where', () => {
  const split = (v2: string, v1: string) => books({ split: { weights: { v1, v2 } } })
  deepEqual(effects([books()], [split('5%', '95%')]), [
    'moves 5 % of the traffic of `books` to `v2`',
  ])
  deepEqual(effects([books()], [books({ live: 'v2' })]), [
    'moves 100 % of the traffic of `books` to `v2`',
  ])
  deepEqual(effects([split('5%', '95%')], [split('0.25%', '99.75%')]), [
    'moves 4.75 % of the traffic of `books` to `v1`',
  ])
})

test('a run-time split that has to go is said before the traffic that this moves', () => {
  const weights = { v1: 9_000, v2: 1_000 }
  const split = { weights, declared: 'older', setAt: '2026-01-01T00:00:00Z', actor: 'ann' }
  const states = new Map([['books', { epoch: 3, split }]])
  deepEqual(planned([books()], [books({ live: 'v2' })], states)[0]?.effects, [
    'drops the run-time split (v1 90 %, v2 10 %), because the definition of the split changed',
    'moves 90 % of the traffic of `books` to `v2`',
  ])
})

test('an upstream says which version changes its address, account or existence', () => {
  const versions = (v2: Record<string, unknown>) => ({
    versions: { v1: { url: 'http://h:1' }, v2: { url: 'http://h:2', ...v2 } },
  })
  deepEqual(effects([books()], [books(versions({ url: 'http://h:9' }))]), [
    'version `v2` of `books` (no traffic yet) goes to http://h:9',
  ])
  deepEqual(effects([books(versions({ account: 'a' }))], [books(versions({ account: 'b' }))]), [
    'version `v2` of `books` uses account `b` instead of `a`',
  ])
  const three = books({ versions: { v1: { url: 'http://h:1' }, v3: { url: 'http://h:3' } } })
  deepEqual(effects([books()], [three]), [
    'removes version `v2` of `books`',
    'adds version `v3` of `books`, which takes no traffic yet',
  ])
  deepEqual(effects([books()], [{ ...books(), labels: { a: 'b' } }]), [
    'moves no traffic, restarts nothing',
  ])
})

test('routes, policy sets, apps and accounts say what callers notice', () => {
  const route = (more: Record<string, unknown>) =>
    made('Route', 'r', { match: { path: '/books/**' }, to: 'books', ...more })
  deepEqual(effects([], [route({})]), ['adds a route: /books/** go to `books`'])
  deepEqual(effects([route({})], [route({ match: { path: '/b' }, to: 'http://h:1' })]), [
    'matches /b instead of /books/**',
    'requests go to http://h:1',
  ])
  deepEqual(effects([route({})], []), [
    'removes the route for /books/**: they fall to a less specific route, or get 404',
  ])

  const set = (limit: string) =>
    made('PolicySet', 'standard', { policies: [{ 'rate-limit': { limit } }] })
  const user = route({ policies: [{ set: 'standard' }] })
  deepEqual(effects([set('1/s'), user], [set('2/s'), user]), [
    'other policies run on the requests of `r`',
  ])

  const hash = (digit: string) => `sha256:${digit.repeat(64)}`
  const app = (keys: unknown, more: Record<string, unknown> = {}) =>
    made('App', 'mobile', { keys, ...more })
  deepEqual(
    effects(
      [
        app([
          { name: 'a', hash: hash('1') },
          { name: 'b', hash: hash('2') },
        ]),
      ],
      [
        app(
          [
            { name: 'b', hash: hash('3') },
            { name: 'c', hash: hash('4') },
          ],
          { state: 'Suspended' },
        ),
      ],
    ),
    [
      'callers of `mobile` are refused',
      'callers with key `c` are let in',
      'callers with key `a` are refused',
      'key `b` is another one; the old one is refused',
    ],
  )

  const account = (token: string) => made('Account', 'pay', { bearer: { token } })
  const upstream = made('Upstream', 'u', { url: 'http://h:1', account: 'pay' })
  deepEqual(effects([account('env:A'), upstream], [account('env:B'), upstream]), [
    'requests to `u` carry the changed credential',
  ])
})

test('a long list of users does not drown the sentence', () => {
  const set = (limit: string) => made('PolicySet', 's', { policies: [{ 'rate-limit': { limit } }] })
  const users = [1, 2, 3, 4, 5].map((n) =>
    made('Route', `r${n}`, { match: { path: `/${n}` }, to: 'x', policies: [{ set: 's' }] }),
  )
  deepEqual(effects([set('1/s'), ...users], [set('2/s'), ...users]), [
    'other policies run on the requests of `r1`, `r2`, `r3` and 2 more',
  ])
})

test('comparing 5,000 new upstreams and routes takes no quadratic time', () => {
  const many = Array.from({ length: 5_000 }, (_, n) => [
    made('Upstream', `u${n}`, { url: `http://h:${n}` }),
    made('Route', `r${n}`, { match: { path: `/${n}` }, to: `u${n}` }),
  ]).flat()
  equal(planned([], many).length, 10_000)
})

test('an undefined key is an absent one, and lists are compared in order', () => {
  equal(isSame({ a: 1, b: undefined }, { a: 1 }), true)
  equal(isSame([1, 2], [2, 1]), false)
  equal(isSame({ a: [] }, { a: {} }), false)
  equal(isSame(null, undefined), false)
})
