import { equal, match, ok } from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { type TestContext, test } from 'node:test'
import { workbench } from '../support/headgate-process.ts'

/** An upstream that says its name. */
async function upstream(t: TestContext, name: string): Promise<string> {
  const server: Server = createServer((_request, response) => response.end(name))
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0)
    })
  })
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${port}`
}

const anyPorts = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '1']
const servingLine = /serves (http:\/\/\S+) · admin (http:\/\/\S+) · (.*)\n/

const configuration = (v1: string, v2: string) => `version: 1
upstreams:
  - name: books
    versions: { v1: { url: "${v1}" }, v2: { url: "${v2}" } }
    live: v1
routes:
  - { name: books, match: { path: "/books/**" }, to: books }
`

test('file mode: serve, look, explain, move traffic, and stop without losing anybody', async (t) => {
  const bench = await workbench(t)
  await bench.write(
    'headgate.yaml',
    configuration(await upstream(t, 'v1'), await upstream(t, 'v2')),
  )
  const gateway = bench.start(['run', ...anyPorts])
  const [, url = '', admin = '', mode = ''] = await gateway.said(servingLine)
  match(mode, /^file mode \(headgate\.yaml\) · revision \d+ · 1 worker$/)
  equal(gateway.stdout().split('\n').length, 2, 'one line on stdout')
  const [, token = ''] = await gateway.said(/owner token \(shown once\): (\S+)/)
  const env = { HEADGATE_SERVER: admin, HEADGATE_TOKEN: token }
  equal(await (await fetch(`${url}/books/1`)).text(), 'v1')

  const listed = await bench.run(['get', 'upstreams'], { env })
  match(listed.stdout, /^NAME +VERSIONS +TRAFFIC +STATE\nbooks +v1, v2 +v1 100% +ok\n$/)
  const object = await bench.run(['get', 'route', 'books', '-o', 'json'], { env })
  equal(JSON.parse(object.stdout).spec.target.upstreamRef, 'books')
  const explained = await bench.run(['route', 'test', `curl ${url}/books/1`], { env })
  match(explained.stdout, /route +books\n[\s\S]*version +v1/)
  match((await bench.run(['describe', 'upstream', 'books'], { env })).stdout, /Conditions/)

  const split = await bench.run(['upstream', 'split', 'books', 'v2=100%'], { env })
  equal(split.exitCode, 0, split.stderr)
  equal(await (await fetch(`${url}/books/1`)).text(), 'v2')
  match((await bench.run(['get', 'upstreams'], { env })).stdout, /v2 100%/)
  equal((await bench.run(['upstream', 'reset', 'books'], { env })).exitCode, 0)
  equal(await (await fetch(`${url}/books/1`)).text(), 'v1')

  const owned = await bench.run(['delete', 'route', 'books', '--yes'], { env })
  equal(owned.exitCode, 5, owned.stderr)
  match(owned.stderr, /\ntry: \S/)
  const wrong = await bench.run(['get', 'routes'], { env: { ...env, HEADGATE_TOKEN: 'hgo_wrong' } })
  equal(wrong.exitCode, 4)

  gateway.child.kill('SIGTERM')
  equal((await gateway.ended).exitCode, 0)
  ok(!gateway.stdout().includes(token))
})

test('store mode: plan, apply, export and delete agree with each other', async (t) => {
  const bench = await workbench(t)
  await bench.write('books.yaml', configuration(await upstream(t, 'v1'), await upstream(t, 'v2')))
  const gateway = bench.start(['run', ...anyPorts])
  const [, url = '', admin = '', mode = ''] = await gateway.said(servingLine)
  match(mode, /^store mode/)
  const [, token = ''] = await gateway.said(/owner token \(shown once\): (\S+)/)
  const env = { HEADGATE_SERVER: admin, HEADGATE_TOKEN: token }
  const planArgs = ['plan', '-c', 'books.yaml', '--exit-code', '--out', 'plan.json']

  const first = await bench.run(planArgs, { env })
  equal(first.exitCode, 2, first.stderr)
  match(first.stdout, /\+ create Upstream\/books/)
  const applied = await bench.run(['apply', 'plan.json', '--yes'], { env })
  equal(applied.exitCode, 0, applied.stderr)
  match(applied.stdout, /^revision \d+\n$/)
  equal(await (await fetch(`${url}/books/1`)).text(), 'v1')
  equal((await bench.run(planArgs, { env })).exitCode, 0, 'nothing is left to do')
  const again = await bench.run(['apply', '-c', 'books.yaml', '--yes'], { env })
  equal(again.exitCode, 0)
  equal(again.stdout, '')

  const exported = await bench.run(['export'], { env })
  equal((await bench.run(['validate', '-'], { input: exported.stdout })).exitCode, 0)
  const roundTrip = await bench.run(['plan', '-c', '-', '--exit-code'], {
    env,
    input: exported.stdout,
  })
  equal(roundTrip.exitCode, 0, roundTrip.stdout)

  const stillUsed = await bench.run(['delete', 'upstream', 'books', '--yes'], { env })
  equal(stillUsed.exitCode, 5, stillUsed.stderr)
  const both = await bench.run(['delete', 'upstream/books', 'route/books', '--yes'], { env })
  equal(both.exitCode, 0, both.stderr)
  equal((await fetch(`${url}/books/1`)).status, 404)
  const outdated = await bench.run(['apply', 'plan.json', '--yes'], { env })
  equal(outdated.exitCode, 5, outdated.stderr)
  gateway.child.kill('SIGINT')
  equal((await gateway.ended).exitCode, 0)
})

test('run without a file, an address in use, and a broken file each say what to do', async (t) => {
  const bench = await workbench(t)
  const target = await upstream(t, 'only')
  const gateway = bench.start(['run', '--upstream', target, ...anyPorts])
  const [, url = ''] = await gateway.said(servingLine)
  equal(await (await fetch(`${url}/any/path`)).text(), 'only')
  const busy = new URL(url).host
  const second = await bench.run([
    ...['run', '--upstream', target, '--data', 'other', '--workers', '1'],
    ...['--listen', busy, '--admin', '127.0.0.1:0'],
  ])
  equal(second.exitCode, 1)
  equal(second.stdout, '')
  match(second.stderr, /in use[\s\S]*\ntry: .*--listen/)
  const taken = await bench.run(['demo', '--listen', busy, '--admin', '127.0.0.1:0'])
  equal(taken.exitCode, 1)
  match(taken.stderr, /\ntry: headgate demo --listen/)
  await bench.write('broken.yaml', 'version: 1\nroutes:\n  - { name: a, to: nowhere }\n')
  const broken = await bench.run(['run', '-c', 'broken.yaml', '--data', 'third', ...anyPorts])
  equal(broken.exitCode, 3, broken.stderr)
  match(broken.stderr, /broken\.yaml:3:\d+[\s\S]*\ntry: /)
})

test('init, validate and run work one after the other in an empty folder', async (t) => {
  const bench = await workbench(t)
  equal((await bench.run(['init'])).exitCode, 0)
  equal((await bench.run(['validate'])).exitCode, 0)
  const gateway = bench.start(['run', ...anyPorts])
  const [, url = ''] = await gateway.said(servingLine)
  const answer = await fetch(`${url}/hello`)
  equal(answer.status, 200)
  match(await answer.text(), /Headgate is running/)
  await bench.write(
    'headgate.yaml',
    'version: 1\nroutes:\n  - { name: a, respond: { status: 204 } }\n',
  )
  gateway.child.kill('SIGHUP')
  await gateway.said(/SIGHUP: serving revision/)
  equal((await fetch(`${url}/hello`)).status, 204)
  gateway.child.kill('SIGTERM')
  equal((await gateway.ended).exitCode, 0)
})
