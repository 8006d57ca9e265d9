/** Real certificates for tests, made by `openssl`; the files live as long as the test. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type IssuedCertificate = {
  /** With the chain, when it has one. */
  readonly pem: string
  readonly keyPem: string
  readonly certFile: string
  readonly keyFile: string
}

export type CertificateRequest = {
  readonly commonName: string
  /** As in `DNS:a.example` and `URI:spiffe://example/a`. */
  readonly sans?: readonly string[]
  /** Default: ten days from now. Negative: expired, by this many days. */
  readonly days?: number
}

export type TestAuthority = IssuedCertificate & {
  issue(request: CertificateRequest): IssuedCertificate
}

export type CertificateFolder = {
  readonly folder: string
  authority(name: string): TestAuthority
  selfSigned(request: CertificateRequest): IssuedCertificate
  remove(): void
}

const dayMs = 86_400_000

export function certificateFolder(): CertificateFolder {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-certificates-'))
  let count = 0
  const path = (name: string) => join(folder, name)
  const openssl = (...argv: string[]) =>
    execFileSync('openssl', argv, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const read = (stem: string): IssuedCertificate => ({
    pem: readFileSync(path(`${stem}.crt`), 'utf8'),
    keyPem: readFileSync(path(`${stem}.key`), 'utf8'),
    certFile: path(`${stem}.crt`),
    keyFile: path(`${stem}.key`),
  })
  const newKey = (stem: string) =>
    openssl(
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-out',
      `${stem}.key`,
    )
  const selfSign = (stem: string, commonName: string, extensions: readonly string[]) => {
    newKey(stem)
    const more = extensions.flatMap((extension) => ['-addext', extension])
    openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      `${stem}.key`,
      '-subj',
      `/O=Test/CN=${commonName}`,
      '-days',
      '10',
      '-out',
      `${stem}.crt`,
      ...more,
    )
    return read(stem)
  }
  return {
    folder,
    authority(name) {
      const stem = `ca-${++count}`
      const made = selfSign(stem, name, ['keyUsage=critical,keyCertSign,cRLSign'])
      return { ...made, issue: (request) => issue(stem, request) }
    },
    selfSigned({ commonName, sans = [] }) {
      const names = sans.length === 0 ? [] : [`subjectAltName=${sans.join(',')}`]
      return selfSign(`self-${++count}`, commonName, names)
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }

  function issue(authority: string, request: CertificateRequest): IssuedCertificate {
    const { commonName, sans = [], days = 10 } = request
    const stem = `leaf-${++count}`
    newKey(stem)
    openssl(
      'req',
      '-new',
      '-key',
      `${stem}.key`,
      '-subj',
      `/O=Test/CN=${commonName}`,
      '-out',
      `${stem}.csr`,
    )
    const names = sans.length === 0 ? '' : `subjectAltName=${sans.join(',')}\n`
    writeFileSync(path(`${stem}.ext`), `basicConstraints=CA:FALSE\n${names}`)
    writeFileSync(path(`${stem}.db`), '')
    writeFileSync(path(`${stem}.cnf`), signingConfig(stem))
    const endMs = Date.now() + days * dayMs
    openssl(
      'ca',
      '-batch',
      '-config',
      `${stem}.cnf`,
      '-cert',
      `${authority}.crt`,
      '-keyfile',
      `${authority}.key`,
      '-in',
      `${stem}.csr`,
      '-out',
      `${stem}.crt`,
      '-notext',
      '-extfile',
      `${stem}.ext`,
      '-startdate',
      asn1Time(Math.min(endMs, Date.now()) - dayMs),
      '-enddate',
      asn1Time(endMs),
    )
    return read(stem)
  }
}

/** `openssl ca` is the one command of OpenSSL 3.0 that can set dates in the past. */
function signingConfig(stem: string): string {
  return `[ca]
default_ca = it
[it]
database = ${stem}.db
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
organizationName = optional
commonName = supplied
`
}

/** `20261121T023000Z` without the `T`. */
function asn1Time(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')
}
