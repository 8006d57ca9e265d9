import { deepEqual, equal, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { copyFile, readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WebSocketServer } from 'ws'
import { certificateFolder } from '../support/certificates.ts'
import { workbench } from '../support/headgate-process.ts'
import { resourcesOfYaml } from '../support/resources.ts'
import { closeCodeOf, messageOf, openWebSocket, webSocketUpstream } from '../support/web-socket.ts'
import { stepsOf } from './support/document.ts'
import { type Gateway, jsonOf, metricOf, startGateway } from './support/gateway.ts'
import { eventually } from './support/wait.ts'

const configuration = (url: string, more = '') => `version: 1
gateway: { accessLog: { output: File, path: access.log } }
upstreams: [{ name: chat, url: "${url}" }]
routes: [{ name: chat, match: { path: "/**" }, to: chat${more} }]
`

const open = (t: TestContext, { url }: Gateway) => openWebSocket(t, url.replace('http', 'ws'))

const metric = async (gateway: Gateway, name: string, labels?: RegExp) =>
  metricOf((await gateway.admin('GET', '/metrics')).text, name, labels)

test('every configuration of the guide is valid', async () => {
  const guide = new URL('../../docs/how-to/websockets.md', import.meta.url)
  const blocks = stepsOf(await readFile(guide, 'utf8')).flatMap((step) =>
    step.type === 'yaml' ? [step.text] : [],
  )
  ok(blocks.length >= 4)
  for (const text of blocks) ok(resourcesOfYaml(text).length >= 2)
})

test('WebSockets outlive a reload, are counted and logged, and close at the end of the drain', async (t) => {
  const bench = await workbench(t)
  const upstream = await webSocketUpstream(t)
  await bench.write('headgate.yaml', configuration(upstream.url))
  const gateway = await startGateway(bench, { argv: ['--drain', '1s'] })
  const sockets = await Promise.all(Array.from({ length: 8 }, () => open(t, gateway)))
  equal(await metric(gateway, 'headgate_tunnels_open'), 8)

  await bench.write('headgate.yaml', configuration(upstream.url, ', timeouts: { tunnelIdle: 1h }'))
  // The sum over both workers: a new connection must not meet one that is still on the first.
  await eventually(async () => (await metric(gateway, 'headgate_worker_revision')) === 4)
  sockets.push(await open(t, gateway))
  for (const [index, socket] of sockets.entries()) {
    socket.send(`message ${index}`)
    equal((await messageOf(socket)).toString(), `message ${index}`)
  }
  const byRevision = (revision: number) =>
    metric(gateway, 'headgate_tunnels_open_by_revision', new RegExp(`revision="${revision}"`))
  deepEqual([await byRevision(1), await byRevision(2)], [8, 1])

  const { body: workers } = await gateway.admin('GET', '/api/v1/workers')
  const tunnels = [...(workers.items ?? [])].flatMap((worker) => [...(worker.tunnels ?? [])])
  const countOf = (wanted: number) =>
    tunnels.reduce(
      (sum, { revision, count }) => sum + (Number(revision) === wanted ? Number(count) : 0),
      0,
    )
  deepEqual([countOf(1), countOf(2)], [8, 1])

  const [first] = sockets.splice(0, 1)
  first?.close(1_000)
  equal(first && (await closeCodeOf(first)), 1_000)
  await eventually(async () => (await byRevision(1)) === 7)

  const codes = Promise.all(sockets.map(closeCodeOf))
  const { exitCode } = await gateway.stop()
  equal(exitCode, 0)
  deepEqual(await codes, Array(8).fill(1_006))
  const lines = (await readFile(join(bench.cwd, 'access.log'), 'utf8'))
    .trim()
    .split('\n')
    .map(jsonOf)
  deepEqual(lines.map(({ status, reason }) => `${status} ${reason ?? ''}`).sort(), [
    '101 ',
    ...Array<string>(8).fill('101 gateway.draining'),
  ])
})

test('a WebSocket passes with TLS on both sides', async (t) => {
  const files = certificateFolder()
  t.after(() => files.remove())
  const authority = files.authority('Test Authority')
  const shop = authority.issue({ commonName: 'shop', sans: ['IP:127.0.0.1'] })
  const server = createServer({
    cert: await readFile(shop.certFile),
    key: await readFile(shop.keyFile),
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upstream = new WebSocketServer({ server })
  upstream.on('connection', (socket) => socket.on('message', (bytes) => socket.send(bytes)))
  t.after(() => {
    for (const socket of upstream.clients) socket.terminate()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0

  const bench = await workbench(t)
  await copyFile(shop.certFile, join(bench.cwd, 'shop.crt'))
  await copyFile(shop.keyFile, join(bench.cwd, 'shop.key'))
  await bench.write('ca.crt', authority.pem)
  await bench.write(
    'headgate.yaml',
    `version: 1
gateway: { tls: { listen: "127.0.0.1:0" } }
certificates: [{ name: shop, certFile: shop.crt, keyFile: shop.key }]
upstreams:
  - name: chat
    versions: { v1: { url: "https://127.0.0.1:${port}", tls: { caFile: ca.crt } } }
routes: [{ name: chat, match: { path: "/**" }, to: chat }]
`,
  )
  const gateway = await startGateway(bench)
  const [, url = ''] = /TLS https(:\/\/127\.0\.0\.1:\d+)/.exec(gateway.servingAs) ?? []
  const client = await openWebSocket(t, `wss${url}`, { ca: authority.pem })
  for (const size of [5, 3 * 1_048_576]) {
    const bytes = Buffer.alloc(size, 'x')
    client.send(bytes)
    ok((await messageOf(client)).equals(bytes))
  }
  const closed = closeCodeOf(client)
  for (const socket of upstream.clients) socket.close(4_000)
  equal(await closed, 4_000)
  await eventually(async () => (await metric(gateway, 'headgate_tunnels_open')) === 0)
  equal((await gateway.stop()).exitCode, 0)
})
