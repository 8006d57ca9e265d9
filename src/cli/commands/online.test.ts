import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fakeAdmin, problem } from '../testing/fake-admin.ts'
import { runCaptured } from '../testing/run-captured.ts'

const books = {
  kind: 'Upstream',
  name: 'books',
  workspace: 'default',
  labels: { team: 'shop' },
  spec: {
    versions: { v1: { endpoints: [{ url: 'http://a', weight: 1 }] }, v2: { endpoints: [] } },
    live: 'v1',
  },
  revision: 7,
  createdAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-02T00:00:00Z',
  managedBy: 'cli',
  status: {
    observedRevision: 7,
    weights: { v1: 9_500, v2: 500 },
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Served', message: 'on all workers', since: 'x' },
    ],
  },
}
const broken = {
  ...books,
  name: 'films',
  status: { conditions: [{ type: 'Ready', status: 'False', reason: 'NoEndpoint', message: 'm' }] },
}
const page = { items: [books, broken] }
const env = { HEADGATE_TOKEN: 'secret-token', HEADGATE_SERVER: 'http://gateway.test:9090/' }

test('get shows a table from the columns of the kind, with run-time state', async () => {
  const { fetch, calls } = fakeAdmin({ 'GET /api/v1/upstreams': page })
  const { exitCode, stdout, stderr } = await runCaptured(['get', 'upstream'], { fetch, env })
  equal(exitCode, 0)
  equal(stderr, '')
  deepEqual(
    stdout.trimEnd().split('\n'),
    [
      'NAME   VERSIONS  TRAFFIC        STATE',
      'books  v1, v2    v1 95%, v2 5%  ok',
      'films  v1, v2    v1 100%        NoEndpoint',
    ].map((line) => line),
  )
  equal(calls[0]?.authorization, 'Bearer secret-token')
})

test('get follows pages to the end', async () => {
  const first = { items: [books], next: 'cursor' }
  const admin = fakeAdmin({ 'GET /api/v1/upstreams': page })
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(String(input))
    const answer = await admin.fetch(input, init)
    return url.searchParams.has('after') ? answer : Response.json(first)
  }
  const { stdout } = await runCaptured(['get', 'upstreams', '-o', 'name'], { fetch, env })
  equal(stdout, 'upstreams/books\nupstreams/books\nupstreams/films\n')
})

test('get prints the object of the API unchanged as JSON, YAML and by path', async () => {
  const { fetch } = fakeAdmin({
    'GET /api/v1/upstreams/books': books,
    'GET /api/v1/upstreams': page,
  })
  const run = async (...argv: string[]) => (await runCaptured(argv, { fetch, env })).stdout
  deepEqual(JSON.parse(await run('get', 'upstream', 'books', '-o', 'json')), books)
  match(await run('get', 'upstream/books', '-o', 'yaml'), /^kind: Upstream\n/)
  equal(await run('get', 'upstreams', '-o', 'jsonpath={.items[*].name}'), 'books films\n')
  match(await run('get', 'upstreams', '-o', 'wide'), /ENDPOINTS .*REVISION/)
})

test('a name that does not exist is met with the nearest one', async () => {
  const { fetch } = fakeAdmin({ 'GET /api/v1/upstreams': page })
  const { exitCode, stderr } = await runCaptured(['get', 'upstream', 'bokos'], { fetch, env })
  equal(exitCode, 1)
  match(stderr, /there is no Upstream `bokos`/)
  match(stderr, /try: headgate get upstreams books \(did you mean that\?\)\n$/)
})

test('describe tells conditions, status and spec', async () => {
  const { fetch } = fakeAdmin({ 'GET /api/v1/upstreams/books': books })
  const { stdout } = await runCaptured(['describe', 'upstream', 'books'], { fetch, env })
  match(stdout, /✓ Ready True: Served: on all workers/)
  match(stdout, /Labels {7}team=shop/)
  match(stdout, /weights:\n {4}v1: 9500/)
})

test('exit codes tell authentication, conflict, bad configuration and time-out apart', async () => {
  const codes: [Response, number][] = [
    [problem(401, 'admin.unauthenticated', 'no'), 4],
    [problem(403, 'admin.forbidden', 'no'), 4],
    [problem(409, 'admin.plan_outdated', 'no'), 5],
    [problem(412, 'admin.precondition_failed', 'no'), 5],
    [problem(422, 'config.invalid', 'no', { errors: [{ pointer: '/a', message: 'bad' }] }), 3],
    [problem(500, 'store.failed', 'no'), 1],
    [problem(418, 'future.code', 'no'), 1],
    [new Response('<html>', { status: 502 }), 1],
    [new Response('<html>', { status: 200 }), 1],
  ]
  for (const [answer, expected] of codes) {
    const { fetch } = fakeAdmin({ 'GET /api/v1/routes': answer })
    const { exitCode, stderr } = await runCaptured(['get', 'routes'], { fetch, env })
    equal(exitCode, expected, stderr)
    match(stderr, /\ntry: \S/)
    ok(!stderr.includes('secret-token'))
  }
})

test('a refusal points only at what is shown', async () => {
  const refusals: [Response, RegExp][] = [
    [
      problem(400, 'admin.invalid_request', 'weights.v3 must be one of the versions', {
        todo: 'The `errors` list names each field.',
        errors: [{ pointer: '/weights/v3', message: 'must be one of the versions' }],
      }),
      /\ntry: correct what stands above and run the command again\n$/,
    ],
    [
      problem(409, 'admin.file_owned', 'take Route/a out of them', { patch: '' }),
      /out of them \[admin\.file_owned\]\ntry: /,
    ],
  ]
  for (const [answer, expected] of refusals) {
    const { fetch } = fakeAdmin({ 'GET /api/v1/routes': answer })
    match((await runCaptured(['get', 'routes'], { fetch, env })).stderr, expected)
  }
})

test('a gateway that does not answer in time ends with 124', async () => {
  const fetch: typeof globalThis.fetch = (_input, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
    })
  const options = { fetch, env }
  const { exitCode } = await runCaptured(['get', 'routes', '--timeout', '20ms'], options)
  equal(exitCode, 124)
})

test('a split is sent as shares; the last version may take the rest', async () => {
  const { fetch, calls } = fakeAdmin({ 'POST /api/v1/upstreams/books:setSplit': { done: true } })
  const argv = ['upstream', 'split', 'books', 'v2=5%', 'v1', '--reason', 'first look']
  const { exitCode, stdout } = await runCaptured(argv, { fetch, env })
  equal(exitCode, 0)
  equal(stdout, 'books: v2 5%, v1 95%\n')
  deepEqual(calls[0]?.body, { weights: { v2: '5%', v1: '95%' }, reason: 'first look' })
})

test('a reset drops the run-time split', async () => {
  const { fetch, calls } = fakeAdmin({ 'POST /api/v1/upstreams/books:clearSplit': {} })
  const { stdout } = await runCaptured(['upstream', 'reset', 'books'], { fetch, env })
  equal(stdout, 'books: as defined\n')
  deepEqual(calls[0]?.body, {})
})

test('export prints the document byte for byte', async () => {
  const text = 'version: 1\n# comment\n'
  const { fetch } = fakeAdmin({ 'GET /api/v1/export': new Response(text) })
  equal((await runCaptured(['export'], { fetch, env })).stdout, text)
})

const deletion = {
  baseRevision: 7,
  changes: [
    {
      action: 'delete',
      key: { workspace: 'default', kind: 'Upstream', name: 'books' },
      fields: [],
      effects: ['12 % of the requests of the last minute went there'],
    },
  ],
  counts: { create: 0, change: 0, delete: 1, unchanged: 0, onlyOnServer: 0 },
  warnings: [],
}

test('delete shows the impact, wants --yes without a terminal, and guards the revision', async () => {
  const { fetch, calls } = fakeAdmin({
    'GET /api/v1/upstreams/books': books,
    'POST /api/v1/plan': deletion,
    'POST /api/v1/apply': { plan: deletion, revision: 8 },
  })
  const refused = await runCaptured(['delete', 'upstream', 'books'], { fetch, env })
  equal(refused.exitCode, 1)
  match(refused.stderr, /try: the same with `--yes`\n$/)
  equal(
    calls.some(({ path }) => path === '/api/v1/apply'),
    false,
  )
  const done = await runCaptured(['delete', 'upstream/books', '--yes'], { fetch, env })
  equal(done.exitCode, 0)
  equal(done.stdout, 'revision 8\n')
  match(done.stderr, /effect: 12 % of the requests/)
  const applied = calls.find(({ path }) => path === '/api/v1/apply')
  ok(typeof applied?.body === 'object' && applied.body !== null && 'baseRevision' in applied.body)
  equal(applied.body.baseRevision, 7)
})

test('the bash script completes with what __complete prints', async () => {
  const { stdout } = await runCaptured(['completion', 'bash'])
  const stub = `headgate() { printf '%s\\n' "$@"; }
COMP_WORDS=(headgate get upstream b); COMP_CWORD=3; _headgate; printf '%s|' "\${COMPREPLY[@]}"`
  const words = execFileSync('bash', ['-c', `${stdout}\n${stub}`], { encoding: 'utf8' })
  equal(words, '__complete|--|get|upstream|b|')
})

test('completion offers commands, flags, kinds and names, and is silent without a gateway', async () => {
  const { fetch } = fakeAdmin({ 'GET /api/v1/upstreams': page })
  const complete = async (...words: string[]) =>
    (await runCaptured(['__complete', '--', ...words], { fetch, env })).stdout
  match(await complete('de'), /^demo\ndescribe\ndelete\n$/)
  equal(await complete('upstream', 's'), 'split\n')
  equal(await complete('get', 'up'), 'upstreams\n')
  equal(await complete('get', 'upstream', 'b'), 'books\n')
  equal(await complete('get', 'upstream/f'), 'upstream/films\n')
  equal(await complete('upstream', 'split', ''), 'books\nfilms\n')
  equal(await complete('get', '-o', 'ya'), 'yaml\n')
  equal(await complete('run', '-c', ''), ':file\n')
  match(await complete('run', '--w'), /^--workers\n$/)
  const silent = await runCaptured(['__complete', '--', 'get', 'routes', ''])
  deepEqual(silent, { exitCode: 0, stdout: '', stderr: '' })
})
