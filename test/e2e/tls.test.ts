import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { copyFile, readFile } from 'node:fs/promises'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from 'node:http'
import { Agent, createServer as createTlsServer, request, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { connect as connectTls, type ConnectionOptions, TLSSocket } from 'node:tls'
import {
  type CertificateFolder,
  certificateFolder,
  type IssuedCertificate,
  type TestAuthority,
} from '../support/certificates.ts'
import { eventually, within } from '../support/eventually.ts'
import { type Workbench, workbench } from '../support/headgate-process.ts'
import { resourcesOfYaml } from '../support/resources.ts'
import { stepsOf } from './support/document.ts'
import { type Gateway, startGateway } from './support/gateway.ts'

let files: CertificateFolder
let authority: TestAuthority
let shop: IssuedCertificate
let app: IssuedCertificate

before(() => {
  files = certificateFolder()
  authority = files.authority('Test Authority')
  shop = authority.issue({ commonName: 'shop', sans: ['DNS:shop.example'] })
  app = authority.issue({ commonName: 'app', sans: ['URI:spiffe://test/app'] })
})
after(() => files.remove())

function tlsPort(gateway: Gateway): number {
  const [, port = ''] = /TLS https:\/\/127\.0\.0\.1:(\d+)/.exec(gateway.servingAs) ?? []
  ok(port !== '', gateway.servingAs)
  return Number(port)
}

/** Certificate and key as `shop.crt` and `shop.key` beside the configuration. */
async function install(bench: Workbench, pair: IssuedCertificate): Promise<void> {
  await copyFile(pair.keyFile, join(bench.cwd, 'shop.key'))
  await copyFile(pair.certFile, join(bench.cwd, 'shop.crt'))
}

type Answer = {
  readonly status: number
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

function get(port: number, options: RequestOptions = {}): Promise<Answer> {
  const asking = new Promise<Answer>((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        servername: 'shop.example',
        ca: authority.pem,
        agent: new Agent({ keepAlive: false, maxCachedSessions: 0 }),
        ...options,
      },
      (answer) => {
        let body = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          body += chunk
        })
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }),
        )
      },
    )
    asked.on('error', reject)
    asked.end()
  })
  return within(asking, () => `an answer from port ${port}`)
}

async function echo(
  t: TestContext,
  make: (answer: (request: IncomingMessage) => string) => Server = (answer) =>
    createServer((request, response) => response.end(answer(request))),
): Promise<number> {
  const server = make((request) => JSON.stringify(request.headers))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function config(upstreamUrl: string, more: { tls?: string; version?: string } = {}): string {
  return `version: 1
gateway: { tls: { listen: "127.0.0.1:0"${more.tls ?? ''} } }
certificates:
  - { name: shop, certFile: shop.crt, keyFile: shop.key }
upstreams:
  - name: books
    versions: { v1: { url: "${upstreamUrl}"${more.version ?? ''} } }
routes:
  - { name: books, match: { path: "/**" }, to: books }
`
}

const fromFile = { argv: ['-c', 'headgate.yaml'] }

test('every configuration of the guide is valid', async () => {
  const guide = new URL('../../docs/how-to/terminate-tls.md', import.meta.url)
  const blocks = stepsOf(await readFile(guide, 'utf8')).flatMap((step) =>
    step.type === 'yaml' ? [step.text] : [],
  )
  ok(blocks.length >= 4)
  for (const text of blocks) ok(resourcesOfYaml(text).length >= 3)
})

test('TLS is served on its own port, and upstreams learn that it was https', async (t) => {
  const bench = await workbench(t)
  await install(bench, shop)
  await bench.write('headgate.yaml', config(`http://127.0.0.1:${await echo(t)}`))
  const gateway = await startGateway(bench, fromFile)
  const { status, body } = await get(tlsPort(gateway), {
    headers: { 'client-cert': ':forged:', 'x-forwarded-proto': 'http' },
  })
  equal(status, 200)
  equal(JSON.parse(body)['x-forwarded-proto'], 'https')
  equal(JSON.parse(body)['client-cert'], undefined)
  const { body: object, text } = await gateway.admin('GET', '/api/v1/certificates/shop')
  deepEqual([...(object.status?.names ?? [])], ['shop.example'])
  ok(!text.includes('PRIVATE'))
  const { text: metrics } = await gateway.admin('GET', '/metrics')
  match(metrics, /headgate_tls_handshakes_total 1\n/)
  equal((await gateway.stop()).exitCode, 0)
  ok(!gateway.stdout().includes('PRIVATE') && !gateway.stderr().includes('PRIVATE'))
})

test('a certificate is renewed under load without a failed request', async (t) => {
  const bench = await workbench(t)
  await install(bench, shop)
  await bench.write('headgate.yaml', config(`http://127.0.0.1:${await echo(t)}`))
  const gateway = await startGateway(bench, fromFile)
  const port = tlsPort(gateway)
  const standing = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => standing.destroy())
  const seen = new Set<string>()
  const failures: unknown[] = []
  let isOver = false
  let standingCount = 0
  const load = async (agent?: Agent) => {
    while (!isOver) {
      const options: RequestOptions = agent === undefined ? {} : { agent }
      const answer = await get(port, {
        ...options,
        checkServerIdentity: (_, { subject }) => {
          seen.add(String(subject.CN))
          return undefined
        },
      }).catch((thrown) => void failures.push(thrown))
      if (answer !== undefined && answer.status !== 200) failures.push(answer.status)
      if (agent !== undefined) standingCount++
    }
  }
  const loads = [load(), load(), load(standing)]
  await eventually(() => seen.has('shop') && standingCount > 0, 'the first certificate to be seen')
  for (const name of ['second', 'third']) {
    await install(bench, authority.issue({ commonName: name, sans: ['DNS:shop.example'] }))
    await eventually(() => seen.has(name), `the certificate ${name} to be shown`)
  }
  const countAtEnd = standingCount
  await eventually(() => standingCount > countAtEnd + 5, 'the standing connection to go on')
  isOver = true
  await Promise.all(loads)
  deepEqual(failures, [])
})

test('the port for TLS opens with the first certificate, and a taken one changes nothing', async (t) => {
  const bench = await workbench(t)
  await install(bench, shop)
  const upstream = await echo(t)
  const text = config(`http://127.0.0.1:${upstream}`)
  await bench.write('headgate.yaml', text.replace(/certificates:\n.*\n/, ''))
  const gateway = await startGateway(bench, fromFile)
  ok(!gateway.servingAs.includes('TLS'))
  const free = await echo(t, () => createServer())
  await bench.write('headgate.yaml', text.replace('127.0.0.1:0', `127.0.0.1:${free}`))
  await gateway.said(/keeps serving: .*another process listens there/)
  equal((await fetch(`${gateway.url}/books`)).status, 200)
  const port = await unusedPort()
  await bench.write('headgate.yaml', text.replace('127.0.0.1:0', `127.0.0.1:${port}`))
  await eventually(() => gateway.stderr().includes('1 created'), 'the certificate to be taken up')
  equal((await get(port)).status, 200)
  await bench.write('headgate.yaml', text.replace(/certificates:\n.*\n/, ''))
  await eventually(() => gateway.stderr().includes('1 deleted'), 'the certificate to be gone')
  ok((await get(port).catch((thrown) => thrown)) instanceof Error)
})

async function unusedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('half of a renewal is not used: the pair before it serves on, and the status says so', async (t) => {
  const bench = await workbench(t)
  await install(bench, shop)
  await bench.write('headgate.yaml', config(`http://127.0.0.1:${await echo(t)}`))
  const gateway = await startGateway(bench, fromFile)
  const other = authority.issue({ commonName: 'other', sans: ['DNS:shop.example'] })
  await copyFile(other.certFile, join(bench.cwd, 'shop.crt'))
  await gateway.said(/reloaded: revision 1/)
  equal((await get(tlsPort(gateway))).status, 200)
  const { body } = await gateway.admin('GET', '/api/v1/certificates/shop')
  const loaded = [...(body.status?.conditions ?? [])].find(({ type }) => String(type) === 'Loaded')
  equal(String(loaded?.reason), 'Stale')
  match(String(loaded?.message), /key of another certificate/)
})

test('clients with a certificate are known to policies and upstreams, others are refused', async (t) => {
  const bench = await workbench(t)
  await install(bench, shop)
  await copyFile(authority.certFile, join(bench.cwd, 'clients.crt'))
  const tls = ', clientCertificates: { mode: Required, caFile: clients.crt, forward: ClientCert }'
  const text = config(`http://127.0.0.1:${await echo(t)}`, { tls }).replace(
    'to: books }',
    'to: books, policies: [{ headers: { request: { set: { x-who: "{client.certificate.sans}" } } } }] }',
  )
  await bench.write('headgate.yaml', text)
  const gateway = await startGateway(bench, fromFile)
  const port = tlsPort(gateway)
  const client = { cert: app.pem, key: app.keyPem }
  const { body } = await get(port, { ...client, headers: { 'client-cert': ':forged:' } })
  equal(JSON.parse(body)['x-who'], 'URI:spiffe://test/app')
  const der = app.pem.replace(/-----[A-Z ]+-----|\s/g, '')
  equal(JSON.parse(body)['client-cert'], `:${der}:`)
  ok((await get(port).catch((thrown) => thrown)) instanceof Error)
  const { text: metrics } = await gateway.admin('GET', '/metrics')
  match(metrics, /handshakes_refused_total\{reason="certificate_missing"\} 1/)
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: every worker resumes the sessions of the others`, async (t) => {
    const bench = await workbench(t)
    await install(bench, shop)
    await bench.write('headgate.yaml', config(`http://127.0.0.1:${await echo(t)}`))
    const gateway = await startGateway(bench, { ...fromFile, workers: 3 })
    const port = tlsPort(gateway)
    const limits = { minVersion: version, maxVersion: version } as const
    const { session } = await visit(port, limits)
    ok(session !== undefined)
    // The kernel deals connections to workers: of this many, hardly all go to the one that began it.
    for (let count = 0; count < 12; count++) {
      equal((await visit(port, { ...limits, session })).isResumed, true)
    }
  })
}

function visit(port: number, more: ConnectionOptions) {
  const visiting = new Promise<{ session: Buffer | undefined; isResumed: boolean }>(
    (resolve, reject) => {
      let session: Buffer | undefined
      const socket = connectTls({
        host: '127.0.0.1',
        port,
        ca: authority.pem,
        servername: 'shop.example',
        ...more,
      })
      socket.on('session', (fresh: Buffer) => {
        session = fresh
      })
      socket.on('error', reject)
      socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n'))
      socket.on('data', () => {
        resolve({ session, isResumed: socket.isSessionReused() })
        socket.destroy()
      })
    },
  )
  return within(visiting, () => 'an answer over TLS')
}

test('mistakes with certificates are told with their place and their reason', async (t) => {
  const bench = await workbench(t)
  await install(bench, shop)
  await copyFile(app.keyFile, join(bench.cwd, 'shop.key'))
  await bench.write('headgate.yaml', config('http://127.0.0.1:7001'))
  const mixed = await bench.run([
    'run',
    '-c',
    'headgate.yaml',
    '--listen',
    '127.0.0.1:0',
    '--data',
    'refused',
  ])
  equal(mixed.exitCode === 0, false)
  match(mixed.stderr, /headgate\.yaml:4:\d+.*keyFile.*key of another certificate/s)
  await bench.write('shop.crt', 'no certificate')
  const garbage = await bench.run([
    'run',
    '-c',
    'headgate.yaml',
    '--listen',
    '127.0.0.1:0',
    '--data',
    'refused',
  ])
  match(garbage.stderr, /certFile.*holds no certificate in PEM form/s)
  await install(bench, authority.issue({ commonName: 'late', days: -3 }))
  const gateway = await startGateway(bench, fromFile)
  const { body } = await gateway.admin('GET', '/api/v1/certificates/shop')
  const valid = [...(body.status?.conditions ?? [])].find(({ type }) => String(type) === 'Valid')
  equal(String(valid?.status), 'False')
})

test('upstream certificates are verified: self-signed only by caFile, names only as they are', async (t) => {
  const bench = await workbench(t)
  await install(bench, shop)
  const own = files.selfSigned({ commonName: 'books', sans: ['DNS:books.internal'] })
  await copyFile(own.certFile, join(bench.cwd, 'books.crt'))
  const port = await echo(t, (answer) =>
    createTlsServer({ cert: own.pem, key: own.keyPem }, (request, response) =>
      response.end(answer(request)),
    ),
  )
  const url = `https://127.0.0.1:${port}`
  const named = ', tls: { serverName: books.internal'
  const tries = [
    {
      version: `${named} }`,
      status: 502,
      message: /self-signed certificate; name it as `tls\.caFile`/,
    },
    {
      version: ', tls: { caFile: books.crt }',
      status: 502,
      message: /not for .*DNS:books\.internal/,
    },
    { version: `${named}, caFile: books.crt }`, status: 200, message: /x-forwarded-proto/ },
    { version: ', tls: { verify: Off }', status: 200, message: /x-forwarded-proto/ },
  ]
  await bench.write('headgate.yaml', config(url))
  const gateway = await startGateway(bench, fromFile)
  for (const { version, status, message } of tries) {
    await bench.write('headgate.yaml', config(url, { version }))
    await gateway.admin('POST', '/api/v1/reload')
    const answer = await get(tlsPort(gateway))
    equal(answer.status, status, answer.body)
    match(answer.body, message)
    if (status === 502) match(answer.body, /upstream\.tls_failed/)
  }
})

test('an upstream that demands a client certificate gets ours', async (t) => {
  const bench = await workbench(t)
  await install(bench, shop)
  await copyFile(authority.certFile, join(bench.cwd, 'ca.crt'))
  const books = authority.issue({ commonName: 'books', sans: ['IP:127.0.0.1'] })
  const options = { cert: books.pem, key: books.keyPem, ca: authority.pem, requestCert: true }
  let resumedCount = 0
  const port = await echo(t, (answer) =>
    createTlsServer({ ...options, rejectUnauthorized: true }, (request, response) => {
      if (request.socket instanceof TLSSocket && request.socket.isSessionReused()) resumedCount += 1
      response.setHeader('connection', 'close')
      response.end(answer(request))
    }),
  )
  const url = `https://127.0.0.1:${port}`
  await bench.write('client.crt', app.pem)
  await bench.write('client.key', await readFile(app.keyFile, 'utf8'))
  const client =
    '  - { name: towards-books, certFile: client.crt, key: "file:client.key", usage: Client }\nupstreams:'
  const text = (more: string) =>
    config(url, { version: `, tls: { caFile: ca.crt${more} }` }).replace('upstreams:', client)
  await bench.write('headgate.yaml', text(''))
  const gateway = await startGateway(bench, fromFile)
  const without = await get(tlsPort(gateway))
  equal(without.status, 502)
  match(without.body, /upstream\.tls_failed.*client certificate/)
  await bench.write('headgate.yaml', text(', clientCertificateRef: towards-books'))
  await gateway.admin('POST', '/api/v1/reload')
  for (let count = 0; count < 4; count++) equal((await get(tlsPort(gateway))).status, 200)
  // Each of the two workers remembers its own sessions.
  ok(resumedCount >= 2, `${resumedCount} of 4 sessions were resumed`)
})
