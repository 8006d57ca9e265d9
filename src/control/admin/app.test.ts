import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { adminLimits } from './deps.ts'
import { openTestAdmin } from './testing/admin.ts'

test('every answer has a request id, forbids sniffing, caching and framing, and allows no other origin', async () => {
  const { call } = await openTestAdmin()
  for (const path of ['/livez', '/nope', '/api/v1/routes', '/metrics']) {
    const { headers } = await call('GET', path, { headers: { origin: 'http://evil.example' } })
    match(headers.get('x-request-id') ?? '', /^req_[\w-]{16}$/)
    equal(headers.get('x-content-type-options'), 'nosniff')
    equal(headers.get('cache-control'), 'no-store')
    equal(headers.get('content-security-policy'), "default-src 'none'; frame-ancestors 'none'")
    equal(headers.get('access-control-allow-origin'), null)
  }
})

test('a harmless request id of the caller is kept, then the trace id, and anything else is replaced', async () => {
  const { call } = await openTestAdmin()
  const idOf = async (headers: Record<string, string>) =>
    (await call('GET', '/livez', { headers })).headers.get('x-request-id')
  equal(await idOf({ 'x-request-id': 'ci-run.42' }), 'ci-run.42')
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  equal(await idOf({ traceparent }), '4bf92f3577b34da6a3ce929d0e0e4736')
  match((await idOf({ 'x-request-id': 'a b' })) ?? '', /^req_/)
  match((await idOf({ 'x-request-id': 'a'.repeat(129) })) ?? '', /^req_/)
  const { body } = await call('GET', '/nope', { headers: { 'x-request-id': 'mine' } })
  equal(body.instance, 'mine')
})

test('without a token only health, metrics and documents answer', async () => {
  const { call } = await openTestAdmin()
  for (const path of ['/livez', '/readyz', '/metrics', '/api/openapi.json']) {
    equal((await call('GET', path, { token: '' })).status, 200, path)
  }
  for (const path of ['/api/v1/routes', '/api/v1/whoami', '/api/v1/export', '/api/v1/events']) {
    const { status, headers, body } = await call('GET', path, { token: '' })
    equal(status, 401, path)
    equal(body.code, 'admin.unauthenticated')
    equal(headers.get('www-authenticate'), 'Bearer realm="headgate"')
  }
})

test('a token is refused in any other place or form', async () => {
  const { call, token } = await openTestAdmin()
  const get = (authorization: string, path = '/api/v1/routes') =>
    call('GET', path, { token: '', headers: { authorization } })
  equal((await get(`bearer ${token}`)).status, 200)
  equal((await get(`Basic ${token}`)).status, 401)
  equal((await get(token)).status, 401)
  equal((await get(`Bearer ${token}x`)).status, 401)
  equal((await get(`Bearer ${'x'.repeat(5_000)}`)).status, 401)
  equal((await call('GET', `/api/v1/routes?token=${token}`, { token: '' })).status, 401)
})

test('a token does only what its scopes allow', async () => {
  const scopes: Record<string, readonly ('read' | 'write' | 'operate')[]> = {
    r: ['read'],
    w: ['write'],
    o: ['operate'],
  }
  const { call } = await openTestAdmin({
    tokens: {
      verify: (token) => {
        const found = scopes[token]
        return Promise.resolve(found && { name: token, scopes: found })
      },
    },
  })
  const act = { body: { weights: { v1: '100%' } } }
  const refused = async (token: string) => {
    const statuses = [
      await call('GET', '/api/v1/routes', { token }),
      await call('DELETE', '/api/v1/routes/none', { token }),
      await call('POST', '/api/v1/upstreams/none:setSplit', { token, ...act }),
    ]
    return statuses.map(({ status }) => status === 403)
  }
  deepEqual(await refused('r'), [false, true, true])
  deepEqual(await refused('w'), [true, false, true])
  deepEqual(await refused('o'), [true, true, false])
  const { body } = await call('GET', '/api/v1/whoami', { token: 'o' })
  deepEqual([body.name, body.scopes], ['o', ['operate']])
  const { body: problem } = await call('GET', '/api/v1/routes', { token: 'o' })
  equal(problem.neededScope, 'read')
})

test('after too many wrong tokens even the right one has to wait', async () => {
  const { call, clock, token } = await openTestAdmin()
  const wrong = () => call('GET', '/api/v1/routes', { token: 'hgt_wrong' })
  for (let count = 0; count < adminLimits.wrongTokensMax; count++)
    equal((await wrong()).status, 401)
  const refused = await call('GET', '/api/v1/routes', { token })
  equal(refused.status, 429)
  equal(refused.headers.get('retry-after'), '60')
  equal(refused.body.retryAfter, 60)
  equal((await call('GET', '/livez', { token: '' })).status, 200)
  clock.advance(adminLimits.wrongTokensWindowMs)
  equal((await call('GET', '/api/v1/routes', { token })).status, 200)
  match((await call('GET', '/metrics')).text, /headgate_admin_wrong_tokens_total 10\n/)
})

test('a foreign name in Host is refused without a token, so that web pages cannot rebind to us', async () => {
  const { app, token } = await openTestAdmin({ hostNames: ['gate.internal'] })
  const statusOf = async (url: string, init?: RequestInit, bindings?: object) =>
    (await app.request(url, init, bindings)).status
  for (const host of [
    'localhost:9090',
    '127.0.0.1:9090',
    '[::1]:9090',
    'gate.internal',
    'a.localhost',
  ]) {
    equal(await statusOf(`http://${host}/metrics`), 200, host)
  }
  equal(await statusOf('http://evil.example/metrics'), 421)
  equal(await statusOf('http://127.0.0.1.evil.example/api/openapi.json'), 421)
  equal(await statusOf('http://admin.example/metrics', {}, { boundHost: 'admin.example' }), 200)
  const authorized = { headers: { authorization: `Bearer ${token}` } }
  equal(await statusOf('http://evil.example/metrics', authorized), 200)
})

test('an unknown path and an unknown method are problems that help', async () => {
  const { call } = await openTestAdmin()
  const path = await call('GET', '/api/v1/route')
  equal(path.status, 404)
  equal(path.headers.get('content-type'), 'application/problem+json')
  equal(path.body.suggestion, 'did you mean `/api/v1/routes`?')
  const method = await call('POST', '/api/v1/routes/books', { body: {} })
  equal(method.status, 405)
  equal(method.headers.get('allow'), 'GET, PUT, PATCH, DELETE, HEAD')
  equal((await call('OPTIONS', '/api/v1/routes')).status, 405)
  equal((await call('HEAD', '/api/v1/routes')).status, 200)
})

test('an unknown query parameter is refused with what was meant, so dryRun cannot be misspelt', async () => {
  const { call, fake } = await openTestAdmin()
  const { status, body } = await call('PUT', '/api/v1/routes/a?dryrun=true', {
    body: { spec: { respond: { status: 200 } } },
  })
  equal(status, 400)
  equal(body.code, 'admin.unknown_parameter')
  deepEqual(body.errors, [
    {
      parameter: 'dryrun',
      code: 'config.unknown_key',
      message: 'is not a known parameter',
      suggestion: 'did you mean `dryRun`?',
    },
  ])
  equal(await fake.store.currentRevision(), 0)
  const twice = await call('GET', '/api/v1/routes?limit=1&limit=2')
  equal(twice.body.detail, 'The query parameter `limit` stands more than once.')
  equal((await call('GET', '/api/v1/routes?dryRun=perhaps')).status, 400)
})

test('bodies that are not JSON are refused with line and column, and without being quoted', async () => {
  const { call } = await openTestAdmin()
  const put = (body: string, type = 'application/json') =>
    call('PUT', '/api/v1/routes/a', { body, headers: { 'content-type': type } })
  const broken = await put('{\n  "spec": {"secret": hunter2}\n}')
  equal(broken.status, 400)
  equal(broken.body.detail, 'The body is not valid JSON: line 2, column 22: expected a value.')
  equal(broken.text.includes('hunter2'), false)
  match(`${(await put('')).body.detail}`, /line 1, column 1/)
  equal((await put('[]')).body.code, 'admin.invalid_request')
  equal((await put('{}', 'text/plain')).status, 415)
  equal((await put('{}', 'application/json; charset=latin1')).status, 415)
  equal((await put(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)).status, 400)
})

test('a body that is not UTF-8 is refused, also where the document is YAML', async () => {
  const { app, token } = await openTestAdmin()
  for (const type of ['application/json', 'application/yaml']) {
    const response = await app.request('/api/v1/plan', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
      body: new Uint8Array([0x7b, 0xff, 0x7d]),
    })
    equal(response.status, 400)
    match(await response.text(), /The body is not UTF-8/)
  }
})

test('nesting is accepted up to its limit', async () => {
  const { call } = await openTestAdmin()
  const nested = (depth: number) =>
    `{"spec":${'{"a":'.repeat(depth - 2)}{}${'}'.repeat(depth - 2)}}`
  const put = (depth: number) =>
    call('PUT', '/api/v1/routes/a', {
      body: nested(depth),
      headers: { 'content-type': 'application/json' },
    })
  equal((await put(adminLimits.nestingMax)).status, 422)
  equal((await put(adminLimits.nestingMax + 1)).status, 400)
})

test('a body over the limit is refused, whether its length was declared or not', async () => {
  const { app, token } = await openTestAdmin()
  const put = async (init: RequestInit & { duplex?: 'half' }) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const response = await app.request('/api/v1/routes/a', { method: 'PUT', ...init, headers })
    return [response.status, JSON.parse(await response.text()).limitBytes]
  }
  const refused = [413, 16 * 1_048_576]
  deepEqual(await put({ body: ' '.repeat(adminLimits.bodyBytesMax + 1) }), refused)
  let parts = 0
  const endless = new ReadableStream({
    pull: (controller) => {
      parts += 1
      controller.enqueue(new Uint8Array(1_048_576))
    },
  })
  deepEqual(await put({ body: endless, duplex: 'half' }), refused)
  equal(parts < 32, true)
})

test('our own failure shows nothing of itself and is logged under the request id', async () => {
  const { call, fake, logged } = await openTestAdmin()
  fake.failWith = new Error('cannot open /secret/path')
  const { status, body, text } = await call('GET', '/api/v1/routes', {
    headers: { 'x-request-id': 'find-me' },
  })
  equal(status, 500)
  equal(body.code, 'gateway.internal')
  equal(text.includes('secret') || text.includes('stack'), false)
  equal(logged.length, 1)
  match(logged[0] ?? '', /find-me: Error: cannot open \/secret\/path \| at /)
  equal(logged[0]?.includes('\n'), false)
})

test('the callers own mistakes are not logged', async () => {
  const { call, logged } = await openTestAdmin()
  await call('GET', '/nope')
  await call('PUT', '/api/v1/routes/a', { body: {} })
  deepEqual(logged, [])
})

test('a repeated POST with the same Idempotency-Key is done once, another under it is refused', async () => {
  const { call, fake } = await openTestAdmin()
  await call('PUT', '/api/v1/apps/mobile', { body: { spec: {} } })
  const issue = (name: string) =>
    call('POST', '/api/v1/apps/mobile:issueKey', {
      body: { name },
      headers: { 'idempotency-key': 'k1' },
    })
  const first = await issue('one')
  const again = await issue('one')
  deepEqual([first.status, again.status, fake.acted.length], [200, 200, 1])
  deepEqual(again.body, first.body)
  equal(first.headers.get('idempotency-replayed'), null)
  equal(again.headers.get('idempotency-replayed'), 'true')
  equal((await issue('two')).status, 422)
  const bad = await call('POST', '/api/v1/apps/mobile:issueKey', {
    body: { name: 'x' },
    headers: { 'idempotency-key': 'has space' },
  })
  equal(bad.status, 400)
})
