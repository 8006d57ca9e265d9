/** The admin API over the real controller and a store in a file. */
import { deepEqual, equal, fail, match } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { s } from '../../base/schema.ts'
import { kinds } from '../../kinds/index.ts'
import { bookshop, controllerWorld, storeSource } from '../testing/controller-world.ts'
import { openTestAdmin } from './testing/admin.ts'

async function storeMode(context: TestContext) {
  const world = await controllerWorld()
  context.after(() => world.close())
  const control = await world.open(storeSource)
  await control.start()
  const admin = await openTestAdmin({ control })
  const yaml = { 'content-type': 'application/yaml' }
  const applyBookshop = () =>
    admin.call('POST', '/api/v1/apply', { body: bookshop(), headers: yaml })
  return { ...admin, world, control, yaml, applyBookshop }
}

async function fileMode(context: TestContext) {
  const world = await controllerWorld()
  context.after(() => world.close())
  await world.write(bookshop())
  const control = await world.open()
  await control.start()
  return { ...(await openTestAdmin({ control })), world, control }
}

const books = '/api/v1/routes/books'
const split = { weights: { v1: '90%', v2: '10%' }, reason: 'try it' }

test('a document is applied, read back kind by kind, and what is read can be written again', async (context) => {
  const { call, applyBookshop } = await storeMode(context)
  equal((await applyBookshop()).body.revision, 1)
  for (const { plural } of kinds) {
    const { items } = s
      .object({ items: s.array(s.looseObject({ name: s.string() })) })
      .parse((await call('GET', `/api/v1/${plural}`)).body)
    for (const { name } of items) {
      const path = `/api/v1/${plural}/${name}`
      const { body, headers } = await call('GET', path)
      const etag = headers.get('etag') ?? fail('no ETag')
      const again = await call('PUT', `${path}?dryRun=true`, {
        body,
        headers: { 'if-match': etag },
      })
      equal(again.status, 200, `${path}: ${again.text}`)
      const { changes } = s.looseObject({ changes: s.array(s.unknown()) }).parse(again.body.plan)
      deepEqual(plural === 'gateways' ? [] : changes, [], path)
    }
  }
})

test('a patch of one member of a route leaves the rest as it was', async (context) => {
  const { call, applyBookshop } = await storeMode(context)
  await applyBookshop()
  const patched = await call('PATCH', books, {
    body: { spec: { match: { paths: ['/shop/**'] } } },
    headers: { 'if-match': '"1"' },
  })
  equal(patched.status, 200, patched.text)
  equal(patched.headers.get('etag'), '"2"')
  match(JSON.stringify(patched.body.spec), /"paths":\["\/shop\/\*\*"\].*"upstreamRef":"books"/)
})

test('references are checked, with a pointer into the body or the names of those that refer', async (context) => {
  const { call, applyBookshop } = await storeMode(context)
  await applyBookshop()
  const dangling = await call('PUT', '/api/v1/routes/films', { body: { spec: { to: 'boooks' } } })
  equal(dangling.status, 422)
  match(dangling.text, /"pointer":"\/spec\/to".*did you mean `books`\?/)
  const used = await call('DELETE', '/api/v1/upstreams/books')
  deepEqual([used.status, used.body.code], [409, 'config.in_use'], used.text)
  match(JSON.stringify(used.body.errors), /used by Route\/books.*"object":"Upstream\/books"/)
  equal((await call('GET', '/api/v1/upstreams/books')).status, 200)
})

test('the gateway at its defaults can be read, replaced under its ETag, and reset', async (context) => {
  const { call } = await storeMode(context)
  const path = '/api/v1/gateways/default'
  const { body, headers } = await call('GET', path)
  const changed = { ...body, spec: { accessLog: { output: 'Stdout' } } }
  equal((await call('PUT', path, { body: changed })).status, 428)
  const etag = headers.get('etag') ?? ''
  const put = await call('PUT', path, { body: changed, headers: { 'if-match': etag } })
  equal(put.status, 200, put.text)
  equal((await call('DELETE', path)).status, 204)
  match((await call('GET', path)).text, /"spec":\{\}/)
})

test('a split set at run time shows in the status and in the audit, under the same ETag', async (context) => {
  const { call, applyBookshop } = await storeMode(context)
  await applyBookshop()
  const set = await call('POST', '/api/v1/upstreams/books:setSplit', { body: split })
  equal(set.status, 200, set.text)
  const { body, headers } = await call('GET', '/api/v1/upstreams/books')
  equal(headers.get('etag'), '"1"')
  match(JSON.stringify(body.status), /"v2":1000/)
  match((await call('GET', '/api/v1/audit')).text, /setSplit.*try it/)
  const unknown = await call('POST', '/api/v1/upstreams/books:setSplit', {
    body: { weights: { v9: '100%' } },
  })
  equal(unknown.status >= 400 && unknown.status < 500, true, unknown.text)
  equal((await call('POST', '/api/v1/upstreams/none:clearSplit')).status, 404)
})

test('a new key of an app is shown in the answer and nowhere else', async (context) => {
  const { call } = await storeMode(context)
  await call('PUT', '/api/v1/apps/mobile', { body: { spec: {} } })
  const issued = await call('POST', '/api/v1/apps/mobile:issueKey', { body: { name: 'first' } })
  const key = /"key":"(hg_\w+)"/.exec(issued.text)?.[1] ?? fail(issued.text)
  const everywhere = await Promise.all(
    ['/api/v1/apps/mobile', '/api/v1/audit', '/api/v1/revisions/2', '/api/v1/export'].map((path) =>
      call('GET', path),
    ),
  )
  for (const { text } of everywhere) equal(text.includes(key), false)
  match(everywhere[0]?.text ?? '', /"hash":"sha256:/)
})

test('revisions are compared and reverted, and the export can be applied again', async (context) => {
  const { call, applyBookshop, yaml } = await storeMode(context)
  await applyBookshop()
  const { text: exported } = await call('GET', '/api/v1/export')
  await call('DELETE', books)
  match((await call('GET', '/api/v1/revisions/2/diff')).text, /"action":"delete".*"Route"/)
  const rehearsed = await call('POST', '/api/v1/revisions/1:revert?dryRun=true')
  match(JSON.stringify(rehearsed.body.changes), /"action":"create"/)
  equal((await call('GET', books)).status, 404)
  const reverted = await call('POST', '/api/v1/revisions/1:revert', { body: { reason: 'oops' } })
  equal(reverted.body.revision, 3, reverted.text)
  equal((await call('GET', books)).status, 200)
  const plan = await call('POST', '/api/v1/plan', { body: exported, headers: yaml })
  deepEqual(plan.body.changes, [])
})

test('a route is explained, with why it matched and what the upstream would see', async (context) => {
  const { call, applyBookshop } = await storeMode(context)
  await applyBookshop()
  const { body } = await call('POST', '/api/v1/route-test', { body: { url: 'http://h/books/1' } })
  deepEqual(body.matched, { route: 'books', parameters: { '**': '1' } })
})

test('in file mode definitions are refused with the YAML to write, and operations work', async (context) => {
  const { call, control } = await fileMode(context)
  const patched = await call('PATCH', books, {
    body: { spec: { match: { paths: ['/shop/**'] } } },
    headers: { 'if-match': '*' },
  })
  deepEqual([patched.status, patched.body.code], [409, 'admin.file_owned'])
  match(`${patched.body.patch}`, /\/shop\/\*\*/)
  const set = await call('POST', '/api/v1/upstreams/books:setSplit', { body: split })
  equal(set.status, 200, set.text)
  equal((await call('GET', '/api/v1/whoami')).body.mode, 'file')
  await control.close()
})

test('a reload of broken files answers with file, line and column, and the last good one serves', async (context) => {
  const { call, world, control } = await fileMode(context)
  await world.write(bookshop('livve: v1'))
  const refused = await call('POST', '/api/v1/reload', { body: {} })
  equal(refused.status, 422)
  match(refused.text, /headgate\.yaml","line":7,"column":5/)
  equal((await call('GET', books)).status, 200)
  await control.close()
})
