import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { workbench } from '../support/headgate-process.ts'
import { type Json, jsonOf, metricOf, startGateway } from './support/gateway.ts'
import { startLoad } from './support/load.ts'
import { startUpstream } from './support/upstream.ts'
import { eventually } from './support/wait.ts'

const configuration = (upstream: string, output: string) => `version: 1
gateway: { accessLog: ${output} }
upstreams: [{ name: books, url: "${upstream}" }]
routes:
  - { name: load, match: { path: "/load/**" }, to: books }
  - { name: fixed, match: { path: /fixed }, respond: { status: 204 } }
`

function linesOf(text: string): Json[] {
  ok(text === '' || text.endsWith('\n'), 'no half line')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const parsed = jsonOf(line)
      ok(parsed.time !== undefined, `no JSON: ${line}`)
      return parsed
    })
}

test('every exchange is one line, over a rotation, a reload and the end', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'books')
  const path = join(bench.cwd, 'access.log')
  const toFile = configuration(upstream.url, `{ output: File, path: "${path}" }`)
  await bench.write('headgate.yaml', toFile)
  const gateway = await startGateway(bench)
  let sent = 0

  const before = startLoad({ url: gateway.url })
  await before.more(200)
  // As logrotate does it, in the middle of traffic.
  await rename(path, `${path}.1`)
  gateway.child.kill('SIGHUP')
  await gateway.said(/SIGHUP: serving revision/)
  await before.more(200)
  const first = await before.stop()
  deepEqual(first.failed, [])
  sent += first.sent
  const strange = ['/load/%22quote%22?size=1', '/load/b%C3%BCcher?size=1', '/nowhere', '/fixed']
  for (const target of strange) {
    await (await fetch(`${gateway.url}${target}`, { headers: { 'x-request-id': 'a"b' } })).text()
    sent += 1
  }
  const seen = async () => {
    const texts = await Promise.all(
      [`${path}.1`, path].map((name) => readFile(name, 'utf8').catch(() => '')),
    )
    return texts.map((text) => text.split('\n').length - 1)
  }
  await eventually(async () => (await seen()).reduce((sum, count) => sum + count) === sent)
  ok(
    (await seen()).every((count) => count > 50),
    'both files were written to',
  )
  const metrics = (await gateway.admin('GET', '/metrics')).text
  equal(metricOf(metrics, 'headgate_access_log_lines_total'), sent)
  equal(metricOf(metrics, 'headgate_requests_total', /route="load"/), first.sent + 2)
  equal(metricOf(metrics, 'headgate_upstream_requests_total', /version="v1"/), first.sent + 2)

  // The last requests of a process are in its log as well.
  const last = await startLoad({ url: gateway.url, requestsMax: 100 }).ended
  deepEqual(last.failed, [])
  sent += last.sent
  equal((await gateway.stop()).exitCode, 0)
  const lines = [
    ...linesOf(await readFile(`${path}.1`, 'utf8')),
    ...linesOf(await readFile(path, 'utf8')),
  ]
  equal(lines.length, sent)
  equal(new Set(lines.map(({ requestId }) => String(requestId))).size, sent, 'each its own')
  const ofLoad = lines.filter(({ path }) => String(path) === '/load')
  equal(ofLoad.length, first.ok + last.ok)
  for (const line of ofLoad) {
    equal(line.status, 200)
    equal(line.route, 'load')
    equal(line.upstream, 'books')
    equal(line.client, '127.0.0.1')
  }
  const posted = ofLoad.filter(({ method }) => String(method) === 'POST')
  ok(posted.some(({ requestBytes }) => Number(requestBytes) === 120_000))
  const missed = lines.find(({ path }) => String(path) === '/nowhere')
  equal(missed?.status, 404)
  equal(missed?.reason, 'route.not_found')
})

test('to standard output the log comes line by line beside the serving line', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'books')
  await bench.write('headgate.yaml', configuration(upstream.url, '{ output: Stdout }'))
  const gateway = await startGateway(bench)
  const load = await startLoad({ url: gateway.url, requestsMax: 200 }).ended
  deepEqual(load.failed, [])
  const { stdout, exitCode } = await gateway.stop()
  equal(exitCode, 0)
  const [serving = '', ...rest] = stdout.split('\n')
  match(serving, /serves http/)
  equal(linesOf(rest.join('\n')).length, load.sent)
})
