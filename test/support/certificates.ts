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
  return {
    folder,
    authority(name) {
      const stem = `ca-${++count}`
      const made = selfSign(folder, stem, name, ['keyUsage=critical,keyCertSign,cRLSign'])
      return { ...made, issue: (request) => issue(folder, stem, `leaf-${++count}`, request) }
    },
    selfSigned({ commonName, sans = [] }) {
      const names = sans.length === 0 ? [] : [`subjectAltName=${sans.join(',')}`]
      return selfSign(folder, `self-${++count}`, commonName, names)
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Words are split at spaces; `more` holds those with spaces in them. */
function openssl(folder: string, words: string, more: readonly string[] = []): void {
  const argv = [...words.split(' '), ...more]
  execFileSync('openssl', argv, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
}

function newKey(folder: string, stem: string): void {
  openssl(folder, `genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ${stem}.key`)
}

function selfSign(
  folder: string,
  stem: string,
  commonName: string,
  extensions: readonly string[],
): IssuedCertificate {
  newKey(folder, stem)
  openssl(folder, `req -x509 -new -key ${stem}.key -days 10 -out ${stem}.crt`, [
    ...['-subj', `/O=Test/CN=${commonName}`],
    ...extensions.flatMap((extension) => ['-addext', extension]),
  ])
  return read(folder, stem)
}

function issue(
  folder: string,
  authority: string,
  stem: string,
  { commonName, sans = [], days = 10 }: CertificateRequest,
): IssuedCertificate {
  newKey(folder, stem)
  const subject = ['-subj', `/O=Test/CN=${commonName}`]
  openssl(folder, `req -new -key ${stem}.key -out ${stem}.csr`, subject)
  const names = sans.length === 0 ? '' : `subjectAltName=${sans.join(',')}\n`
  writeFileSync(join(folder, `${stem}.ext`), `basicConstraints=CA:FALSE\n${names}`)
  writeFileSync(join(folder, `${stem}.db`), '')
  writeFileSync(join(folder, `${stem}.cnf`), signingConfig(stem))
  const nowMs = Date.now()
  const endMs = nowMs + days * dayMs
  const startMs = Math.min(endMs, nowMs) - dayMs
  const signer = `-config ${stem}.cnf -cert ${authority}.crt -keyfile ${authority}.key`
  const dates = `-startdate ${asn1Time(startMs)} -enddate ${asn1Time(endMs)}`
  const files = `-in ${stem}.csr -out ${stem}.crt -extfile ${stem}.ext`
  openssl(folder, `ca -batch -notext ${signer} ${files} ${dates}`)
  return read(folder, stem)
}

function read(folder: string, stem: string): IssuedCertificate {
  const certFile = join(folder, `${stem}.crt`)
  const keyFile = join(folder, `${stem}.key`)
  return {
    pem: readFileSync(certFile, 'utf8'),
    keyPem: readFileSync(keyFile, 'utf8'),
    certFile,
    keyFile,
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
