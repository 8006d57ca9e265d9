/**
 * Certificates and their keys, read and judged before anything is served from them: whatever is wrong
 * with a file is a problem with its place, and never shows any part of a key.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { type KeySet, readPrivateKey, SealedKey } from '../accounts/private-keys.ts'
import type { VaultIo } from '../accounts/vaults/define-vault.ts'
import { messageOf } from '../base/errors.ts'
import { type CertificateSpec, certificate } from '../kinds/certificate.ts'
import type { Path, Resource } from '../kinds/define-kind.ts'
import { gateway } from '../kinds/gateway.ts'
import { alternativeNames } from '../wire/tls/peer-certificate.ts'
import { resourcesOf } from './compile/of-kind.ts'
import type { Problem } from './problem.ts'
import { objectOf } from './references.ts'

/** What is public of a certificate that can be used. */
export type LoadedCertificate = {
  /** With the chain. */
  readonly pem: string
  /** DNS names of the certificate itself. */
  readonly names: readonly string[]
  readonly subject: string
  readonly issuer: string
  readonly fingerprint256: string
  /** ISO 8601. */
  readonly notBefore: string
  readonly notAfter: string
}

export type LoadedCertificates = {
  /** Those that could be read, whole. */
  readonly certificates: ReadonlyMap<string, LoadedCertificate>
  readonly keys: KeySet
  /** What keeps a certificate from being used, by object. */
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

export type CertificateIo = VaultIo & {
  /** Where relative paths start. */
  readonly baseFolder: string
  wallMs(): number
}

/** A file larger than this holds no certificate. */
export const pemBytesMax = 4 * 1_048_576

export async function loadCertificates(
  resources: readonly Resource[],
  io: CertificateIo,
): Promise<LoadedCertificates> {
  const certificates = new Map<string, LoadedCertificate>()
  const keys = new Map<string, SealedKey>()
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const defined = resourcesOf(resources, certificate)
  const answers = await Promise.all(defined.map((resource) => loadOne(resource.spec, io)))
  for (const [index, resource] of defined.entries()) {
    const answer = answers[index]
    if (answer === undefined) continue
    const object = objectOf(resource)
    if (!answer.ok) {
      problems.push({ severity: 'error', object, ...answer.flaw })
      continue
    }
    certificates.set(resource.name, answer.loaded)
    keys.set(resource.name, answer.key)
    const message = validityFlaw(answer.loaded, io.wallMs())
    if (message !== undefined)
      warnings.push({
        severity: 'warning',
        code: 'config.certificate_expired',
        object,
        path: ['certFile'],
        message,
      })
  }
  return {
    certificates,
    keys,
    problems,
    warnings: [...warnings, ...sharedNames(defined, certificates), ...idleTls(resources, defined)],
  }
}

/** Every file that `loadCertificates` reads, absolute, to be watched. */
export function certificatePaths(resources: readonly Resource[], baseFolder: string): string[] {
  return resourcesOf(resources, certificate).flatMap(({ spec }) => {
    const key = spec.keyFile ?? (spec.key?.startsWith('file:') ? spec.key.slice(5) : undefined)
    return [spec.certFile, ...(key === undefined ? [] : [key])].map((path) =>
      resolve(baseFolder, path),
    )
  })
}

type Flaw = Pick<Problem, 'code' | 'path' | 'message'>
type Answer =
  | { readonly ok: true; readonly loaded: LoadedCertificate; readonly key: SealedKey }
  | { readonly ok: false; readonly flaw: Flaw }

async function loadOne(spec: CertificateSpec, io: CertificateIo): Promise<Answer> {
  const path = resolve(io.baseFolder, spec.certFile)
  const at: Path = ['certFile']
  const file = await readPem(path)
  if (!file.ok) return refused('config.unreadable', at, file.message)
  const leaf = parseLeaf(file.text)
  if (leaf === undefined) {
    return refused(
      'config.certificate_invalid',
      at,
      `names ${path}, which holds no certificate in PEM form`,
    )
  }
  const keyPath: Path = [spec.key === undefined ? 'keyFile' : 'key']
  const answer = await readPrivateKey(spec.key ?? `file:${spec.keyFile}`, io)
  if (!answer.ok) return refused('config.secret_unresolved', keyPath, answer.message)
  const key = new SealedKey(answer.secret)
  const flaw = pairFlaw(leaf, file.text, key, keyPath)
  if (flaw !== undefined) return { ok: false, flaw }
  return { ok: true, loaded: describe(leaf, file.text), key }
}

function refused(code: Problem['code'], path: Path, message: string): Answer {
  return { ok: false, flaw: { code, path, message } }
}

/** The first one of a file; undefined when there is none. */
function parseLeaf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    // What OpenSSL says of it ("asn1 encoding routines") helps nobody; the caller says it in words.
    return undefined
  }
}

function pairFlaw(
  leaf: X509Certificate,
  pem: string,
  key: SealedKey,
  keyPath: Path,
): Flaw | undefined {
  try {
    if (!leaf.checkPrivateKey(createPrivateKey(key.pem))) {
      return {
        code: 'config.certificate_mismatch',
        path: keyPath,
        message: 'is the key of another certificate than the first one in `certFile`',
      }
    }
    // The last word is with OpenSSL, which also reads the chain and judges the strength of the key.
    createSecureContext({ cert: pem, key: key.pem })
    return undefined
  } catch (thrown) {
    const message = `cannot be used: ${messageOf(thrown)}`
    return { code: 'config.certificate_invalid', path: keyPath, message }
  }
}

function describe(leaf: X509Certificate, pem: string): LoadedCertificate {
  const names = alternativeNames(leaf.subjectAltName ?? '')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice('DNS:'.length))
  return {
    pem,
    names,
    subject: leaf.subject.split('\n').join(', '),
    issuer: leaf.issuer.split('\n').join(', '),
    fingerprint256: leaf.fingerprint256,
    notBefore: leaf.validFromDate.toISOString(),
    notAfter: leaf.validToDate.toISOString(),
  }
}

/** A clause when it is not valid now. */
export function validityFlaw(
  { notBefore, notAfter }: Pick<LoadedCertificate, 'notBefore' | 'notAfter'>,
  wallMs: number,
): string | undefined {
  if (Date.parse(notAfter) < wallMs) return `has expired at ${notAfter}; clients will refuse it`
  if (Date.parse(notBefore) > wallMs) return `is not valid before ${notBefore}`
  return undefined
}

/** Names that two certificates are to be shown for: the first one by name gets them. */
function sharedNames(
  defined: readonly Resource<CertificateSpec>[],
  loaded: ReadonlyMap<string, LoadedCertificate>,
): Problem[] {
  const owners = new Map<string, string>()
  const warnings: Problem[] = []
  for (const { name, spec, ...resource } of defined) {
    if (spec.usage === 'Client') continue
    for (const host of spec.hosts ?? loaded.get(name)?.names ?? []) {
      const owner = owners.get(host.toLowerCase())
      if (owner === undefined) owners.set(host.toLowerCase(), name)
      else if (owner !== name)
        warnings.push({
          severity: 'warning',
          code: 'config.certificate_name_taken',
          object: objectOf({ kind: resource.kind, name }),
          path: spec.hosts === undefined ? [] : ['hosts'],
          message: `is not shown for \`${host}\`, because the Certificate \`${owner}\` is`,
        })
    }
  }
  return warnings
}

function idleTls(
  resources: readonly Resource[],
  defined: readonly Resource<CertificateSpec>[],
): Problem[] {
  const [settings] = resourcesOf(resources, gateway)
  const isServing = defined.some(({ spec }) => spec.usage !== 'Client')
  if (settings?.spec.tls === undefined || isServing) return []
  return [
    {
      severity: 'warning',
      code: 'config.no_effect',
      object: objectOf(settings),
      path: ['tls'],
      message: 'has no effect: there is no `Certificate` to show to clients',
    },
  ]
}

type PemFile =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string }

/** Reads a PEM file of bounded size. */
export async function readPem(path: string): Promise<PemFile> {
  try {
    const found = await stat(path)
    if (!found.isFile()) return { ok: false, message: `names ${path}, which is not a regular file` }
    if (found.size > pemBytesMax)
      return { ok: false, message: `names ${path}, which is too large for a PEM file` }
    return { ok: true, text: await readFile(path, 'utf8') }
  } catch (thrown) {
    return { ok: false, message: `cannot be read: ${messageOf(thrown)}` }
  }
}
