import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { s } from '../../base/schema.ts'
import { kinds } from '../../kinds/index.ts'
import { openTestAdmin, upstreamSpec } from './testing/admin.ts'

const books = '/api/v1/upstreams/books'
const ifMatch = (tag: string) => ({ 'if-match': tag })
const page = s.object({
  items: s.array(s.object({ name: s.string() })),
  next: s.string().optional(),
})

async function adminWithBooks() {
  const admin = await openTestAdmin()
  await admin.call('PUT', books, { body: { spec: upstreamSpec, labels: { team: 'a' } } })
  return admin
}

test('every kind of the registry has its collection', async () => {
  const { call } = await openTestAdmin()
  for (const { plural } of kinds) {
    const { status, body } = await call('GET', `/api/v1/${plural}`)
    deepEqual([status, body], [200, { items: [] }], plural)
  }
})

test('PUT creates with 201, Location and ETag, and answers the long form', async () => {
  const { call } = await openTestAdmin()
  const { status, headers, body } = await call('PUT', books, { body: { spec: upstreamSpec } })
  equal(status, 201)
  equal(headers.get('location'), books)
  equal(headers.get('etag'), '"1"')
  equal(body.managedBy, 'api')
  deepEqual(body.spec, {
    versions: {
      v1: {
        endpoints: [{ url: 'http://127.0.0.1:7001', weight: 1 }],
        balance: 'PeakEwma',
        connectionsMax: 1024,
      },
    },
    live: 'v1',
  })
})

test('what GET answers can be sent back with PUT and changes nothing', async () => {
  const { call } = await adminWithBooks()
  const { body, headers } = await call('GET', books)
  const again = await call('PUT', books, { body, headers: ifMatch(headers.get('etag') ?? '') })
  equal(again.status, 200)
  equal(again.headers.get('etag'), '"1"')
  deepEqual(again.body, body)
})

test('to overwrite, PUT needs the ETag it is based on', async () => {
  const { call } = await adminWithBooks()
  const put = (headers: Record<string, string>) =>
    call('PUT', books, {
      body: { spec: upstreamSpec, labels: { n: JSON.stringify(headers) } },
      headers,
    })
  const unguarded = await put({})
  equal(unguarded.status, 428)
  equal(unguarded.body.currentEtag, '"1"')
  equal((await put(ifMatch('"1"'))).status, 200)
  const stale = await put(ifMatch('"1"'))
  equal(stale.status, 412)
  deepEqual([stale.body.expectedEtag, stale.body.currentEtag], ['"1"', '"2"'])
  match(JSON.stringify(stale.body.current), /"revision":2/)
  equal((await put(ifMatch('W/"2"'))).status, 412, 'weak tags never match (RFC 9110 §13.1.1)')
  equal((await put(ifMatch('"9", "2"'))).status, 200)
  equal((await put(ifMatch('*'))).status, 200)
  equal((await put(ifMatch('2'))).status, 400)
})

test('If-None-Match: * creates and never overwrites; If-Match changes and never creates', async () => {
  const { call } = await adminWithBooks()
  const body = { spec: upstreamSpec }
  const create = await call('PUT', books, { body, headers: { 'if-none-match': '*' } })
  deepEqual([create.status, create.body.expectedEtag], [412, 'absent'])
  const change = await call('PUT', '/api/v1/upstreams/films', { body, headers: ifMatch('"1"') })
  deepEqual([change.status, change.body.currentEtag], [412, 'absent'])
  const fresh = { body, headers: { 'if-none-match': '*' } }
  equal((await call('PUT', '/api/v1/upstreams/films', fresh)).status, 201)
  const odd = await call('PUT', books, { body, headers: { 'if-none-match': '"1"' } })
  equal(odd.status, 400)
})

test('one of two writers based on the same version loses, also between check and commit', async () => {
  const { call, fake } = await adminWithBooks()
  const { apply } = fake.control
  let isFirst = true
  const slow: typeof fake.control = {
    ...fake.control,
    async apply(request, info) {
      if (isFirst) {
        isFirst = false
        await apply(
          {
            ...request,
            puts: [{ kind: 'Upstream', name: 'books', labels: { w: '2' }, spec: upstreamSpec }],
          },
          info,
        )
      }
      return apply(request, info)
    },
  }
  const other = await openTestAdmin({ control: slow })
  void call
  const lost = await other.call('PUT', books, {
    token: other.token,
    body: { spec: upstreamSpec, labels: { w: '1' } },
    headers: ifMatch('"1"'),
  })
  equal(lost.status, 412)
  deepEqual([lost.body.expectedEtag, lost.body.currentEtag], ['"1"', '"2"'])
})

test('GET answers 304 to the tag it gave', async () => {
  const { call } = await adminWithBooks()
  const get = async (tag: string) =>
    (await call('GET', books, { headers: { 'if-none-match': tag } })).status
  equal(await get('"1"'), 304)
  equal(await get('W/"1"'), 304)
  equal(await get('"0", "1"'), 304)
  equal(await get('*'), 304)
  equal(await get('"2"'), 200)
})

test('problems of a resource are pointers into the body', async () => {
  const { call } = await openTestAdmin()
  const { status, body } = await call('PUT', books, {
    body: { spec: { versions: { v1: { ulr: 'x' } } } },
  })
  equal(status, 422)
  equal(body.code, 'config.invalid')
  match(JSON.stringify(body.errors), /"pointer":"\/spec\/versions\/v1\/ulr".*did you mean `url`\?/)
})

test('a body that is no resource names every member that is wrong', async () => {
  const { call } = await openTestAdmin()
  const { status, body } = await call('PUT', books, { body: { specc: {}, labels: {} } })
  equal(status, 400)
  const pointers = s.array(s.object({ pointer: s.string() })).parse(body.errors)
  deepEqual(pointers.map(({ pointer }) => pointer).toSorted(), ['/spec', '/specc'])
})

test('kind and name of the body must be those of the path', async () => {
  const { call } = await openTestAdmin()
  const put = async (member: object) =>
    (await call('PUT', books, { body: { spec: upstreamSpec, ...member } })).body.errors
  match(JSON.stringify(await put({ kind: 'Route' })), /"\/kind".*must be `Upstream`/)
  match(JSON.stringify(await put({ name: 'films' })), /"\/name".*must be `books`/)
  equal(await put({ kind: 'Upstream', name: 'books' }), undefined)
})

test('dryRun shows the object and the plan, and changes nothing', async () => {
  const { call, fake } = await adminWithBooks()
  const put = await call('PUT', '/api/v1/upstreams/films?dryRun=true', {
    body: { spec: upstreamSpec },
  })
  equal(put.status, 200)
  equal(put.body.dryRun, true)
  match(JSON.stringify(put.body.object), /"name":"films".*"balance":"PeakEwma"/)
  match(JSON.stringify(put.body.plan), /"action":"create"/)
  const patch = await call('PATCH', `${books}?dryRun`, {
    body: { labels: null },
    headers: ifMatch('"1"'),
  })
  equal(patch.body.dryRun, true)
  const remove = await call('DELETE', `${books}?dryRun=true`)
  deepEqual([remove.status, remove.body.dryRun], [200, true])
  const invalid = await call('PUT', `${books}?dryRun`, {
    body: { spec: {} },
    headers: ifMatch('*'),
  })
  equal(invalid.status, 422)
  equal(await fake.store.currentRevision(), 1)
  equal((await call('DELETE', `${books}?dryRun=false`)).status, 204)
})

test('warnings of a change stand in the answer and may be sent back', async () => {
  const { call } = await openTestAdmin()
  const body = { spec: { respond: { status: 200 } } }
  const created = await call('PUT', '/api/v1/routes/shadowed', { body })
  deepEqual(created.body.warnings, [
    {
      pointer: '/spec/match',
      code: 'config.route_shadowed',
      message: 'can never match',
      object: 'Route/shadowed',
    },
  ])
  const again = await call('PUT', '/api/v1/routes/shadowed', {
    body: created.body,
    headers: ifMatch('*'),
  })
  equal(again.status, 200)
})

test('PATCH merges into the long form and needs If-Match', async () => {
  const { call } = await adminWithBooks()
  const body = {
    labels: { team: null, tier: '1' },
    spec: { versions: { v1: { connectionsMax: 8 } } },
  }
  equal((await call('PATCH', books, { body })).status, 428)
  const headers = { ...ifMatch('"1"'), 'content-type': 'application/merge-patch+json' }
  const patched = await call('PATCH', books, { body, headers })
  equal(patched.status, 200)
  deepEqual(patched.body.labels, { tier: '1' })
  match(JSON.stringify(patched.body.spec), /"endpoints":\[.*"connectionsMax":8/)
  equal((await call('PATCH', books, { body, headers })).status, 412)
  equal((await call('PATCH', books, { body: [1], headers: ifMatch('*') })).status, 400)
  equal(
    (await call('PATCH', '/api/v1/upstreams/none', { body, headers: ifMatch('*') })).status,
    404,
  )
})

test('a change by hand does not take an object from its owner', async () => {
  const { call } = await openTestAdmin()
  const put = { kind: 'Upstream', name: 'books', spec: upstreamSpec }
  await call('POST', '/api/v1/apply', { body: { puts: [put], managedBy: 'ci' } })
  const { body } = await call('PATCH', books, {
    body: { labels: { a: 'b' } },
    headers: ifMatch('*'),
  })
  equal(body.managedBy, 'ci')
})

test('DELETE answers 204, guards by If-Match when it is sent, and 404 the second time', async () => {
  const { call } = await adminWithBooks()
  equal((await call('DELETE', books, { headers: ifMatch('"7"') })).status, 412)
  equal((await call('DELETE', books, { headers: ifMatch('"1"') })).status, 204)
  equal((await call('DELETE', books)).status, 404)
  equal((await call('GET', books)).status, 404)
})

test('pages follow each other by cursor until there is no next', async () => {
  const { call } = await openTestAdmin()
  const puts = ['a', 'b', 'c'].map((name) => ({ kind: 'Upstream', name, spec: upstreamSpec }))
  await call('POST', '/api/v1/apply', { body: { puts } })
  const names: string[] = []
  let after: string | undefined
  do {
    const query = after === undefined ? '' : `&after=${encodeURIComponent(after)}`
    const { items, next } = page.parse(
      (await call('GET', `/api/v1/upstreams?limit=2${query}`)).body,
    )
    names.push(...items.map(({ name }) => name))
    after = next
  } while (after !== undefined)
  deepEqual(names, ['a', 'b', 'c'])
})

test('a page has 1 to 500 items, and a cursor that we never gave is refused', async () => {
  const { call } = await openTestAdmin()
  const status = async (query: string) => (await call('GET', `/api/v1/upstreams?${query}`)).status
  deepEqual(
    [await status('limit=1'), await status('limit=500'), await status('limit=0')],
    [200, 200, 400],
  )
  deepEqual(
    [await status('limit=501'), await status('limit=x'), await status('after=%00')],
    [400, 400, 400],
  )
})

test('an action runs with its input, its reason and the name of the token', async () => {
  const { call, fake } = await adminWithBooks()
  const act = (body: unknown) => call('POST', `${books}:setSplit`, { body })
  deepEqual((await act({ weights: { v1: '100%' }, reason: 'ticket 7' })).body, { done: 1 })
  deepEqual(fake.acted, [
    { verb: 'setSplit', input: { weights: { v1: '100%' } }, actor: 'owner', note: 'ticket 7' },
  ])
  equal((await call('POST', `${books}:clearSplit`)).status, 200, 'a body is not needed')
  const bad = await act({ weights: { v1: '101%' }, wieghts: {} })
  equal(bad.status, 400)
  match(JSON.stringify(bad.body.errors), /\/weights\/v1.*\/wieghts/)
  equal((await act({ weights: { v1: '100%' }, reason: 7 })).status, 400)
})

test('actions refuse dryRun, because they cannot be rehearsed', async () => {
  const { call, fake } = await adminWithBooks()
  const body = { weights: { v1: '100%' } }
  equal(
    (await call('POST', `${books}:setSplit?dryRun=true`, { body })).body.code,
    'admin.unknown_parameter',
  )
  deepEqual(fake.acted, [])
})

test('the reason of a write is kept in the revision', async () => {
  const { call, fake } = await openTestAdmin()
  await call('PUT', `${books}?reason=first%20try`, { body: { spec: upstreamSpec } })
  const revision = await fake.store.revision(1)
  deepEqual([revision?.note, revision?.actor, revision?.origin], ['first try', 'owner', 'api'])
})

test('a name with an escaped slash reaches no other resource', async () => {
  const { call } = await adminWithBooks()
  equal((await call('GET', '/api/v1/upstreams/books%2F')).status, 404)
  equal((await call('GET', '/api/v1/routes/..%2Fupstreams%2Fbooks')).status, 404)
})
