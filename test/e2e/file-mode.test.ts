import { equal, match, notEqual, ok } from 'node:assert/strict'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { workbench } from '../support/headgate-process.ts'
import { expectNoStackTrace, type Gateway, startGateway } from './support/gateway.ts'
import { startUpstream } from './support/upstream.ts'
import { eventually } from './support/wait.ts'

const saying = (text: string) => `version: 1
routes:
  - { name: hello, match: { path: /hello }, respond: { status: 200, body: "${text}" } }
`

const broken = `version: 1
routes:
  - { name: hello, match: { path: /hello }, respnd: { status: 200 } }
  - { name: other, to: nowhere }
`

async function hello(gateway: Pick<Gateway, 'url'>): Promise<string> {
  return await (await fetch(`${gateway.url}/hello`)).text()
}

async function expectHello(gateway: Gateway, text: string): Promise<void> {
  await eventually(async () => (await hello(gateway)) === text, { what: `"${text}"` })
}

test('a broken file is refused with its places while the last good one serves, across a restart too', async (t) => {
  const bench = await workbench(t)
  await bench.write('headgate.yaml', saying('one'))
  const first = await startGateway(bench, { workers: 1 })
  equal(await hello(first), 'one')

  await bench.write('headgate.yaml', broken)
  await first.said(/headgate\.yaml:3:45[^\n]*respnd[\s\S]*headgate\.yaml:4:\d+[\s\S]*nowhere/)
  match(first.stderr(), /respond/, 'says what was probably meant')
  match(first.stderr(), /keeps? serving/)
  equal(await hello(first), 'one')
  const status = await first.admin('GET', '/readyz')
  equal(status.status, 200, 'the last good one serves, so traffic may come')
  equal((await first.stop()).exitCode, 0)

  const second = await startGateway(bench, { workers: 1 })
  equal(await hello(second), 'one', 'last good')
  match(second.stderr(), /headgate\.yaml:3:45/)
  match(second.stderr(), /last good/)
  await bench.write('headgate.yaml', saying('two'))
  await expectHello(second, 'two')

  await rm(join(bench.cwd, 'headgate.yaml'))
  await second.said(/headgate\.yaml[^\n]*(not|no longer|missing|gone|cannot)/)
  equal(await hello(second), 'two', 'a file that vanished changes nothing')
  await bench.write('headgate.yaml', saying('three'))
  await expectHello(second, 'three')
  await bench.write('headgate.yaml', 'a: [1\n\tb: "')
  await second.said(/headgate\.yaml:\d+:\d+[^\n]*\n/)
  equal(await hello(second), 'three')
  const { stderr, exitCode } = await second.stop()
  equal(exitCode, 0)
  expectNoStackTrace(stderr)
})

test('a folder of files is one configuration; files may come, go and be swapped by link', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'books')
  const folder = join(bench.cwd, 'conf')
  await mkdir(folder)
  await bench.write(
    'conf/10-upstreams.yaml',
    `version: 1\nupstreams: [{ name: books, url: "${upstream.url}" }]\n`,
  )
  await bench.write(
    'conf/20-routes.yaml',
    'version: 1\nroutes: [{ name: books, match: { path: /books/** }, to: books }]\n',
  )
  await bench.write('conf/README.md', 'not configuration: {{{')
  const gateway = await startGateway(bench, { argv: ['-c', 'conf'], workers: 1 })
  equal((await fetch(`${gateway.url}/books/1?size=7`)).headers.get('x-upstream'), 'books')
  equal((await fetch(`${gateway.url}/hello`)).status, 404)

  await writeFile(join(folder, '30-hello.yaml.tmp'), saying('from a third file'))
  await rename(join(folder, '30-hello.yaml.tmp'), join(folder, '30-hello.yaml'))
  await expectHello(gateway, 'from a third file')
  await bench.write('conf/40-twice.yaml', saying('twice'))
  await gateway.said(/40-twice\.yaml:3:\d+[^\n]*hello/)
  equal(await hello(gateway), 'from a third file')
  await rm(join(folder, '40-twice.yaml'))
  await rm(join(folder, '30-hello.yaml'))
  await eventually(async () => (await fetch(`${gateway.url}/hello`)).status === 404)
  equal((await fetch(`${gateway.url}/books/1?size=7`)).status, 200)
  equal((await gateway.stop()).exitCode, 0)
})

test('in file mode the admin API refuses edits and says what to write instead', async (t) => {
  const bench = await workbench(t)
  await bench.write('headgate.yaml', saying('one'))
  const gateway = await startGateway(bench, { workers: 1 })
  const refused = await gateway.admin('PUT', '/api/v1/routes/new', {
    spec: { respond: { status: 204 } },
  })
  equal(refused.status, 409, refused.text)
  equal(refused.body.code, 'admin.file_owned')
  match(String(refused.body.patch), /routes:\n {2}- name: new\n/)
  equal((await fetch(`${gateway.url}/new`)).status, 404)
  await gateway.stop()
})

async function expectRefusal(
  bench: Awaited<ReturnType<typeof workbench>>,
  argv: readonly string[],
  options: { exitCode: number; says: RegExp; env?: Record<string, string> },
): Promise<void> {
  const { exitCode, stdout, stderr } = await bench.run(
    argv,
    options.env === undefined ? {} : { env: options.env },
  )
  equal(exitCode, options.exitCode, `${argv.join(' ')}: ${stderr}`)
  match(stderr, options.says)
  match(stderr, /\ntry: \S/)
  equal(stdout, '', 'nothing serves')
  expectNoStackTrace(stderr)
}

test('a start that cannot be is refused with a reason and a way out', async (t) => {
  const bench = await workbench(t)
  await bench.write('headgate.yaml', saying('one'))
  const running = await startGateway(bench, { workers: 1 })
  const listen = new URL(running.url).host
  const admin = new URL(running.adminUrl).host
  const any = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1']
  await bench.write('broken.yaml', broken)
  await Promise.all([
    expectRefusal(
      bench,
      ['run', '--listen', listen, '--admin', '127.0.0.1:0', '--data', 'a', '--workers', '1'],
      {
        exitCode: 1,
        says: /in use[\s\S]*--listen/,
      },
    ),
    expectRefusal(
      bench,
      ['run', '--listen', '127.0.0.1:0', '--admin', admin, '--data', 'b', '--workers', '1'],
      {
        exitCode: 1,
        says: /in use[\s\S]*--admin/,
      },
    ),
  ])
  await Promise.all([
    expectRefusal(bench, ['run', ...any], {
      exitCode: 1,
      says: /\.headgate[\s\S]*(used|locked|another)/,
    }),
    expectRefusal(bench, ['run', '-c', 'missing.yaml', '--data', 'c', ...any], {
      exitCode: 3,
      says: /missing\.yaml/,
    }),
  ])
  await Promise.all([
    expectRefusal(bench, ['run', '-c', 'broken.yaml', '--data', 'd', ...any], {
      exitCode: 3,
      says: /broken\.yaml:3:45/,
    }),
    expectRefusal(bench, ['run', '--data', 'headgate.yaml/x', ...any], {
      exitCode: 1,
      says: /headgate\.yaml\/x/,
    }),
  ])
  equal(await hello(running), 'one', 'none of it disturbed the one that runs')
  equal((await running.stop()).exitCode, 0)

  const outside = [
    'run',
    '--listen',
    '127.0.0.1:0',
    '--admin',
    '0.0.0.0:0',
    '--data',
    'e',
    '--workers',
    '1',
  ]
  await expectRefusal(bench, outside, { exitCode: 1, says: /0\.0\.0\.0/ })
})

test('one data folder holds one mode: the other is refused until somebody decides', async (t) => {
  const bench = await workbench(t)
  const store = await startGateway(bench, { workers: 1 })
  match(store.servingAs, /store mode/)
  const put = await store.admin('PUT', '/api/v1/routes/kept', {
    spec: { respond: { status: 204 } },
  })
  equal(put.status, 201, put.text)
  equal((await store.stop()).exitCode, 0)

  await bench.write('headgate.yaml', saying('one'))
  const files = bench.start([
    'run',
    '--listen',
    '127.0.0.1:0',
    '--admin',
    '127.0.0.1:0',
    '--workers',
    '1',
  ])
  const { exitCode, stderr } = await files.ended
  notEqual(exitCode, 0, stderr)
  match(stderr, /store mode[\s\S]*\ntry: \S/)

  await rm(join(bench.cwd, 'headgate.yaml'))
  const again = await startGateway(bench, { workers: 1 })
  equal((await fetch(`${again.url}/`)).status, 204, 'nothing was lost')
  ok(again.token === '', 'the owner token is shown once')
  equal((await again.stop()).exitCode, 0)
})
