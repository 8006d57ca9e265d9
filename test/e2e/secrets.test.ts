import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Workbench, workbench } from '../support/headgate-process.ts'
import { type Gateway, startGateway } from './support/gateway.ts'
import { freePort, startUpstream } from './support/upstream.ts'

const env = {
  HEADER_SECRET: 'header-secret-5f1c9d',
  BASIC_PASSWORD: 'basic-password-0b77e2',
  APP_KEY: 'app-key-from-env-93aa10',
  HEADGATE_OWNER_TOKEN: 'owner-token-given-from-outside-6d2f',
}
const inFiles = { bearer: 'bearer-secret-c4d8e1', appKey: 'app-key-from-file-71bd55' }

/** Also as Basic credentials go over the wire. */
const forbidden = [
  ...Object.values(env),
  ...Object.values(inFiles),
  Buffer.from(`gateway:${env.BASIC_PASSWORD}`).toString('base64'),
  Buffer.from(env.BASIC_PASSWORD).toString('base64'),
]

const configuration = (upstream: string, dead: number, folder: string) => `version: 1
gateway: { accessLog: { output: Stdout } }
upstreams:
  - name: books
    versions:
      header: { url: "${upstream}", account: header }
      basic: { url: "${upstream}", account: basic }
      bearer: { url: "${upstream}", account: bearer }
    live: header
    forcedVersion: { header: x-version, addresses: [127.0.0.1] }
  - { name: dead, url: "http://127.0.0.1:${dead}", account: header }
accounts:
  - { name: header, header: { name: x-upstream-key, secret: "env:HEADER_SECRET" } }
  - { name: basic, basic: { username: gateway, password: "env:BASIC_PASSWORD" } }
  - { name: bearer, bearer: { token: "file:${folder}/bearer" } }
apps:
  - { name: mobile, keys: [{ name: env, secret: "env:APP_KEY" }, { name: file, secret: "file:app-key" }] }
routes:
  - { name: books, match: { path: "/books/**" }, to: books, policies: [{ api-key: { query: key } }] }
  - { name: dead, match: { path: "/dead/**" }, to: dead }
`

function expectNoSecrets(what: string, text: string): void {
  const found = forbidden.filter((secret) => text.includes(secret))
  deepEqual(found, [], `${what} holds secrets`)
}

test('a secret is used towards upstreams and shown nowhere', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'books')
  await bench.write('bearer', `${inFiles.bearer}\n`)
  await bench.write('app-key', inFiles.appKey)
  await bench.write('headgate.yaml', configuration(upstream.url, await freePort(), bench.cwd))
  const gateway = await startGateway(bench, { env, token: env.HEADGATE_OWNER_TOKEN })

  await expectUsed(gateway)
  const answers = await provoke(gateway)
  answers.push(
    ...(await everythingOfTheAdminApi(gateway)),
    ...(await whatTheCliSays(bench, gateway)),
  )
  for (const [what, text] of answers) expectNoSecrets(what, text)

  // A reload with one secret gone: the message names the reference.
  await bench.write('app-key', `${inFiles.appKey}\u0000`)
  gateway.child.kill('SIGHUP')
  await gateway.said(/SIGHUP|refused/)
  const { stdout, stderr } = await gateway.stop()
  ok(stdout.includes('"path":"/books/inspect"'), 'the access log was written')
  expectNoSecrets('stdout', stdout)
  expectNoSecrets('stderr', stderr)
  for (const name of await readdir(join(bench.cwd, '.headgate'), { recursive: true })) {
    const bytes = await readFile(join(bench.cwd, '.headgate', name)).catch(() => Buffer.alloc(0))
    expectNoSecrets(name, bytes.toString('latin1'))
  }
})

/** What the upstream gets is what the accounts say, and never the key of the caller. */
async function expectUsed(gateway: Gateway): Promise<void> {
  const expected = {
    header: ['x-upstream-key', env.HEADER_SECRET],
    basic: [
      'authorization',
      `Basic ${Buffer.from(`gateway:${env.BASIC_PASSWORD}`).toString('base64')}`,
    ],
    bearer: ['authorization', `Bearer ${inFiles.bearer}`],
  }
  for (const [version, [name = '', value]] of Object.entries(expected)) {
    for (const key of [env.APP_KEY, inFiles.appKey]) {
      const response = await fetch(`${gateway.url}/books/inspect`, {
        headers: { 'x-api-key': key, 'x-version': version },
      })
      const seen = await response.text()
      equal(response.status, 200, seen)
      equal(JSON.parse(seen).headers[name], value)
      ok(!seen.includes(key))
    }
  }
  const byQuery = await fetch(`${gateway.url}/books/inspect?a=1&key=${env.APP_KEY}&b=2`)
  equal(JSON.parse(await byQuery.text()).url, '/books/inspect?a=1&b=2')
}

type Named = readonly [what: string, text: string]

/** Refusals and failures: their documents explain much, but not this. */
async function provoke(gateway: Gateway): Promise<Named[]> {
  const answers: Named[] = []
  const requests: [path: string, headers: Record<string, string>, status: number][] = [
    ['/dead/', {}, 502],
    ['/books/', { 'x-api-key': `${env.APP_KEY}x` }, 401],
    [`/books/?key=${env.APP_KEY}x`, {}, 401],
    ['/books/', { 'x-api-key': env.APP_KEY, 'x-version': 'none' }, 503],
  ]
  for (const [path, headers, status] of requests) {
    const response = await fetch(`${gateway.url}${path}`, { headers })
    equal(response.status, status)
    answers.push([`answer of ${path}`, await response.text()])
  }
  return answers
}

async function everythingOfTheAdminApi(gateway: Gateway): Promise<Named[]> {
  const answers: Named[] = []
  const paths = ['/metrics', '/readyz?verbose', '/api/openapi.json', '/schema/v1.json']
  const listed = ['upstreams', 'accounts', 'routes', 'policySets', 'apps', 'gateways', 'revisions']
  for (const name of [
    ...listed,
    'revisions/1',
    'revisions/1/diff?against=0',
    'audit',
    'export',
    'workers',
    'whoami',
  ])
    paths.push(`/api/v1/${name}`)
  for (const path of paths) {
    const answer = await gateway.admin('GET', path)
    equal(answer.status, 200, `${path}: ${answer.text}`)
    answers.push([path, answer.text])
  }
  const url = `http://gateway.example/books/1?key=${'x'.repeat(10)}`
  const explained = await gateway.admin('POST', '/api/v1/route-test', {
    method: 'GET',
    url,
    app: 'mobile',
  })
  equal(explained.status, 200, explained.text)
  const refused = await gateway.admin('PUT', '/api/v1/accounts/new', {
    spec: { header: { name: 'x-key', secret: env.HEADER_SECRET } },
  })
  ok(refused.status >= 400)
  return [...answers, ['route-test', explained.text], ['refused account', refused.text]]
}

async function whatTheCliSays(bench: Workbench, gateway: Gateway): Promise<Named[]> {
  const more = {
    ...env,
    HEADGATE_SERVER: gateway.adminUrl,
    HEADGATE_TOKEN: env.HEADGATE_OWNER_TOKEN,
  }
  const commands = [
    ['validate', '--secrets', '-o', 'json'],
    ['describe', 'account', 'header'],
    ['get', 'apps', '-o', 'json'],
  ]
  return await Promise.all(
    commands.map(async (argv): Promise<Named> => {
      const { exitCode, stdout, stderr } = await bench.run(argv, { env: more })
      equal(exitCode, 0, stderr)
      return [argv.join(' '), stdout + stderr]
    }),
  )
}

test('a secret written where a reference belongs is refused without being repeated', async (t) => {
  const bench = await workbench(t)
  await bench.write(
    'headgate.yaml',
    `version: 1\naccounts: [{ name: a, bearer: { token: "${env.HEADER_SECRET}" } }]\n`,
  )
  const commands = [
    ['validate'],
    ['validate', '-o', 'json'],
    ['run', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1'],
  ]
  for (const argv of commands) {
    const { exitCode, stdout, stderr } = await bench.run(argv)
    equal(exitCode, 3)
    match(stdout + stderr, /env:NAME/)
    expectNoSecrets(argv.join(' '), stdout + stderr)
  }
})
