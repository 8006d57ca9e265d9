import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { seededRandom } from '../../src/base/random.ts'
import { workbench } from '../support/headgate-process.ts'
import { expectNoStackTrace, type Gateway, startGateway } from './support/gateway.ts'
import { startLoad } from './support/load.ts'
import { startUpstream } from './support/upstream.ts'

type BadStart = {
  readonly argv?: readonly string[]
  readonly env?: Record<string, string>
  readonly says: RegExp
}

const badStarts: readonly BadStart[] = [
  { argv: ['rnu'], says: /unknown command `rnu`[\s\S]*try: .*run/ },
  { argv: ['run', '--lisen', '1'], says: /--lisen[\s\S]*try: / },
  { argv: ['run', '--listen'], says: /--listen/ },
  {
    argv: ['run', '--listen', '8080'],
    says: /--listen` `8080` is not HOST:PORT; write for example/,
  },
  { argv: ['run', '--listen', '127.0.0.1:99999'], says: /99999/ },
  { argv: ['run', '--listen', 'no-such-host.invalid:0'], says: /no-such-host\.invalid/ },
  { argv: ['run', '--workers', '0'], says: /--workers[\s\S]*1 to 256/ },
  { argv: ['run', '--workers', '1e3'], says: /--workers/ },
  { argv: ['run', '--drain', 'soon'], says: /--drain[\s\S]*30s/ },
  { argv: ['run', '--upstream', 'ftp://books'], says: /--upstream[\s\S]*http/ },
  { argv: ['run', '--upstream', 'http://u:p@books'], says: /--upstream/ },
  { argv: ['run', '--upstream', 'http://127.0.0.1:1', '-c', 'x.yaml'], says: /exclude each other/ },
  { argv: ['run', 'unexpected'], says: /unexpected|too many arguments/ },
  { env: { HEADGATE_LISTEN: 'nonsense' }, says: /HEADGATE_LISTEN|--listen/ },
  { env: { HEADGATE_WORKERS: '-1' }, says: /HEADGATE_WORKERS|--workers/ },
  { env: { HEADGATE_DRAIN: '\u0007' }, says: /HEADGATE_DRAIN|--drain/ },
  { env: { HEADGATE_UPSTREAM: '::::' }, says: /HEADGATE_UPSTREAM|--upstream/ },
  { env: { HEADGATE_OWNER_TOKEN: 'short' }, says: /HEADGATE_OWNER_TOKEN|owner token/i },
  { argv: ['validate', 'missing.yaml'], says: /missing\.yaml/ },
  { argv: ['get', 'rutes'], says: /rutes[\s\S]*routes/ },
  { argv: ['get', 'routes', '--server', 'http://127.0.0.1:1'], says: /127\.0\.0\.1:1/ },
  { argv: ['upstream', 'split', 'books', 'v1=300%'], says: /300%/ },
]

test('bad flags and variables end in a message with a next step', async (t) => {
  const bench = await workbench(t)
  const queue = [...badStarts]
  const lane = async () => {
    for (let start = queue.pop(); start !== undefined; start = queue.pop()) {
      const {
        argv = ['run', '--admin', '127.0.0.1:0', '--data', `d${queue.length}`],
        env = {},
        says,
      } = start
      const { exitCode, stdout, stderr } = await bench.run(argv, { env })
      const what = `${JSON.stringify(env)} ${argv.join(' ')} → ${exitCode}\n${stderr}`
      ok(exitCode !== null && exitCode > 0 && exitCode < 124, what)
      match(stderr, says, what)
      match(stderr, /\ntry: \S/, what)
      equal(stdout, '', what)
      expectNoStackTrace(stderr)
    }
  }
  await Promise.all([lane(), lane(), lane()])
})

const garbage: readonly string[] = [
  '',
  '\u0000\u0001\u0002',
  '\uFEFFversion: 1\nroutes: 5\n',
  'version: 2\n',
  'version: [1\n',
  'just a sentence',
  '- a\n- list\n',
  'version: 1\nroutes:\n\t- tab\n',
  'version: 1\nversion: 1\n',
  'a: &a [*a]\n',
  `a: &a [${'"x",'.repeat(50)}]\nb: &b [${'*a,'.repeat(50)}]\nc: &c [${'*b,'.repeat(50)}]\nd: [${'*c,'.repeat(50)}]\n`,
  `version: 1\nroutes: ${'['.repeat(5_000)}\n`,
  'version: 1\nroutes: [{ name: "UPPER", to: a }]\n',
  'version: 1\nroutes: [{ name: a, match: { path: "a//{" }, to: 7 }]\n',
  'version: 1\nupstreams: [{ name: a, url: "javascript:alert(1)" }]\n',
  'version: 1\nupstreams: [{ name: a, split: { weights: { v1: 50%, v2: 60% } } }]\n',
  'version: 1\naccounts: [{ name: a, bearer: { token: "file:/etc/../../nowhere" } }]\n',
  'version: 1\n__proto__: { polluted: true }\nconstructor: 1\n',
  'version: 1\nroutes: [{ name: __proto__, respond: { status: 200 } }]\n',
  '!!js/function "x"\n',
  '%YAML 9.9\n---\nversion: 1\n',
  'version: 1\n---\nversion: 1\n',
  '{"version": 1, "routes": [',
]

async function start(t: TestContext, argv: readonly string[] = []) {
  const bench = await workbench(t)
  const upstream = await startUpstream(t, 'only')
  await bench.write('good.yaml', `version: 1\nroutes: [{ name: all, to: "${upstream.url}" }]\n`)
  const gateway = await startGateway(bench, { argv })
  return { bench, upstream, gateway }
}

async function expectServing(gateway: Gateway): Promise<void> {
  const load = await startLoad({ url: gateway.url, requestsMax: 40 }).ended
  deepEqual(load.failed, [])
  equal(load.ok, 40)
  const workers = await gateway.admin('GET', '/api/v1/workers')
  deepEqual(
    [...(workers.body.items ?? [])].map(({ restarts, state }) => `${state} ${restarts}`),
    ['serving 0', 'serving 0'],
  )
}

test('a first start that fails keeps no owner token that nobody has seen', async (t) => {
  const bench = await workbench(t)
  await bench.write('headgate.yaml', 'version: 1\nroutes: 5\n')
  const refused = await bench.run(['run', '--admin', '127.0.0.1:0'])
  equal(refused.exitCode, 3, refused.stderr)
  await bench.write(
    'headgate.yaml',
    'version: 1\nroutes: [{ name: a, respond: { status: 204 } }]\n',
  )
  const gateway = await startGateway(bench, { workers: 1 })
  match(gateway.token, /^hgt_/)
  equal((await gateway.admin('GET', '/api/v1/routes')).status, 200)
})

test('YAML garbage in a served file is refused each time, and the good one keeps serving', async (t) => {
  const { bench, gateway } = await start(t, ['-c', 'good.yaml'])
  for (const [index, text] of garbage.entries()) {
    await bench.write('good.yaml', `${text}\n# ${index}\n`)
    const reloaded = await gateway.admin('POST', '/api/v1/reload')
    ok(
      reloaded.status >= 400 && reloaded.status < 500,
      `${text}: ${reloaded.status} ${reloaded.text}`,
    )
    equal(reloaded.headers.get('content-type'), 'application/problem+json')
    match(String(reloaded.body.code), /^config\./)
  }
  await expectServing(gateway)
  const { stderr, exitCode } = await gateway.stop()
  equal(exitCode, 0)
  expectNoStackTrace(stderr)
})

const badCalls: readonly (readonly [
  method: string,
  path: string,
  body?: string,
  headers?: Record<string, string>,
])[] = [
  ['GET', '/api/v1/nothing'],
  ['GET', '/api/v1/routes/%00'],
  ['GET', '/api/v1/routes/..%2f..%2fetc'],
  ['GET', '/api/v1/routes?limit=-1'],
  ['GET', '/api/v1/routes?limit=999999999999'],
  ['GET', '/api/v1/routes?after=garbage'],
  ['GET', '/api/v1/routes?unknown=1'],
  ['GET', '/api/v1/revisions/99999999999999999999'],
  ['GET', '/api/v1/revisions/1/diff?against=x'],
  ['GET', '/api/v1/events?kind=Nothing'],
  ['DELETE', '/api/v1/gateways/default'],
  ['POST', '/api/v1/routes'],
  ['PUT', '/api/v1/routes/a', '{'],
  ['PUT', '/api/v1/routes/a', '[]'],
  ['PUT', '/api/v1/routes/a', 'null'],
  ['PUT', '/api/v1/routes/a', '"text"'],
  ['PUT', '/api/v1/routes/a', '{"spec":{"to":1e999}}'],
  ['PUT', '/api/v1/routes/a', '{"spec":{"to":"a"},"spec":{"to":"b"}}'],
  ['PUT', '/api/v1/routes/a', '{"__proto__":{"x":1},"spec":{}}'],
  ['PUT', '/api/v1/routes/a', '{"spec":{"match":{"path":"\\ud800"},"to":"a"}}'],
  ['PUT', '/api/v1/routes/a', `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
  ['PUT', '/api/v1/routes/a', '{"spec":{}}', { 'content-type': 'text/plain' }],
  ['PUT', '/api/v1/routes/a', '{"spec":{"respond":{"status":204}}}', { 'if-match': 'garbage' }],
  ['PUT', '/api/v1/routes/NAME', '{"spec":{"respond":{"status":204}}}'],
  ['PATCH', '/api/v1/routes/none', '{"spec":null}', { 'if-match': '*' }],
  ['POST', '/api/v1/apply', '{"puts":[{"kind":"Nothing","name":"a","spec":{}}]}'],
  ['POST', '/api/v1/apply', '{"puts":5}'],
  ['POST', '/api/v1/apply', 'version: [', { 'content-type': 'application/yaml' }],
  ['POST', '/api/v1/apply', '\u0000', { 'content-type': 'application/yaml' }],
  ['POST', '/api/v1/upstreams/none:setSplit', '{"weights":{"v1":"100%"}}'],
  ['POST', '/api/v1/upstreams/none:explode', '{}'],
  ['POST', '/api/v1/revisions/0:revert', '{}'],
  ['POST', '/api/v1/route-test', '{"url":"http://["}'],
  ['POST', '/api/v1/route-test', '{"url":"http://a/","headers":{"a b":"\\r\\n"}}'],
  ['PROPFIND', '/api/v1/routes'],
]

test('garbage for the admin API is refused with a problem document each time', async (t) => {
  const { bench, gateway } = await start(t)
  const applied = await bench.run(['apply', '-c', 'good.yaml', '--yes'], {
    env: { HEADGATE_SERVER: gateway.adminUrl, HEADGATE_TOKEN: gateway.token },
  })
  equal(applied.exitCode, 0, applied.stderr)
  for (const [method, path, body, headers = {}] of badCalls) {
    const answer = await gateway.admin(method, path, body, headers)
    const what = `${method} ${path} ${body?.slice(0, 60)} → ${answer.status} ${answer.text.slice(0, 400)}`
    ok(answer.status >= 400 && answer.status < 500, what)
    equal(answer.headers.get('content-type'), 'application/problem+json', what)
    match(String(answer.body.code), /^[a-z]+\.[a-z_]+$/, what)
    expectNoStackTrace(answer.text)
  }
  const { adminUrl } = gateway
  for (const bytes of wireGarbage(9)) await exchangeRaw(adminUrl, bytes)
  await expectServing(gateway)
  const { stderr, exitCode } = await gateway.stop()
  equal(exitCode, 0)
  expectNoStackTrace(stderr)
})

const wellFormed = 'POST /load?size=3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello'

/** What is wrong in a known way, and seeded noise: bytes changed, cut, doubled, and pure chance. */
function wireGarbage(seed: number): Buffer[] {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random.fraction() * limit)
  const known = [
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\nHost: a\n\n',
    'GET / HTTP/9.9\r\nHost: a\r\n\r\n',
    'GET  / HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n',
    'GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET /%2e%2e/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n',
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\n${'x: y\r\n'.repeat(2_000)}\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\r\n'.repeat(10_000),
  ].map((text) => Buffer.from(text, 'latin1'))
  const noise = Array.from({ length: 120 }, (_, index) => {
    const bytes = Buffer.from(wellFormed)
    if (index % 4 === 0)
      return Buffer.from(Array.from({ length: 1 + below(300) }, () => below(256)))
    if (index % 4 === 1) return bytes.subarray(0, below(bytes.length))
    for (let change = 0; change <= below(4); change++) bytes[below(bytes.length)] = below(256)
    return index % 4 === 2 ? bytes : Buffer.concat([bytes, bytes.subarray(below(bytes.length))])
  })
  return [...known, ...noise]
}

/** Sends the bytes and FIN, and resolves with what comes until the other side closes. */
function exchangeRaw(url: string, bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let received = ''
    socket.setTimeout(8_000, () => {
      socket.destroy()
      reject(new Error(`neither answered nor closed: ${JSON.stringify(bytes.toString('latin1'))}`))
    })
    socket.on('data', (part) => {
      received += part.toString('latin1')
    })
    // A reset is an answer too: what was sent is not HTTP.
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(received))
    socket.end(bytes)
  })
}

test('garbage on the wire is answered or closed, and everybody else is served on', async (t) => {
  const { gateway, upstream } = await start(t, ['-c', 'good.yaml'])
  const load = startLoad({ url: gateway.url, connections: 4 })
  const queue = [...wireGarbage(1), ...wireGarbage(2)]
  const answers: string[] = []
  const lane = async () => {
    for (let bytes = queue.pop(); bytes !== undefined; bytes = queue.pop()) {
      answers.push(await exchangeRaw(gateway.url, bytes))
    }
  }
  await Promise.all(Array.from({ length: 8 }, lane))
  for (const answer of answers) {
    // The preface of HTTP/2 is no garbage: it is met with a SETTINGS frame.
    const isSettings = answer.startsWith('\u0000\u0000') && answer.charCodeAt(3) === 4
    if (answer !== '' && !isSettings) match(answer, /^HTTP\/1\.1 (?:[1-4]\d\d|50[1245]) /)
    expectNoStackTrace(answer)
  }
  ok(answers.filter((answer) => answer.startsWith('HTTP/1.1 400')).length > 40)
  const result = await load.stop()
  deepEqual(result.failed, [])
  ok(upstream.seen.requests > 0)
  await expectServing(gateway)
  const { stderr, exitCode } = await gateway.stop()
  equal(exitCode, 0)
  expectNoStackTrace(stderr)
})
