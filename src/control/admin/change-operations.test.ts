import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { openTestAdmin, upstreamSpec } from './testing/admin.ts'

const yaml = { 'content-type': 'application/yaml' }
const put = (name: string, spec: object = upstreamSpec) => ({ kind: 'Upstream', name, spec })

test('apply makes all changes in one revision, and plan says before what it would be', async () => {
  const { call, fake } = await openTestAdmin()
  const body = { puts: [put('a'), put('b')] }
  const plan = await call('POST', '/api/v1/plan', { body })
  equal(plan.status, 200)
  deepEqual([plan.body.baseRevision, await fake.store.currentRevision()], [0, 0])
  const applied = await call('POST', '/api/v1/apply', { body: { ...body, baseRevision: 0 } })
  equal(applied.body.revision, 1)
  equal((await fake.store.revision(1))?.changes.length, 2)
})

test('a plan made against an older revision is refused', async () => {
  const { call } = await openTestAdmin()
  await call('POST', '/api/v1/apply', { body: { puts: [put('a')] } })
  const late = await call('POST', '/api/v1/apply', { body: { puts: [put('b')], baseRevision: 0 } })
  deepEqual([late.status, late.body.code], [409, 'admin.plan_outdated'])
  const late2 = await call('POST', '/api/v1/apply?baseRevision=0', {
    body: 'version: 1',
    headers: yaml,
  })
  equal(late2.body.code, 'admin.plan_outdated')
})

test('a whole YAML document is taken as it stands in a file, and so is JSON sent as YAML', async () => {
  const { call, fake } = await openTestAdmin()
  const text = 'version: 1\nupstreams:\n  - { name: a, url: "http://127.0.0.1:1" }\n'
  const applied = await call('POST', '/api/v1/apply?managedBy=ci&reason=deploy', {
    body: text,
    headers: yaml,
  })
  equal(applied.status, 200)
  const stored = await fake.store.get({ workspace: 'default', kind: 'Upstream', name: 'a' })
  equal(stored?.managedBy, 'ci')
  equal((await fake.store.revision(1))?.note, 'deploy')
  const json = JSON.stringify({ version: 1, upstreams: [{ name: 'b', url: 'http://127.0.0.1:1' }] })
  equal((await call('POST', '/api/v1/apply', { body: json, headers: yaml })).body.revision, 2)
})

test('problems of a document have line and column, those of a list of changes have pointers', async () => {
  const { call } = await openTestAdmin()
  const text = 'version: 1\nupstreams:\n  - { name: a, urll: "http://127.0.0.1:1" }\n'
  const document = await call('POST', '/api/v1/plan', { body: text, headers: yaml })
  equal(document.status, 422)
  match(JSON.stringify(document.body.errors), /"object":"Upstream\/a".*"line":3,"column":16\}/)
  const list = await call('POST', '/api/v1/plan', {
    body: { puts: [put('a'), put('b', { urll: 'x' })] },
  })
  match(JSON.stringify(list.body.errors), /"pointer":"\/puts\/1\/spec\/urll"/)
})

test('syntax errors and variables of a document are problems', async () => {
  const { call } = await openTestAdmin()
  const post = (body: string) => call('POST', '/api/v1/apply', { body, headers: yaml })
  const syntax = await post('version: 1\nupstreams: [\n')
  equal(syntax.status, 422)
  match(JSON.stringify(syntax.body.errors), /config.syntax/)
  const variable = await post('version: 1\nupstreams: [{ name: a, url: "${SECRET_URL}" }]\n')
  match(JSON.stringify(variable.body.errors), /config.undefined_variable/)
  const include = await post('version: 1\ninclude: [other/*.yaml]\n')
  equal(include.status, 422, 'what it names is on the side of the caller')
  match(JSON.stringify(include.body.errors), /"line":2/)
})

test('the body of a change is judged as a whole', async () => {
  const { call } = await openTestAdmin()
  const { status, body } = await call('POST', '/api/v1/apply', {
    body: { puts: [{ kind: 'Upstraem', name: 'a', spec: {} }], delets: [], prune: 'yes' },
  })
  equal(status, 400)
  const text = JSON.stringify(body.errors)
  match(text, /"\/puts\/0\/kind".*did you mean `Upstream`\?/)
  match(text, /"\/prune"/)
  match(text, /"\/delets".*did you mean `deletes`\?/)
})

test('deletes go with puts in one change, and dryRun applies nothing', async () => {
  const { call, fake } = await openTestAdmin()
  await call('POST', '/api/v1/apply', { body: { puts: [put('a')] } })
  const body = { puts: [put('b')], deletes: [{ kind: 'Upstream', name: 'a' }] }
  const rehearsed = await call('POST', '/api/v1/apply?dryRun=true', { body })
  deepEqual([rehearsed.body.dryRun, await fake.store.currentRevision()], [true, 1])
  await call('POST', '/api/v1/apply', { body })
  const { resources } = await fake.store.all('default')
  deepEqual(
    resources.map(({ name }) => name),
    ['b'],
  )
})

test('a repeated apply with the same Idempotency-Key makes one revision', async () => {
  const { call, fake } = await openTestAdmin()
  const options = { body: { puts: [put('a')] }, headers: { 'idempotency-key': 'deploy-7' } }
  await call('POST', '/api/v1/apply', options)
  await call('DELETE', '/api/v1/upstreams/a')
  equal((await call('POST', '/api/v1/apply', options)).body.revision, 1)
  equal(await fake.store.currentRevision(), 2)
})
