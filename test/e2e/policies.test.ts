import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { workbench } from '../support/headgate-process.ts'
import { type Gateway, jsonOf, startGateway } from './support/gateway.ts'
import { startUpstream, type Upstream } from './support/upstream.ts'
import { eventually } from './support/wait.ts'

type World = {
  readonly gateway: Gateway
  readonly upstream: Upstream
  write(text: string): Promise<void>
}

/** Two workers and this configuration; `UPSTREAM` in it is the address of an upstream. */
async function world(t: TestContext, text: string, env = {}): Promise<World> {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'only')
  const write = (next: string) =>
    bench.write('headgate.yaml', next.replaceAll('UPSTREAM', upstream.url))
  await mkdir(join(bench.cwd, 'policies'))
  await bench.write('policies/greet.ts', greet('hello'))
  await write(text)
  return {
    gateway: await startGateway(bench, { env }),
    upstream,
    write: (file) => bench.write('policies/greet.ts', file),
  }
}

const greet = (word: string) => `import { definePolicy, proceed, s } from 'headgate/policy'

export const greet = definePolicy({
  name: 'greet',
  summary: 'Says a word in a header field.',
  phase: 'transform',
  config: s.strictObject({ to: s.string().max(20) }),
  create({ to }) {
    return {
      onRequest({ requestFields, responseFields }) {
        requestFields.set('x-greeting', '${word} upstream')
        responseFields.set('x-greeting', \`${word} \${to}\`)
        return proceed
      },
    }
  },
})
`

const configuration = `version: 1
gateway: { policiesFolder: policies }
upstreams:
  - { name: only, url: "UPSTREAM" }
apps:
  - { name: mobile, consumer: Acme, keys: [{ name: first, secret: "env:MOBILE_KEY" }] }
  - { name: other, keys: [{ name: first, secret: "env:OTHER_KEY" }] }
  - { name: gone, state: Suspended, keys: [{ name: first, secret: "env:GONE_KEY" }] }
routes:
  - { name: key, match: { path: "/key/**" }, to: only, policies: [{ api-key: { bearer: Accept, apps: [mobile, gone] } }, { headers: { request: { set: { x-app: "{app} of {consumer}" } } } }] }
  - { name: bucket, match: { path: "/bucket/**" }, to: only, policies: [{ rate-limit: { limit: 50/h } }] }
  - { name: window, match: { path: "/window/**" }, to: only, policies: [api-key, { rate-limit: { limit: 20/h, algorithm: SlidingWindow, by: App } }] }
  - { name: cors, match: { path: "/cors/**", method: GET }, to: only, policies: [api-key, { cors: { origins: ["https://app.example.com"], credentials: true } }] }
  - { name: inside, match: { path: "/inside/**" }, to: only, policies: [{ ip-filter: { allow: [127.0.0.0/8] } }] }
  - { name: outside, match: { path: "/outside/**" }, to: only, policies: [{ ip-filter: { deny: [127.0.0.1] } }] }
  - { name: small, match: { path: "/small/**" }, to: only, policies: [{ size-limit: { bodyBytes: 10KiB, targetBytes: 100B } }] }
  - { name: slow, match: { path: "/slow/**" }, to: only, policies: [{ fault: { share: 100%, delay: 300ms, header: x-slow } }, { fault: { share: 100%, abort: 503, header: x-abort } }] }
  - { name: fields, match: { path: "/fields/**" }, to: only, policies: [{ headers: { request: { remove: [x-secret], set: { x-route: "{route.name}" } }, response: { remove: [x-upstream], set: { x-frame-options: DENY } } } }, { greet: { to: client } }] }
`
const env = {
  MOBILE_KEY: 'key-of-mobile-0123456789',
  OTHER_KEY: 'key-of-other-0123456789',
  GONE_KEY: 'key-of-gone-0123456789',
}

test('policies hold in real traffic on two workers', async (t) => {
  const all = await world(t, configuration, env)
  const { gateway } = all
  await t.test('api-key lets the right apps in and tells the upstream who they are', () =>
    checkApiKey(gateway),
  )
  await t.test('a rate limit is exact over workers and connections', () => checkRateLimits(gateway))
  await t.test('cors answers a preflight before credentials are asked for', () =>
    checkCors(gateway),
  )
  await t.test('ip-filter, fault and headers do what they say', () => checkOthers(gateway))
  await t.test('size-limit stops a streaming body', () => checkSizes(all))
  await t.test('a policy of your own loads again when its file changes', () => checkOwnPolicy(all))
  await t.test('what was spent before those reloads stays spent', async () => {
    equal((await burst(`${gateway.url}/bucket/?size=1`, 20)).allowed.length, 0)
  })
  equal((await gateway.stop()).exitCode, 0)
})

async function inspect(gateway: Gateway, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.url}${path}`, { headers })
  return {
    status: response.status,
    headers: response.headers,
    body: jsonOf(await response.text()),
  }
}

async function checkApiKey(gateway: Gateway): Promise<void> {
  const none = await inspect(gateway, '/key/inspect')
  equal(none.status, 401)
  match(none.headers.get('www-authenticate') ?? '', /realm="headgate"/)
  equal(none.headers.get('content-type'), 'application/problem+json')
  equal((await inspect(gateway, '/key/inspect', { 'x-api-key': 'wrong' })).status, 401)
  equal((await inspect(gateway, '/key/inspect', { 'x-api-key': env.OTHER_KEY })).status, 403)
  equal((await inspect(gateway, '/key/inspect', { 'x-api-key': env.GONE_KEY })).status, 403)
  const ways: Record<string, string>[] = [
    { 'x-api-key': env.MOBILE_KEY },
    { authorization: `Bearer ${env.MOBILE_KEY}` },
  ]
  for (const headers of ways) {
    const { status, body } = await inspect(gateway, '/key/inspect', headers)
    equal(status, 200)
    equal(body.headers?.['x-app'], 'mobile of Acme')
    ok(!JSON.stringify(body).includes(env.MOBILE_KEY), 'the key is ours, not the upstream’s')
  }
  const issued = await gateway.admin('POST', '/api/v1/apps/mobile:issueKey', { name: 'second' })
  equal(issued.status, 409, 'in file mode keys are written into the file')
  match(issued.text, /key new/)
}

/** Many parallel requests, each on a connection of its own, so that all workers take part. */
async function burst(url: string, count: number, headers: Record<string, string> = {}) {
  const answers = await Promise.all(
    Array.from({ length: count }, async () => {
      const response = await fetch(url, { headers: { ...headers, connection: 'close' } })
      await response.arrayBuffer()
      return response
    }),
  )
  const of = (status: number) => answers.filter((answer) => answer.status === status)
  return { allowed: of(200), refused: of(429), all: answers }
}

async function checkRateLimits(gateway: Gateway): Promise<void> {
  const bucket = await burst(`${gateway.url}/bucket/?size=1`, 120)
  equal(bucket.allowed.length, 50)
  equal(bucket.refused.length, 70)
  for (const refused of bucket.refused) {
    const seconds = Number(refused.headers.get('retry-after'))
    // One permit of fifty an hour comes back every 72 seconds.
    ok(seconds >= 1 && seconds <= 72, `Retry-After: ${refused.headers.get('retry-after')}`)
    match(refused.headers.get('ratelimit') ?? '', /^"[^"]+";r=0;t=\d+$/)
  }
  match(bucket.allowed[0]?.headers.get('ratelimit-policy') ?? '', /^"[^"]+";q=50;w=3600$/)
  const remaining = bucket.allowed
    .map(({ headers }) => Number(/;r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]))
    .sort((a, b) => a - b)
  deepEqual(
    remaining,
    Array.from({ length: 50 }, (_, index) => index),
    'each permit was given once',
  )

  for (const key of [env.MOBILE_KEY, env.OTHER_KEY]) {
    const window = await burst(`${gateway.url}/window/?size=1`, 45, { 'x-api-key': key })
    equal(window.allowed.length, 20, 'each app has a limit of its own')
    equal(window.refused.length, 25)
  }
}

async function checkCors(gateway: Gateway): Promise<void> {
  const preflight = (origin: string) =>
    fetch(`${gateway.url}/cors/x`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'x-api-key',
      },
    })
  const allowed = await preflight('https://app.example.com')
  equal(allowed.status, 204)
  equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example.com')
  equal(allowed.headers.get('access-control-allow-credentials'), 'true')
  match(allowed.headers.get('access-control-allow-headers') ?? '', /x-api-key/)
  equal((await preflight('https://evil.example')).status, 403)
  const refused = await fetch(`${gateway.url}/cors/x`, {
    headers: { origin: 'https://app.example.com' },
  })
  equal(refused.status, 401)
  equal(refused.headers.get('access-control-allow-origin'), 'https://app.example.com')
}

async function checkOthers(gateway: Gateway): Promise<void> {
  equal((await fetch(`${gateway.url}/inside/?size=1`)).status, 200)
  const outside = await fetch(`${gateway.url}/outside/?size=1`)
  equal(outside.status, 403)
  // A client that is no trusted proxy cannot talk itself into another address.
  const spoofed = await fetch(`${gateway.url}/outside/?size=1`, {
    headers: { 'x-forwarded-for': '10.0.0.1' },
  })
  equal(spoofed.status, 403)

  const startedAt = performance.now()
  const slow = await fetch(`${gateway.url}/slow/?size=1`, { headers: { 'x-slow': '1' } })
  equal(slow.status, 200)
  ok(performance.now() - startedAt >= 295)
  match(slow.headers.get('x-headgate-fault') ?? '', /delay;ms=300/)
  const aborted = await fetch(`${gateway.url}/slow/?size=1`, { headers: { 'x-abort': '1' } })
  equal(aborted.status, 503)
  equal((await fetch(`${gateway.url}/slow/?size=1`)).headers.get('x-headgate-fault'), null)

  const fields = await inspect(gateway, '/fields/inspect', {
    'x-secret': 'client',
    'x-route': 'spoofed',
  })
  equal(fields.body.headers?.['x-secret'], undefined)
  equal(fields.body.headers?.['x-route'], 'fields')
  equal(fields.headers.get('x-upstream'), null)
  equal(fields.headers.get('x-frame-options'), 'DENY')
}

/** Sends a chunked body piece by piece until the gateway answers. */
function sendEndlessly(url: string, piece: Buffer): Promise<{ status: number; sent: number }> {
  return new Promise((resolve, reject) => {
    let sent = 0
    let isAnswered = false
    const request = httpRequest(url, { method: 'POST', agent: false }, (response) => {
      isAnswered = true
      response.resume().on('close', () => request.destroy())
      resolve({ status: response.statusCode ?? 0, sent })
    })
    // Once it is answered the gateway may close while we write.
    request.on('error', (error) => isAnswered || reject(error))
    const write = () => {
      if (isAnswered || request.destroyed) return
      sent += piece.length
      request.write(piece, () => setImmediate(write))
    }
    write()
  })
}

async function checkSizes({ gateway, upstream }: World): Promise<void> {
  const post = (body: string) => fetch(`${gateway.url}/small/`, { method: 'POST', body })
  equal((await post('x'.repeat(10_240))).status, 200)
  const before = upstream.seen.requests
  equal((await post('x'.repeat(10_241))).status, 413)
  equal(upstream.seen.requests, before, 'refused by its length before anything is sent on')
  const { status } = await sendEndlessly(`${gateway.url}/small/`, Buffer.alloc(3_000))
  equal(status, 413)
  equal((await fetch(`${gateway.url}/small/?${'x'.repeat(100)}`)).status, 414)
  equal((await post('fine')).status, 200)
}

async function checkOwnPolicy({ gateway, write }: World): Promise<void> {
  const greeting = async () => (await inspect(gateway, '/fields/inspect')).headers.get('x-greeting')
  equal(await greeting(), 'hello client')
  await write(greet('welcome'))
  await eventually(async () => (await greeting()) === 'welcome client')
  equal(
    (await inspect(gateway, '/fields/inspect')).body.headers?.['x-greeting'],
    'welcome upstream',
  )

  await write(greet('welcome').replace('return proceed', 'return proceeed('))
  await gateway.said(/greet\.ts[\s\S]*/)
  await gateway.said(/refused, revision \d+ keeps serving: [^\n]*greet\.ts/)
  equal(await greeting(), 'welcome client', 'a broken file changes nothing')
  await write(greet('goodbye'))
  await eventually(async () => (await greeting()) === 'goodbye client')
}
