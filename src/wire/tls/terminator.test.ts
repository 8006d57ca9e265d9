import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { connect as connectTcp, createServer } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import {
  type CertificateFolder,
  certificateFolder,
  type IssuedCertificate,
  type TestAuthority,
} from '../../../test/support/certificates.ts'
import { eventually, within } from '../../../test/support/eventually.ts'
import type { HandshakeRefusal } from './handshake-refusals.ts'
import { type SecureConnection, TlsTerminator, type TlsSettings } from './terminator.ts'

let files: CertificateFolder
let authority: TestAuthority
let shop: IssuedCertificate
let wildcard: IssuedCertificate
let app: IssuedCertificate

before(() => {
  files = certificateFolder()
  authority = files.authority('Test Authority')
  shop = authority.issue({ commonName: 'shop', sans: ['DNS:shop.example'] })
  wildcard = authority.issue({ commonName: 'wild', sans: ['DNS:*.shop.example'] })
  app = authority.issue({ commonName: 'app', sans: ['DNS:app.example', 'URI:spiffe://test/app'] })
})
after(() => files.remove())

const keys = (fill: number) => new Uint8Array(48).fill(fill)

function settings(more: Partial<TlsSettings> = {}): TlsSettings {
  return {
    certificates: [served(['shop.example'], shop), served(['*.shop.example'], wildcard)],
    minVersion: 'Tls12',
    clientCertificates: { mode: 'Off', caPem: undefined },
    handshakeMs: 5_000,
    handshakesMax: 100,
    ticketKeys: keys(1),
    protocols: ['http/1.1'],
    ...more,
  }
}

function served(hosts: string[], { pem, keyPem }: IssuedCertificate) {
  return { hosts, pem, keyPem }
}

type World = {
  readonly port: number
  readonly terminator: TlsTerminator
  readonly secure: SecureConnection[]
  readonly refused: HandshakeRefusal[]
  wallMs: number
}

/** What is said to a secure connection is told back. */
async function world(t: TestContext, more: Partial<TlsSettings> = {}): Promise<World> {
  const secure: SecureConnection[] = []
  const refused: HandshakeRefusal[] = []
  const terminator = new TlsTerminator(settings(more), {
    wallMs: () => made.wallMs,
    onSecure(connection) {
      secure.push(connection)
      connection.socket.on('error', () => undefined)
      connection.socket.pipe(connection.socket)
    },
    onRefused: (reason) => void refused.push(reason),
  })
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    terminator.accept(socket),
  )
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  t.after(() => {
    server.close()
    for (const { socket } of secure) socket.destroy()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const made: World = { port, terminator, secure, refused, wallMs: Date.now() }
  return made
}

type Visit = {
  readonly socket: TLSSocket
  readonly session: Buffer | undefined
  readonly echo: string
}

/** Connects, says a word, waits for it to come back, closes. */
function visit(port: number, more: ConnectionOptions = {}): Promise<Visit> {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ca: authority.pem,
    servername: 'shop.example',
    ALPNProtocols: ['http/1.1'],
    ...more,
  })
  const visiting = new Promise<Visit>((resolve, reject) => {
    let session: Buffer | undefined
    socket.on('session', (fresh: Buffer) => {
      session = fresh
    })
    socket.on('error', reject)
    socket.on('data', (bytes: Buffer) => {
      resolve({ socket, session, echo: bytes.toString() })
      socket.destroy()
    })
    socket.on('close', () => reject(new Error('closed')))
    socket.on('secureConnect', () => socket.write('hello'))
  })
  return within(visiting, () => 'an answer over TLS')
}

async function nameShownFor(port: number, servername: string): Promise<string> {
  let shown = ''
  const checkServerIdentity: ConnectionOptions['checkServerIdentity'] = (_, { subjectaltname }) => {
    shown = subjectaltname ?? ''
    return undefined
  }
  await visit(port, { servername, checkServerIdentity })
  return shown
}

test('the server name picks the certificate: exact, wildcard for one label, else the first', async (t) => {
  const { port } = await world(t)
  equal(await nameShownFor(port, 'shop.example'), 'DNS:shop.example')
  equal(await nameShownFor(port, 'SHOP.example'), 'DNS:shop.example')
  equal(await nameShownFor(port, 'eu.shop.example'), 'DNS:*.shop.example')
  equal(await nameShownFor(port, 'a.eu.shop.example'), 'DNS:shop.example')
  equal(await nameShownFor(port, 'other.example'), 'DNS:shop.example')
})

test('a client that verifies refuses to talk to a name that no certificate has', async (t) => {
  const { port, refused } = await world(t)
  const error = await visit(port, { servername: 'other.example' }).catch((thrown) => thrown)
  equal(error.code, 'ERR_TLS_CERT_ALTNAME_INVALID')
  // Seen from here the handshake was complete.
  deepEqual(refused, [])
})

test('TLS 1.1 is refused, and TLS 1.2 too where 1.3 is demanded', async (t) => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const { port, refused } = await world(t)
  await visit(port, { maxVersion: 'TLSv1.2' })
  const error = await visit(port, old).catch((thrown) => thrown)
  match(error.code, /ALERT_PROTOCOL_VERSION/)
  deepEqual(refused, ['version'])
  const strict = await world(t, { minVersion: 'Tls13' })
  await visit(strict.port)
  await visit(strict.port, { maxVersion: 'TLSv1.2' }).catch(() => undefined)
  deepEqual(strict.refused, ['version'])
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: a session of one worker is resumed by another with the same ticket keys`, async (t) => {
    const limits = { minVersion: version, maxVersion: version }
    const first = await world(t)
    const second = await world(t)
    const rotated = await world(t, { ticketKeys: keys(2) })
    for (const servername of ['shop.example', 'eu.shop.example']) {
      const { session } = await visit(first.port, { ...limits, servername })
      ok(session !== undefined)
      await visit(second.port, { ...limits, servername, session })
      equal(second.secure.at(-1)?.isResumed, true)
      // Other keys: a whole handshake, and no failure.
      await visit(rotated.port, { ...limits, servername, session })
      equal(rotated.secure.at(-1)?.isResumed, false)
    }
  })

  test(`${version}: client certificates are verified, and known again in a resumed session`, async (t) => {
    const clientCertificates = { mode: 'Required', caPem: authority.pem } as const
    const { port, secure, refused } = await world(t, { clientCertificates })
    const limits = { minVersion: version, maxVersion: version }
    const { session } = await visit(port, { ...limits, cert: app.pem, key: app.keyPem })
    await visit(port, { ...limits, cert: app.pem, key: app.keyPem, ...(session && { session }) })
    deepEqual(
      secure.map(({ isResumed }) => isResumed),
      [false, true],
    )
    for (const { peerCertificate } of secure) {
      equal(peerCertificate?.subject, 'O=Test, CN=app')
      equal(peerCertificate?.issuer, 'O=Test, CN=Test Authority')
      deepEqual(peerCertificate?.sans, ['DNS:app.example', 'URI:spiffe://test/app'])
      match(peerCertificate?.fingerprint256 ?? '', /^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/)
    }
    await visit(port, limits).catch(() => undefined)
    deepEqual(refused, ['certificate_missing'])
    const stranger = files.selfSigned({ commonName: 'stranger' })
    const failed = await visit(port, { ...limits, cert: stranger.pem, key: stranger.keyPem }).catch(
      (thrown) => thrown,
    )
    ok(failed instanceof Error)
    await eventually(() => refused.length === 2, 'the stranger to be refused')
    deepEqual(refused, ['certificate_missing', 'certificate_untrusted'])
    equal(secure.length, 2)
  })
}

test('where a client certificate is optional none is fine, and a bad one is not', async (t) => {
  const clientCertificates = { mode: 'Optional', caPem: authority.pem } as const
  const { port, secure, refused } = await world(t, { clientCertificates })
  const none = await visit(port)
  await visit(port, { ...(none.session && { session: none.session }) })
  await visit(port, { cert: app.pem, key: app.keyPem })
  deepEqual(
    secure.map(({ peerCertificate }) => peerCertificate?.subject),
    [undefined, undefined, 'O=Test, CN=app'],
  )
  const expired = authority.issue({ commonName: 'late', days: -1 })
  const stranger = files.selfSigned({ commonName: 'stranger' })
  for (const { pem, keyPem } of [expired, stranger]) {
    const failed = await visit(port, { cert: pem, key: keyPem }).catch((thrown) => thrown)
    ok(failed instanceof Error)
  }
  deepEqual(refused, ['certificate_untrusted', 'certificate_untrusted'])
})

test('a session is worth nothing once its client certificate has expired or its authority has changed', async (t) => {
  const clientCertificates = { mode: 'Required', caPem: authority.pem } as const
  const made = await world(t, { clientCertificates })
  const client = { cert: app.pem, key: app.keyPem }
  const { session } = await visit(made.port, client)
  ok(session !== undefined)
  const yearMs = 366 * 86_400_000
  made.wallMs += yearMs
  ok((await visit(made.port, { ...client, session }).catch((thrown) => thrown)) instanceof Error)
  deepEqual(made.refused, ['certificate_untrusted'])
  made.wallMs -= yearMs
  const other = files.authority('Other Authority')
  made.terminator.renew(settings({ clientCertificates: { mode: 'Required', caPem: other.pem } }))
  ok((await visit(made.port, { ...client, session }).catch((thrown) => thrown)) instanceof Error)
  await eventually(() => made.refused.length === 2, 'the old session to be refused')
  equal(made.secure.length, 1)
})

test('a renewed certificate is shown to the next client, and connections that stand go on', async (t) => {
  const { port, terminator, secure } = await world(t)
  const standing = connectTls({
    host: '127.0.0.1',
    port,
    ca: authority.pem,
    servername: 'shop.example',
  })
  t.after(() => standing.destroy())
  await within(new Promise((resolve) => standing.once('secureConnect', resolve)), () => 'TLS')
  const renewed = authority.issue({ commonName: 'renewed', sans: ['DNS:shop.example'] })
  terminator.renew(settings({ certificates: [served(['shop.example'], renewed)] }))
  const { socket } = await visit(port, {
    checkServerIdentity: (_, { subject }) => {
      equal(subject.CN, 'renewed')
      return undefined
    },
  })
  ok(socket.destroyed)
  const echo = new Promise((resolve) => standing.once('data', resolve))
  standing.write('still here')
  equal(String(await within(echo, () => 'an echo')), 'still here')
  equal(secure.length, 2)
})

test('what cannot be used is refused, and the certificates before it stay', async (t) => {
  const { port, terminator } = await world(t)
  let thrown: unknown
  try {
    const mixed = { hosts: ['shop.example'], pem: shop.pem, keyPem: wildcard.keyPem }
    terminator.renew(settings({ certificates: [mixed] }))
  } catch (error) {
    thrown = error
  }
  match(String(thrown), /key values mismatch/)
  equal(await nameShownFor(port, 'shop.example'), 'DNS:shop.example')
})

test('a slow handshake is cut off, and counts against the maximum until then', async (t) => {
  const { port, refused, terminator } = await world(t, { handshakeMs: 150, handshakesMax: 1 })
  const slow = connectTcp({ host: '127.0.0.1', port })
  slow.on('error', () => undefined)
  // The beginning of a ClientHello and no more of it.
  slow.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))
  await eventually(() => terminator.handshakeCount === 1, 'the handshake to begin')
  await visit(port).catch(() => undefined)
  deepEqual(refused, ['too_many'])
  await within(
    new Promise((resolve) => slow.once('close', resolve)),
    () => 'the slow one to be cut off',
  )
  deepEqual(refused, ['too_many', 'timeout'])
  await eventually(() => terminator.handshakeCount === 0, 'the place to be free')
  equal((await visit(port)).echo, 'hello')
})

test('plain HTTP and an unknown application protocol are refused by their reason', async (t) => {
  const { port, refused } = await world(t)
  const plain = connectTcp({ host: '127.0.0.1', port })
  plain.on('error', () => undefined)
  plain.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n')
  await within(new Promise((resolve) => plain.once('close', resolve)), () => 'the end')
  await visit(port, { ALPNProtocols: ['h2'] }).catch(() => undefined)
  deepEqual(refused, ['not_tls', 'protocol'])
  const { socket } = await visit(port, { ALPNProtocols: ['h2', 'http/1.1'] })
  equal(socket.alpnProtocol, 'http/1.1')
})
