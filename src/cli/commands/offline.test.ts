import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { runCli } from '../program.ts'
import { fakeAdmin } from '../testing/fake-admin.ts'
import { runCaptured, type TestOptions, testTerminal } from '../testing/run-captured.ts'

const good = `version: 1
upstreams:
  - name: books
    versions:
      v1: { url: "http://127.0.0.1:7001", account: books-a }
      v2: { url: "http://127.0.0.1:7002" }
    live: v1
accounts:
  - { name: books-a, header: { name: x-api-key, secret: "env:BOOKS_KEY_A" } }
routes:
  - { name: books, match: { path: "/books/{id}", methods: [GET] }, to: books }
  - { name: old, match: { path: /old }, redirect: { location: /books/1 } }
`
const bad = good.replace('to: books', 'to: boks').replace('live: v1', 'live: v9')

/** A folder with the given files, and a way to run commands in it. */
async function folder(t: TestContext, files: Readonly<Record<string, string>>) {
  const cwd = await mkdtemp(join(tmpdir(), 'headgate-cli-'))
  t.after(() => rm(cwd, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text)
  const run = (argv: readonly string[], options: TestOptions = {}) =>
    runCaptured(argv, { cwd, ...options })
  return { cwd, run, read: (name: string) => readFile(join(cwd, name), 'utf8') }
}

test('validate says what is in a good file, on stderr, and ends with 0', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': good })
  const { exitCode, stdout, stderr } = await run(['validate'])
  equal(exitCode, 0)
  equal(stdout, '')
  match(stderr, /headgate\.yaml is valid: 1 Upstream, 1 Account, 2 Routes\n$/)
})

test('validate shows every problem with file, line, column and suggestion, and ends with 3', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': bad })
  const { exitCode, stdout, stderr } = await run(['validate'])
  equal(exitCode, 3)
  equal(stdout, '')
  match(stderr, /^error: headgate\.yaml is not valid: 1 error|2 errors/)
  match(stderr, /\nheadgate\.yaml:\d+:\d+ {2}error/)
  match(stderr, /\ntry: \S.*\n$/)
  const asJson = await run(['validate', 'headgate.yaml', '-o', 'json'])
  equal(asJson.exitCode, 3)
  const report = JSON.parse(asJson.stdout)
  equal(report.valid, false)
  equal(report.problems[0].location.file, 'headgate.yaml')
})

test('validate --secrets reads every secret here and shows none', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': good })
  equal((await run(['validate'])).exitCode, 0)
  const missing = await run(['validate', '--secrets'])
  equal(missing.exitCode, 3)
  match(missing.stderr, /headgate\.yaml:9:\d+ {2}error .*BOOKS_KEY_A/)
  const env = { BOOKS_KEY_A: 'k-123-secret' }
  const present = await run(['validate', '--secrets'], { env })
  equal(present.exitCode, 0, present.stderr)
  ok(!present.stderr.includes('k-123-secret'))
})

test('validate reads standard input, and says what to do when there is no file', async (t) => {
  const { cwd } = await folder(t, {})
  const terminal = testTerminal({ cwd })
  terminal.stdin.end(good)
  equal(await runCli(['validate', '-'], terminal), 0)
  const nothing = await runCaptured(['validate'], { cwd })
  equal(nothing.exitCode, 1)
  match(nothing.stderr, /try: `headgate init`/)
  const absent = await runCaptured(['validate', 'nope.yaml'], { cwd })
  equal(absent.exitCode, 3)
  match(absent.stderr, /nope\.yaml/)
})

test('fmt prints, checks, shows the difference, rewrites, and is stable', async (t) => {
  const ugly = 'version:   1\nupstreams: # ours\n- {name: b,   url: "http://127.0.0.1:1"}\n'
  const { run, read } = await folder(t, { 'headgate.yaml': ugly })
  const printed = await run(['fmt'])
  equal(printed.exitCode, 0)
  match(printed.stdout, /# ours/)
  const checked = await run(['fmt', '--check', 'headgate.yaml'])
  equal(checked.exitCode, 2)
  equal(checked.stdout, 'headgate.yaml\n')
  match((await run(['fmt', '--diff'])).stdout, /\n-version: {3}1\n/)
  equal((await run(['fmt', '--write'])).exitCode, 0)
  equal(await read('headgate.yaml'), printed.stdout)
  deepEqual(await run(['fmt', '--check']), { exitCode: 0, stdout: '', stderr: '' })
  match((await run(['fmt', '--expand'])).stdout, /endpoints:/)
})

test('fmt leaves a file that is not YAML alone and says where', async (t) => {
  const { run, read } = await folder(t, { 'headgate.yaml': 'a: [\n' })
  const { exitCode, stderr } = await run(['fmt', '--write'])
  equal(exitCode, 3)
  match(stderr, /headgate\.yaml:\d+:\d+/)
  equal(await read('headgate.yaml'), 'a: [\n')
})

test('route test -c explains without a gateway, and ends with 1 when nothing matches', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': good })
  const found = await run(['route', 'test', 'curl http://x.example/books/7', '-c', 'headgate.yaml'])
  equal(found.exitCode, 0, found.stderr)
  match(found.stdout, /route {5}books\n {4}\{id\} = 7/)
  match(found.stdout, /version {3}v1 \(/)
  match(found.stdout, /account {3}books-a/)
  match(found.stdout, /not these\n {4}old: /)
  const redirect = await run(['route', 'test', '/old', '-c', 'headgate.yaml'])
  match(redirect.stdout, /answer {4}308 redirect/)
  const none = await run(['route', 'test', 'POST', '/books/7', '-c', 'headgate.yaml', '-o', 'json'])
  equal(none.exitCode, 1)
  equal(JSON.parse(none.stdout).refused.code, 'route.not_found')
})

test('doctor tells what is wrong with each thing and what to try', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': good })
  const free = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0']
  const { exitCode, stdout } = await run(['doctor', ...free], { clock: systemClock() })
  equal(exitCode, 1)
  match(stdout, /✓ runtime/)
  match(stdout, /✓ configuration {2}headgate\.yaml is valid/)
  match(stdout, /✗ secrets .*BOOKS_KEY_A.*\n {2}try: /)
  match(stdout, /✗ upstream .*127\.0\.0\.1:7001.*ECONNREFUSED.*\n {2}try: /)
  match(stdout, /✓ data folder/)
  match(stdout, /- gateway/)
  const occupied = await run(['doctor', '--listen', '192.0.2.1:80', '--admin', '127.0.0.1:0'])
  match(occupied.stdout, /✗ listen .*192\.0\.2\.1:80/)
})

const plan = {
  baseRevision: 4,
  changes: [
    {
      action: 'change',
      key: { workspace: 'default', kind: 'Upstream', name: 'books' },
      fields: [{ path: 'live', before: 'v1', after: 'v2' }],
      effects: ['moves 100 % of the traffic of `books` to v2'],
    },
    {
      action: 'create',
      key: { workspace: 'default', kind: 'Route', name: 'books' },
      fields: [{ path: 'priority', after: 0 }],
      effects: [],
    },
  ],
  counts: { create: 1, change: 1, delete: 0, unchanged: 2, onlyOnServer: 3 },
  warnings: [],
}
const same = { ...plan, changes: [], counts: { ...plan.counts, create: 0, change: 0 } }

test('plan shows changed fields and effects; --brief, --full and --exit-code do as they say', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': good })
  const { fetch, calls } = fakeAdmin({ 'POST /api/v1/plan': plan })
  const normal = await run(['plan'], { fetch })
  equal(normal.exitCode, 0)
  equal(
    normal.stdout,
    `~ change Upstream/books
    live: v1 → v2
    effect: moves 100 % of the traffic of \`books\` to v2
+ create Route/books

Plan against revision 4: 1 to create, 1 to change, 0 to delete; 2 unchanged, 3 only on the server.
`,
  )
  match((await run(['plan', '--full'], { fetch })).stdout, /\n {4}priority: 0\n/)
  ok(!(await run(['plan', '--brief'], { fetch })).stdout.includes('live:'))
  equal((await run(['plan', '--exit-code'], { fetch })).exitCode, 2)
  equal(JSON.parse((await run(['plan', '-o', 'json'], { fetch })).stdout).counts.onlyOnServer, 3)
  const { fetch: equalFetch } = fakeAdmin({ 'POST /api/v1/plan': same })
  const none = await run(['plan', '--exit-code'], { fetch: equalFetch })
  equal(none.exitCode, 0)
  match(none.stdout, /^No difference to revision 4/)
  const body = calls[0]?.body
  ok(typeof body === 'object' && body !== null && 'puts' in body && Array.isArray(body.puts))
  equal(body.puts.length, 4)
})

test('plan refuses a bad file before it asks anybody', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': bad })
  const { fetch, calls } = fakeAdmin({ 'POST /api/v1/plan': plan })
  equal((await run(['plan'], { fetch })).exitCode, 3)
  equal(calls.length, 0)
})

test('apply needs --yes without a terminal, guards the revision, and prints the new one', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': good })
  const { fetch, calls } = fakeAdmin({
    'POST /api/v1/plan': plan,
    'POST /api/v1/apply': { plan, revision: 5 },
  })
  const refused = await run(['apply'], { fetch })
  equal(refused.exitCode, 1)
  match(refused.stderr, /try: the same with `--yes`/)
  const applied = await run(['apply', '--yes', '--reason', 'why not'], { fetch })
  equal(applied.exitCode, 0, applied.stderr)
  equal(applied.stdout, 'revision 5\n')
  match(applied.stderr, /~ change Upstream\/books/)
  const sent = calls.at(-1)?.body
  ok(typeof sent === 'object' && sent !== null && 'baseRevision' in sent && 'reason' in sent)
  equal(sent.baseRevision, 4)
  equal(sent.reason, 'why not')
})

test('apply asks on a terminal, and anything but yes changes nothing', async (t) => {
  const { cwd } = await folder(t, { 'headgate.yaml': good })
  for (const [answer, expected] of [
    ['n', 1],
    ['', 1],
    ['y', 0],
  ] as const) {
    const { fetch, calls } = fakeAdmin({
      'POST /api/v1/plan': plan,
      'POST /api/v1/apply': { plan, revision: 5 },
    })
    const terminal = testTerminal({ cwd, fetch, isTTY: true })
    const ended = runCli(['apply'], terminal)
    await terminal.said(/Apply\? \[y\/N\]/)
    terminal.stdin.write(`${answer}\n`)
    equal(await ended, expected)
    equal(
      calls.some(({ path }) => path === '/api/v1/apply'),
      expected === 0,
    )
  }
})

test('a reviewed plan file is applied as it is, only against its revision', async (t) => {
  const { run, read } = await folder(t, { 'headgate.yaml': good })
  const planned = fakeAdmin({ 'POST /api/v1/plan': plan })
  equal((await run(['plan', '--out', 'plan.json'], { fetch: planned.fetch })).exitCode, 0)
  match(await read('plan.json'), /"headgatePlan": 1/)
  const outdated = fakeAdmin({
    'POST /api/v1/apply': Response.json(
      { type: 'https://headgate.dev/errors/admin.plan_outdated', detail: 'now 6' },
      { status: 409 },
    ),
  })
  const { exitCode, stderr } = await run(['apply', 'plan.json', '--yes'], { fetch: outdated.fetch })
  equal(exitCode, 5)
  match(stderr, /try: .*plan/)
  equal(outdated.calls.length, 1)
  const wrong = await run(['apply', 'headgate.yaml', '--yes'])
  equal(wrong.exitCode, 1)
  match(wrong.stderr, /try: headgate apply -c headgate\.yaml/)
})

test('many deletions need --prune=confirm', async (t) => {
  const { run } = await folder(t, { 'headgate.yaml': good })
  const many = { ...plan, counts: { ...plan.counts, delete: 11 } }
  const { fetch, calls } = fakeAdmin({
    'POST /api/v1/plan': many,
    'POST /api/v1/apply': { plan: many, revision: 5 },
  })
  const refused = await run(['apply', '--prune', '--yes'], { fetch })
  equal(refused.exitCode, 1)
  match(refused.stderr, /deletes 11 objects.*\ntry: `--prune=confirm`/)
  const confirmed = await run(['apply', '--prune=confirm', '--yes'], { fetch })
  equal(confirmed.exitCode, 0, confirmed.stderr)
  const sent = calls.at(-1)?.body
  ok(typeof sent === 'object' && sent !== null && 'prune' in sent && sent.prune === true)
})

test('init writes a file that validates and is never overwritten', async (t) => {
  const { run, read } = await folder(t, {})
  const written = await run(['init', '--upstream', 'http://127.0.0.1:3000'])
  equal(written.exitCode, 0, written.stderr)
  equal(written.stdout, 'headgate.yaml\n')
  const text = await read('headgate.yaml')
  match(text, /^# yaml-language-server: \$schema=\.\/headgate\.schema\.json\n/)
  match(text, /http:\/\/127\.0\.0\.1:3000/)
  const valid = await run(['validate'])
  deepEqual([valid.exitCode, valid.stderr.includes('warning')], [0, false], valid.stderr)
  const again = await run(['init'])
  equal(again.exitCode, 1)
  match(again.stderr, /headgate\.yaml exists already.*\ntry: /)
  equal(await read('headgate.yaml'), text)
  ok(JSON.parse(await read('headgate.schema.json')).properties.routes)
  equal((await run(['init', 'conf/'])).exitCode, 0)
  const inFolder = await run(['validate', 'conf'])
  equal(inFolder.exitCode, 0, `the schema beside it is no configuration: ${inFolder.stderr}`)
})

test('every commented line of the starter is valid once it is put in', async (t) => {
  const { run, read, cwd } = await folder(t, {})
  await run(['init'])
  const text = (await read('headgate.yaml'))
    .replace('# account: my-api-key ', 'account: my-api-key ')
    .replace(/^( +)# (v2:|split:|- api-key)/gm, '$1$2')
    .replace(/^# ((?:accounts|apps|gateway):| {2,})/gm, '$1')
    .replace('sha256:…', `sha256:${'0'.repeat(64)}`)
  ok(!/^ *# *(?:accounts|apps|gateway|v2|split|- api-key)/m.test(text), text)
  await writeFile(join(cwd, 'headgate.yaml'), text)
  const { exitCode, stderr } = await run(['validate'])
  equal(exitCode, 0, stderr)
  match(stderr, /1 Gateway, 1 Upstream, 1 Account, 2 Routes, 1 App/)
})

test('schema prints JSON Schema in the draft that was asked for', async (t) => {
  const { run } = await folder(t, {})
  match(JSON.parse((await run(['schema'])).stdout).$schema, /draft-07/)
  match(JSON.parse((await run(['schema', '--draft', '2020-12'])).stdout).$schema, /2020-12/)
  equal((await run(['schema', '--draft', '4'])).exitCode, 1)
})
