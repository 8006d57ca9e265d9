import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { workbench } from '../support/headgate-process.ts'
import { type Gateway, startGateway } from './support/gateway.ts'
import { startUpstream } from './support/upstream.ts'

const apps = Array.from({ length: 40 }, (_, index) => `app-${index}`)
const keyOf = (app: string) => `key-of-${app}-0123456789`

/** Upstreams that differ in what keeps its version, over the same two versions. */
function configuration(v1: string, v2: string): string {
  const upstream = (name: string, more: string) => `  - name: ${name}
    versions: { v1: { url: "${v1}" }, v2: { url: "${v2}" } }
    live: v1
    split: { weights: { v1: 70%, v2: 30% }${more}
`
  return `version: 1
gateway: { trustedProxies: [127.0.0.1] }
upstreams:
${upstream('dice', ' }')}${upstream('header', ', sticky: { by: Header, name: x-user-id } }')}${upstream('cookie', ', sticky: { by: Cookie, name: session } }')}${upstream('consumer', ', sticky: { by: Consumer } }')}${upstream('address', ', sticky: { by: ClientAddress } }')}  - name: forced
    versions: { v1: { url: "${v1}" }, v2: { url: "${v2}" } }
    live: v1
    forcedVersion: { header: x-version, apps: [app-0] }
apps:
${apps.map((app) => `  - { name: ${app}, keys: [{ name: first, secret: "env:KEY_${app.slice(4)}" }] }\n`).join('')}
routes:
  - { name: dice, match: { path: "/dice/**" }, to: dice }
  - { name: header, match: { path: "/header/**" }, to: header }
  - { name: cookie, match: { path: "/cookie/**" }, to: cookie }
  - { name: consumer, match: { path: "/consumer/**" }, to: consumer, policies: [api-key] }
  - { name: address, match: { path: "/address/**" }, to: address }
  - { name: forced, match: { path: "/forced/**" }, to: forced, policies: [api-key] }
`
}

type Headers = Readonly<Record<string, string>>

/** The version that answered, on a connection of its own, so that both workers deal. */
async function versionOf(gateway: Gateway, path: string, headers: Headers = {}): Promise<string> {
  const response = await fetch(`${gateway.url}${path}/?size=1`, {
    headers: { ...headers, connection: 'close' },
  })
  equal(response.status, 200, await response.text())
  return response.headers.get('x-upstream') ?? ''
}

/** In batches, so that not everything is under way at once. */
async function versionsOf(
  gateway: Gateway,
  path: string,
  requests: readonly Headers[],
): Promise<string[]> {
  const versions: string[] = []
  for (let start = 0; start < requests.length; start += 50) {
    const batch = requests.slice(start, start + 50)
    versions.push(...(await Promise.all(batch.map((headers) => versionOf(gateway, path, headers)))))
  }
  return versions
}

/** Four standard deviations: a fair split is outside of them once in 16,000 runs. */
function expectShare(versions: readonly string[], share: number): void {
  const observed = versions.filter((version) => version === 'v2').length / versions.length
  const allowed = 4 * Math.sqrt((share * (1 - share)) / versions.length)
  ok(Math.abs(observed - share) <= allowed, `${observed} of v2 instead of ${share} ± ${allowed}`)
}

async function start(t: TestContext): Promise<Gateway> {
  const bench = await workbench(t)
  const [v1, v2] = [await startUpstream(t, 'v1'), await startUpstream(t, 'v2')]
  await bench.write('headgate.yaml', configuration(v1.url, v2.url))
  const env = Object.fromEntries(apps.map((app) => [`KEY_${app.slice(4)}`, keyOf(app)]))
  return await startGateway(bench, { env })
}

async function setShare(gateway: Gateway, upstream: string, v2: number): Promise<void> {
  const weights = { v1: `${100 - v2}%`, v2: `${v2}%` }
  const answer = await gateway.admin('POST', `/api/v1/upstreams/${upstream}:setSplit`, { weights })
  equal(answer.status, 200, answer.text)
}

const people = Array.from({ length: 400 }, (_, index) => `person-${index}`)
const sticky: readonly (readonly [string, (person: string, index: number) => Headers])[] = [
  ['/header', (person) => ({ 'x-user-id': person })],
  ['/cookie', (person) => ({ cookie: `theme=dark; session=${person}; lang=en` })],
  ['/address', (_, index) => ({ 'x-forwarded-for': `198.51.${index >> 8}.${index & 255}` })],
]

test('two workers deal traffic as the weights say, and units keep their version', async (t) => {
  const gateway = await start(t)
  await t.test('without sticky each request is dealt on its own', async () => {
    const versions = await versionsOf(
      gateway,
      '/dice',
      Array.from({ length: 600 }, () => ({})),
    )
    expectShare(versions, 0.3)
  })
  for (const [path, headersOf] of sticky) {
    await t.test(`${path} keeps its version over requests, connections and workers`, async () => {
      const requests = people.map(headersOf)
      const versions = await versionsOf(gateway, path, requests)
      expectShare(versions, 0.3)
      deepEqual(await versionsOf(gateway, path, requests), versions)
    })
  }
  await t.test('a consumer keeps its version whatever the request is', async () => {
    const requests = apps.map((app) => ({ 'x-api-key': keyOf(app) }))
    const versions = await versionsOf(gateway, '/consumer', requests)
    deepEqual(new Set(versions), new Set(['v1', 'v2']))
    deepEqual(await versionsOf(gateway, '/consumer', requests), versions)
  })
  await t.test('growing weights move units forward only, and back when they shrink', async () => {
    const requests = people.map((person) => ({ 'x-user-id': person }))
    const seen: (readonly string[])[] = []
    for (const share of [5, 25, 50, 100, 50, 5]) {
      await setShare(gateway, 'header', share)
      const versions = await versionsOf(gateway, '/header', requests)
      expectShare(versions, share / 100)
      seen.push(versions)
    }
    for (const [before, after] of [
      [0, 1],
      [1, 2],
      [2, 3],
    ] as const) {
      const moved = people.filter(
        (_, one) => seen[before]?.[one] === 'v2' && seen[after]?.[one] === 'v1',
      )
      deepEqual(moved, [], 'nobody who has seen v2 goes back while it grows')
    }
    deepEqual(seen[4], seen[2], 'the same weights give the same people')
    deepEqual(seen[5], seen[0])
  })
  await t.test('a version is forced by testers only', async () => {
    const forced = { 'x-version': 'v2' }
    equal(await versionOf(gateway, '/forced', { 'x-api-key': keyOf('app-0') }), 'v1')
    equal(await versionOf(gateway, '/forced', { 'x-api-key': keyOf('app-0'), ...forced }), 'v2')
    equal(await versionOf(gateway, '/forced', { 'x-api-key': keyOf('app-1'), ...forced }), 'v1')
    const seen = await fetch(`${gateway.url}/forced/inspect`, {
      headers: { 'x-api-key': keyOf('app-1'), ...forced },
    })
    ok(!(await seen.text()).includes('x-version'), 'the upstream is not told by strangers')
    const unknown = await fetch(`${gateway.url}/forced/`, {
      headers: { 'x-api-key': keyOf('app-0'), 'x-version': 'v9' },
    })
    equal(unknown.headers.get('headgate-error'), 'route.version_unknown')
    match(await unknown.text(), /no version `v9`; it has v1, v2/)
  })
  equal((await gateway.stop()).exitCode, 0)
})
