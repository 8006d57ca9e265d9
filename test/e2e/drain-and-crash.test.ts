import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { workbench } from '../support/headgate-process.ts'
import { type Gateway, metricOf, startGateway } from './support/gateway.ts'
import { startLoad } from './support/load.ts'
import { startUpstream } from './support/upstream.ts'
import { eventually } from './support/wait.ts'

/** A connection that has been served one request and waits for the next; resolves when it is closed. */
async function idleConnection(t: TestContext, url: string): Promise<{ closed: Promise<boolean> }> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.after(() => socket.destroy())
  const closed = new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(true))
    socket.once('close', (hadError) => resolve(hadError))
  })
  socket.write(`GET /load?size=5 HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
  await new Promise((resolve) => socket.once('data', resolve))
  return { closed }
}

test('SIGTERM under load: what was sent is answered, idle connections close, the exit code is 0', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'only')
  const gateway = await startGateway(bench, { argv: ['--upstream', upstream.url] })
  const loads = [
    startLoad({ url: gateway.url, connections: 8 }),
    // Requests that are in the middle of their work when the signal comes.
    startLoad({ url: gateway.url, path: '/slow?delay=700', connections: 6 }),
  ]
  await Promise.all([loads[0]?.more(150), loads[1]?.more(6)])
  const idle = await Promise.all(Array.from({ length: 6 }, () => idleConnection(t, gateway.url)))
  const abandonedBefore = upstream.seen.abandoned

  const killedAt = performance.now()
  const { exitCode, stderr } = await gateway.stop('SIGTERM')
  const drainMs = performance.now() - killedAt
  const results = await Promise.all(loads.map((load) => load.stop()))
  equal(exitCode, 0)
  match(stderr, /stopped\n$/)
  ok(drainMs < 10_000, `took ${drainMs} ms`)
  // The kernel itself resets a connection that is made in the instant in which the port closes;
  // whatever was sent before the signal, and everything on a connection that stood, is answered.
  const lost = results
    .flatMap(({ failed }) => failed)
    .filter(({ sentAt = killedAt + 1, isNewConnection }) => sentAt <= killedAt || !isNewConnection)
  deepEqual(lost, [])
  for (const { ok: okCount, notConnected, failed, sent } of results) {
    equal(okCount + notConnected + failed.length, sent)
    ok(failed.length <= 1, JSON.stringify(failed))
  }
  equal(upstream.seen.abandoned, abandonedBefore, 'no exchange was cut off')
  const hadErrors = await Promise.all(idle.map(({ closed }) => closed))
  deepEqual(hadErrors, Array(6).fill(false), 'closed in order, not reset')
})

test('an exchange that outlasts the drain budget is cut off, and the process ends in time', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'slow')
  const gateway = await startGateway(bench, {
    argv: ['--upstream', upstream.url, '--drain', '500ms'],
  })
  const endless = fetch(`${gateway.url}/?delay=60000&size=1`).then(
    () => 'answered',
    () => 'cut off',
  )
  await eventually(() => upstream.seen.requests === 1)
  const killedAt = performance.now()
  equal((await gateway.stop('SIGTERM')).exitCode, 0)
  ok(performance.now() - killedAt < 5_000)
  equal(await endless, 'cut off')
})

test('a second signal stops at once with 130', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'slow')
  const gateway = await startGateway(bench, { argv: ['--upstream', upstream.url] })
  const pending = fetch(`${gateway.url}/?delay=60000&size=1`).catch(() => 'cut off')
  await eventually(() => upstream.seen.requests === 1)
  gateway.child.kill('SIGTERM')
  await gateway.said(/SIGTERM: finishing what runs/)
  equal((await gateway.stop('SIGTERM')).exitCode, 130)
  equal(await pending, 'cut off')
})

const bomb = `import { definePolicy, proceed, respond, s } from 'headgate/policy'
import { threadId } from 'node:worker_threads'

export const bomb = definePolicy({
  name: 'bomb',
  summary: 'Crashes its worker when asked to, outside of any request, where nothing can catch it.',
  phase: 'admit',
  config: s.strictObject({}),
  create() {
    return {
      onRequest({ request }) {
        if (request.path === '/thread') return respond(200, [], String(threadId))
        if (request.field('x-bomb') !== undefined) {
          setTimeout(() => { throw new Error('the bomb of the test') }, 1)
        }
        return proceed
      },
    }
  },
})
`

test('a worker that crashes is replaced and counted while the others serve on', async (t) => {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'only')
  await mkdir(join(bench.cwd, 'policies'))
  await bench.write('policies/bomb.ts', bomb)
  await bench.write(
    'headgate.yaml',
    `version: 1
gateway: { policiesFolder: policies }
upstreams: [{ name: books, url: "${upstream.url}" }]
routes: [{ name: all, to: books, policies: [bomb] }]
`,
  )
  const gateway = await startGateway(bench)
  const restarts = async () => {
    const { body } = await gateway.admin('GET', '/api/v1/workers')
    return [...(body.items ?? [])].reduce((sum, { restarts }) => sum + Number(restarts), 0)
  }
  equal(await restarts(), 0)
  for (let crash = 1; crash <= 2; crash++) {
    // The crash may take the answer with it.
    await fetch(`${gateway.url}/load?size=1`, { headers: { 'x-bomb': '1' } }).catch(() => undefined)
    await eventually(async () => (await restarts()) === crash)
    // Each request on a connection of its own, so that both workers have their share.
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => plainStatus(`${gateway.url}/load?size=10`)),
    )
    deepEqual(new Set(answers), new Set([200]), 'the port stays served')
    await eventually(async () => (await servingWorkers(gateway)) === 2)
  }
  const metrics = (await gateway.admin('GET', '/metrics')).text
  equal(metricOf(metrics, 'headgate_worker_restarts_total'), 2)
  const threads = new Set(
    await Promise.all(
      Array.from({ length: 40 }, async () =>
        (await fetch(`${gateway.url}/thread`, { headers: { connection: 'close' } })).text(),
      ),
    ),
  )
  equal(threads.size, 2, 'both workers serve')
  match(gateway.stderr(), /worker \d crashed: the bomb of the test/)
  const load = await startLoad({ url: gateway.url, requestsMax: 100 }).ended
  deepEqual(load.failed, [])
  equal((await gateway.stop()).exitCode, 0)
})

test('a policy file that was broken since takes neither a new worker nor a new start down', async (t) => {
  const bench = await workbench(t)
  await mkdir(join(bench.cwd, 'policies'))
  await bench.write('policies/bomb.ts', bomb)
  await bench.write(
    'headgate.yaml',
    `version: 1
gateway: { policiesFolder: policies }
routes: [{ name: all, respond: { status: 204 }, policies: [bomb] }]
`,
  )
  const gateway = await startGateway(bench, { workers: 1 })
  await bench.write('policies/bomb.ts', `${bomb}\nhalf a sentence(`)
  await gateway.said(/refused, revision 1 keeps serving: [^\n]*bomb\.ts/)
  await fetch(gateway.url, { headers: { 'x-bomb': '1' } }).catch(() => undefined)
  await gateway.said(/worker 0 is replaced/)
  const threadOf = async ({ url }: Gateway) => (await fetch(`${url}/thread`)).text()
  await eventually(async () => /^\d+$/.test(await threadOf(gateway)))
  equal((await gateway.stop()).exitCode, 0)

  const again = await startGateway(bench, { workers: 1 })
  match(again.stderr(), /bomb\.ts[\s\S]*last good one, revision 1/)
  match(await threadOf(again), /^\d+$/)
  await bench.write('policies/bomb.ts', bomb.replace("request.path === '/thread'", 'false'))
  await eventually(async () => (await threadOf(again)) === '')
  equal((await again.stop()).exitCode, 0)
})

async function servingWorkers(gateway: Gateway): Promise<number> {
  const { body } = await gateway.admin('GET', '/api/v1/workers')
  return [...(body.items ?? [])].filter(({ state }) => String(state) === 'serving').length
}

async function plainStatus(url: string): Promise<number> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  await response.arrayBuffer()
  return response.status
}
