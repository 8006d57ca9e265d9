import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import {
  type CertificateFolder,
  certificateFolder,
  type IssuedCertificate,
  type TestAuthority,
} from '../../test/support/certificates.ts'
import { KeyTable } from '../accounts/private-keys.ts'
import { readSecretFile } from '../accounts/vaults/read-secret-file.ts'
import { type CertificateSpec, certificate } from '../kinds/certificate.ts'
import type { Resource } from '../kinds/define-kind.ts'
import { certificatePaths, loadCertificates } from './certificates.ts'

let files: CertificateFolder
let authority: TestAuthority
let shop: IssuedCertificate

before(() => {
  files = certificateFolder()
  authority = files.authority('Test Authority')
  shop = authority.issue({ commonName: 'shop', sans: ['DNS:shop.example', 'DNS:*.shop.example'] })
})
after(() => files.remove())

function resource(name: string, spec: CertificateSpec): Resource {
  const checked = certificate.expand(certificate.spec.parse(spec))
  return { kind: 'Certificate', name, workspace: 'default', labels: {}, spec: checked }
}

const load = (resources: readonly Resource[], env: Record<string, string> = {}) =>
  loadCertificates(resources, {
    env,
    readFile: readSecretFile,
    baseFolder: files.folder,
    wallMs: () => Date.now(),
  })

const pairOf = ({ certFile, keyFile }: IssuedCertificate) => ({ certFile, keyFile })

test('names, dates and issuer are read from the certificate, the key from file or environment', async () => {
  const { certificates, keys, problems, warnings } = await load(
    [
      resource('a', pairOf(shop)),
      resource('b', { certFile: shop.certFile, key: 'env:KEY', usage: 'Client' }),
    ],
    { KEY: shop.keyPem },
  )
  deepEqual([...problems, ...warnings], [])
  const loaded = certificates.get('a')
  deepEqual(loaded?.names, ['shop.example', '*.shop.example'])
  equal(loaded?.issuer, 'O=Test, CN=Test Authority')
  equal(keys.get('b')?.pem.trim(), shop.keyPem.trim())
})

test('no way of printing a key shows it', async () => {
  const { keys } = await load([resource('a', pairOf(shop))])
  const secret = shop.keyPem.split('\n')[1] ?? ''
  for (const holder of [keys, keys.get('a'), new KeyTable(keys)]) {
    const texts = [inspect(holder, { depth: 9, showHidden: true }), JSON.stringify(holder)]
    for (const text of texts) ok(!text.includes(secret), text)
  }
  equal(new KeyTable(structuredClone(keys)).pemOf('a')?.trim(), shop.keyPem.trim())
})

test('each mistake has a code and a place, and shows no part of a key', async () => {
  const other = authority.issue({ commonName: 'other' })
  await writeFile(join(files.folder, 'garbage.pem'), 'nothing of the kind')
  const encrypted = 'encrypted.key'
  execFileSync(
    'openssl',
    ['ec', '-aes256', '-passout', 'pass:secret', '-in', shop.keyFile, '-out', encrypted],
    {
      cwd: files.folder,
      stdio: 'ignore',
    },
  )
  const { certFile, keyFile } = shop
  const cases: [CertificateSpec, string, string, RegExp][] = [
    [{ certFile: 'no.crt', keyFile }, 'config.unreadable', 'certFile', /ENOENT/],
    [{ certFile: '.', keyFile }, 'config.unreadable', 'certFile', /not a regular file/],
    [{ certFile: 'garbage.pem', keyFile }, 'config.certificate_invalid', 'certFile', /PEM/],
    [{ certFile, keyFile: 'no.key' }, 'config.secret_unresolved', 'keyFile', /ENOENT/],
    [{ certFile, keyFile: 'garbage.pem' }, 'config.secret_unresolved', 'keyFile', /no private key/],
    [{ certFile, keyFile: encrypted }, 'config.secret_unresolved', 'keyFile', /encrypted/],
    [{ certFile, key: 'env:MISSING' }, 'config.secret_unresolved', 'key', /not set/],
    [{ certFile, keyFile: other.keyFile }, 'config.certificate_mismatch', 'keyFile', /another/],
  ]
  for (const [spec, code, place, message] of cases) {
    const { certificates, keys, problems } = await load([
      resource('bad', { ...spec, ...resolved(spec) }),
      resource('good', pairOf(shop)),
    ])
    deepEqual([...certificates.keys()], ['good'])
    deepEqual([...keys.keys()], ['good'])
    equal(problems.length, 1)
    deepEqual([problems[0]?.code, problems[0]?.path], [code, [place]])
    match(problems[0]?.message ?? '', message)
    ok(!inspect(problems).includes('BEGIN'))
  }
})

/** Production resolves relative keys against the definition before it comes here. */
function resolved({ keyFile }: CertificateSpec): Partial<CertificateSpec> {
  return keyFile === undefined
    ? {}
    : { keyFile: keyFile.startsWith('/') ? keyFile : join(files.folder, keyFile) }
}

test('an expired certificate, a name taken twice and TLS without a certificate are warnings', async () => {
  const late = authority.issue({ commonName: 'late', sans: ['DNS:late.example'], days: -1 })
  const gateway: Resource = {
    kind: 'Gateway',
    name: 'default',
    workspace: 'default',
    labels: {},
    spec: { tls: { minVersion: 'Tls13' } },
  }
  const { certificates, problems, warnings } = await load([
    resource('a', pairOf(shop)),
    resource('b', { ...pairOf(shop), hosts: ['SHOP.example'] }),
    resource('late', pairOf(late)),
    gateway,
  ])
  deepEqual(problems, [])
  deepEqual([...certificates.keys()], ['a', 'b', 'late'])
  deepEqual(
    warnings.map(({ code, object }) => `${code} ${object}`),
    ['config.certificate_expired Certificate/late', 'config.certificate_name_taken Certificate/b'],
  )
  const alone = await load([gateway, resource('c', { ...pairOf(shop), usage: 'Client' })])
  deepEqual(
    alone.warnings.map(({ code, object }) => `${code} ${object}`),
    ['config.no_effect Gateway/default'],
  )
})

test('every file that is read is watched', () => {
  const paths = certificatePaths(
    [
      resource('a', { certFile: 'a.crt', key: 'file:a.key' }),
      resource('b', { certFile: '/b', key: 'env:B' }),
    ],
    '/etc/headgate',
  )
  deepEqual(paths, ['/etc/headgate/a.crt', '/etc/headgate/a.key', '/b'])
})
