import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { openTestAdmin, upstreamSpec } from './testing/admin.ts'

async function adminWithHistory() {
  const admin = await openTestAdmin()
  await admin.call('PUT', '/api/v1/upstreams/a', { body: { spec: upstreamSpec } })
  await admin.call('DELETE', '/api/v1/upstreams/a')
  return admin
}

test('revisions are listed newest first with names only, and read one by one with contents', async () => {
  const { call } = await adminWithHistory()
  const key = { workspace: 'default', kind: 'Upstream', name: 'a' }
  const list = await call('GET', '/api/v1/revisions?limit=1')
  match(list.text, /"number":2/)
  match(list.text, /"changes":\[\{"action":"delete","key"/)
  equal(typeof list.body.next, 'string')
  const one = await call('GET', '/api/v1/revisions/1')
  match(JSON.stringify(one.body.changes), /"action":"create".*"after":\{/)
  match(JSON.stringify(one.body.changes), new RegExp(JSON.stringify(key.name)))
})

test('a revision that does not exist is not found', async () => {
  const { call } = await adminWithHistory()
  for (const number of ['3', 'x', '-1', '1e2', '9'.repeat(30)]) {
    equal((await call('GET', `/api/v1/revisions/${number}`)).status, 404, number)
  }
})

test('a diff leads from `against`, or the revision before, to the one named', async () => {
  const { call } = await adminWithHistory()
  const { body } = await call('GET', '/api/v1/revisions/2/diff')
  deepEqual([body.from, body.to], [1, 2])
  match(JSON.stringify(body.changes), /"r1-2"/)
  equal((await call('GET', '/api/v1/revisions/2/diff?against=0')).body.from, 0)
  equal((await call('GET', '/api/v1/revisions/9/diff')).status, 404)
})

test('revert makes a new revision, and with dryRun only says what it would do', async () => {
  const { call } = await adminWithHistory()
  const rehearsed = await call('POST', '/api/v1/revisions/1:revert?dryRun=true')
  deepEqual([rehearsed.body.dryRun, rehearsed.body.from, rehearsed.body.to], [true, 2, 1])
  equal(
    (await call('POST', '/api/v1/revisions/1:revert', { body: { reason: 'x' } })).body.revision,
    2,
  )
  equal((await call('POST', '/api/v1/revisions/8:revert')).status, 404)
})

test('the audit is listed newest first, with the actor', async () => {
  const { call } = await adminWithHistory()
  const { body } = await call('GET', '/api/v1/audit?limit=2')
  match(JSON.stringify(body.items), /"actor":"owner"/)
  equal(typeof body.next, 'string')
})

test('a refused reload answers with the places in the files', async () => {
  const { call } = await openTestAdmin()
  const { status, body } = await call('POST', '/api/v1/reload')
  equal(status, 422)
  deepEqual(body.errors, [
    {
      code: 'config.unknown_key',
      message: 'is not a known key',
      object: 'Route/books',
      objectPointer: '/macth',
      location: { file: 'headgate.yaml', line: 3, column: 5 },
    },
  ])
})

test('route-test takes header fields as a map or as pairs', async () => {
  const { call } = await openTestAdmin()
  const ask = async (body: object) => (await call('POST', '/api/v1/route-test', { body })).body
  deepEqual((await ask({ url: '/x', headers: { host: 'h' } })).policies, [
    { policy: 'host', scope: 'h' },
  ])
  const answer = await ask({
    method: 'PUT',
    url: 'http://h/x',
    headers: [
      ['a', '1'],
      ['a', '2'],
    ],
    clientAddress: '10.0.0.1',
  })
  deepEqual(answer.policies, [
    { policy: 'a', scope: '1' },
    { policy: 'a', scope: '2' },
  ])
  match(JSON.stringify(answer.tried), /PUT http:\/\/h\/x 10\.0\.0\.1/)
  equal((await ask({ url: '/x', clientAddress: 'me' })).code, 'admin.invalid_request')
})

test('readiness is 200 or 503 with the reason, and verbose lists the checks', async () => {
  const { call, fake } = await openTestAdmin()
  deepEqual((await call('GET', '/readyz')).body, { ready: true })
  fake.notReady = 'No worker serves yet.'
  const { status, body } = await call('GET', '/readyz?verbose', { token: '' })
  deepEqual([status, body.code, body.detail], [503, 'admin.not_ready', 'No worker serves yet.'])
  match(JSON.stringify(body.checks), /"name":"workers","isOk":true,"message":"1 of 1 serving"/)
  equal((await call('GET', '/livez')).status, 200)
})

test('metrics are OpenMetrics text that ends once, with what the admin API counts', async () => {
  const { call } = await openTestAdmin()
  await call('GET', '/api/v1/routes', { token: 'wrong' })
  const { headers, text } = await call('GET', '/metrics')
  equal(headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  match(text, /^# TYPE a counter\na_total 1\n# TYPE headgate_admin_answers counter\n/)
  match(text, /headgate_admin_answers_total\{status="4xx"\} 1\n/)
  match(text, /headgate_admin_wrong_tokens_total 1\n/)
  deepEqual(text.match(/# EOF/g), ['# EOF'])
  equal(text.endsWith('# EOF\n'), true)
})

test('whoami, workers and export say who calls, who serves and what is defined', async () => {
  const { call } = await openTestAdmin()
  deepEqual((await call('GET', '/api/v1/whoami')).body, {
    name: 'owner',
    scopes: ['owner'],
    workspace: 'default',
    mode: 'store',
    version: '1.2.3',
  })
  match((await call('GET', '/api/v1/workers')).text, /"state":"serving"/)
  const exported = await call('GET', '/api/v1/export')
  equal(exported.headers.get('content-type'), 'application/yaml; charset=utf-8')
  equal(exported.text, 'version: 1\n')
})
