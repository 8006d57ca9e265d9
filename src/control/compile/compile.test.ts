import { deepEqual, equal, match, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { HeadgateError } from '../../base/errors.ts'
import { defaultWorkspace, type Resource } from '../../kinds/define-kind.ts'
import type { RouteSpec } from '../../kinds/route.ts'
import type { UpstreamSpec } from '../../kinds/upstream.ts'
import { policyCatalog } from '../../proxy/policies/catalog.ts'
import { type CompileInput, compile } from './compile.ts'
import { policySetDepthMax } from './policies.ts'
import { emptySlotTable } from './slots.ts'

function resource(kind: string, name: string, spec: unknown): Resource {
  return { kind, name, workspace: defaultWorkspace, labels: {}, spec }
}

function route(spec: Partial<RouteSpec>): Resource {
  const any = {
    hosts: [],
    paths: [],
    methods: [],
    headers: {},
    query: {},
    cookies: {},
    addresses: [],
  }
  const whole: RouteSpec = { match: any, priority: 0, policies: [], ...spec }
  return resource('Route', 'r', whole)
}

function inputOf(resources: readonly Resource[], others: Partial<CompileInput> = {}): CompileInput {
  return {
    revision: 7,
    resources,
    splits: new Map(),
    catalog: policyCatalog(),
    slots: emptySlotTable,
    policyModules: [],
    caPems: new Map(),
    appKeyHashes: new Map(),
    ...others,
  }
}

function refusal(resources: readonly Resource[]): HeadgateError {
  try {
    compile(inputOf(resources))
  } catch (thrown) {
    if (thrown instanceof HeadgateError) return thrown
    throw thrown
  }
  throw new Error('compile accepted what it must refuse')
}

test('nothing compiles to a snapshot that serves nothing, with all defaults', () => {
  const { snapshot, slots } = compile(inputOf([]))
  deepEqual(
    [
      snapshot.revision,
      snapshot.routes,
      snapshot.router.anyHost,
      snapshot.gateway.limits.fieldCountMax,
    ],
    [7, [], undefined, 100],
  )
  deepEqual(slots, emptySlotTable)
})

test('a route to an upstream that is not there is refused', () => {
  const error = refusal([route({ target: { upstreamRef: 'gone' } })])
  equal(error.code, 'config.unknown_reference')
  match(error.message, /no upstream `gone`/)
})

test('an unknown policy, an unknown set and a wrong configuration are refused with their place', () => {
  const answer = { respond: { status: 204 } }
  const unknown = refusal([route({ ...answer, policies: [{ policy: 'nope', config: {} }] })])
  deepEqual([unknown.code, unknown.detail.scope], ['config.unknown_policy', 'route/r#0'])
  const set = refusal([route({ ...answer, policies: [{ policySetRef: 'gone' }] })])
  equal(set.code, 'config.unknown_reference')
  const wrong = refusal([
    route({ ...answer, policies: [{ policy: 'rate-limit', config: { limit: 7 } }] }),
  ])
  deepEqual([wrong.code, wrong.detail.scope], ['config.bad_value', 'route/r#0'])
})

test('policy sets in a circle end in a refusal, not in a hang', () => {
  const error = refusal([
    resource('PolicySet', 'a', { policies: [{ policySetRef: 'b' }] }),
    resource('PolicySet', 'b', { policies: [{ policySetRef: 'a' }] }),
    route({ respond: { status: 204 }, policies: [{ policySetRef: 'a' }] }),
  ])
  equal(error.code, 'config.invalid')
})

test(`policy sets may be nested ${policySetDepthMax} deep`, () => {
  const sets = Array.from({ length: policySetDepthMax }, (_, level) =>
    resource('PolicySet', `s${level}`, {
      policies:
        level === policySetDepthMax - 1
          ? [{ policy: 'api-key', config: {} }]
          : [{ policySetRef: `s${level + 1}` }],
    }),
  )
  const user = route({ respond: { status: 204 }, policies: [{ policySetRef: 's0' }] })
  equal(compile(inputOf([...sets, user])).snapshot.policies[0]?.scope, 'policySet/s15#0')
  const deeper = resource('PolicySet', 'top', { policies: [{ policySetRef: 's0' }] })
  equal(
    refusal([
      ...sets,
      deeper,
      route({ respond: { status: 204 }, policies: [{ policySetRef: 'top' }] }),
    ]).code,
    'config.invalid',
  )
})

test('authorities that could not be read are never replaced by the public ones', () => {
  const spec: UpstreamSpec = {
    versions: {
      v1: {
        endpoints: [{ url: 'https://a.example', weight: 1 }],
        balance: 'RoundRobin',
        connectionsMax: 1,
        tls: { caFile: 'gone.pem' },
      },
    },
    live: 'v1',
  }
  const input = inputOf([resource('Upstream', 'a', spec)])
  throws(() => compile(input), { code: 'config.unreadable' })
  const found = compile({ ...input, caPems: new Map([['gone.pem', 'PEM']]) })
  equal(found.snapshot.upstreams[0]?.versions[0]?.tls?.caPem, 'PEM')
})
