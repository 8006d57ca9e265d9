/**
 * From what was written to what can be served: the documents of the source, admission, and what the
 * definition refers to outside itself (policy files, secrets, certificates).
 */
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { LeaseSet } from '../accounts/leases.ts'
import type { KeySet } from '../accounts/private-keys.ts'
import { messageOf } from '../base/errors.ts'
import type { Resource } from '../kinds/define-kind.ts'
import { gateway } from '../kinds/gateway.ts'
import { upstream } from '../kinds/upstream.ts'
import type { PolicyCatalog } from '../proxy/policies/define-policy.ts'
import type { PolicySources } from '../proxy/policies/source-digest.ts'
import type { PolicyModule } from '../proxy/snapshot.ts'
import { type Admission, admit, admitParsed } from './admission/admit.ts'
import { certificatePaths, type LoadedCertificate, readPem } from './certificates.ts'
import type { ResourceInput } from './control-api.ts'
import type { ControllerDeps } from './controller-deps.ts'
import { errorsAmong, throwIfAny } from './controller-problems.ts'
import { loadConfig } from './files/load.ts'
import { parseConfig, type RawDocument } from './files/parse.ts'
import type { ConfigSource } from './gateway-options.ts'
import type { Problem } from './problem.ts'
import { objectOf, specOf } from './references.ts'

/** A whole definition as somebody wrote it, before it is judged. */
export type Written = {
  readonly documents: readonly (ResourceInput | RawDocument)[]
  admit(catalog: PolicyCatalog): Admission
  /** Policies as they were when this was last served, instead of what their folder holds now. */
  readonly policySources?: PolicySources | undefined
}

type FileSource = Exclude<ConfigSource, { readonly type: 'store' }>

/** Reads the files, or the document in memory. What is wrong with them is told by `admit`. */
export function readSource(source: FileSource, env: ControllerDeps['env']): Written {
  const parsed =
    source.type === 'files'
      ? loadConfig(source.path, env)
      : parseConfig([{ name: source.name, text: source.text }], env)
  return {
    documents: parsed.documents,
    admit: (catalog) => admitParsed(parsed, catalog),
  }
}

/** A definition that does not come from files. `deleted` names objects that it no longer has. */
export function writtenAs(
  documents: readonly ResourceInput[],
  deleted: ReadonlySet<string> = new Set(),
): Written {
  return { documents, admit: (catalog) => admit(documents, catalog, { deleted }) }
}

/** Stands for the source in the store, so that the last good one of another file is never served. */
export function sourceName(source: ConfigSource): string {
  if (source.type === 'files') return `file:${resolve(source.path)}`
  return source.type === 'document' ? `document:${source.name}` : 'store'
}

/** Where relative paths in the definition start: at the file that holds it, or where we were started. */
export async function baseFolderOf(source: ConfigSource): Promise<string> {
  if (source.type !== 'files') return resolve('.')
  const path = resolve(source.path)
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    // A file that is not there is reported when it is read.
    () => false,
  )
  return isFolder ? path : dirname(path)
}

/** What a definition needs besides itself. */
export type Externals = {
  readonly catalog: PolicyCatalog
  readonly policyModules: readonly PolicyModule[]
  readonly policySources: PolicySources | undefined
  readonly caPems: ReadonlyMap<string, string>
  readonly leases: LeaseSet
  readonly certificates: ReadonlyMap<string, LoadedCertificate>
  readonly keys: KeySet
  readonly appKeyHashes: ReadonlyMap<string, string>
  /** By object: what could not be resolved, and is tolerated. */
  readonly secretProblems: ReadonlyMap<string, Problem>
  /** What is served and still suspicious. */
  readonly warnings: readonly Problem[]
}

export type Admitted = {
  readonly resources: readonly Resource[]
  readonly warnings: readonly Problem[]
  readonly catalog: Externals['catalog']
  readonly policyModules: Externals['policyModules']
  readonly policySources: Externals['policySources']
  /** The problem again, with its place in the files when it came from one. */
  located(problem: Problem): Problem
}

/** Validates the whole definition against the policies there are. Throws `config.…`. */
export async function admitAll(
  written: Written,
  deps: ControllerDeps,
  baseFolder: string,
): Promise<Admitted> {
  const folder = policiesFolderOf(written.documents, baseFolder)
  const loaded = await deps.loadCatalog(folder, written.policySources)
  const admission = written.admit(loaded.catalog)
  // A policy file that fails makes its policy unknown too, so both kinds of problems are told.
  const problems = [...loaded.problems, ...(admission.ok ? admission.warnings : admission.problems)]
  throwIfAny(problems)
  return {
    resources: admission.ok ? admission.resources : [],
    warnings: problems,
    catalog: loaded.catalog,
    policyModules: loaded.modules,
    policySources: loaded.sources,
    located: (problem) => located(problem, written.documents),
  }
}

function located(problem: Problem, documents: Written['documents']): Problem {
  const document = documents.find((one) => objectOf(one) === problem.object)
  if (document === undefined || !('locate' in document)) return problem
  const location = document.locate(problem.path)
  return location === undefined ? problem : { ...problem, location }
}

/** Read before admission, which needs the policies: whatever is not a text is admission's to refuse. */
export function policiesFolderOf(
  documents: readonly ResourceInput[],
  baseFolder: string,
): string | undefined {
  const spec = documents.find(({ kind }) => kind === gateway.kind)?.spec
  if (typeof spec !== 'object' || spec === null || !('policiesFolder' in spec)) return undefined
  const folder = spec.policiesFolder
  return typeof folder === 'string' && folder !== '' ? resolve(baseFolder, folder) : undefined
}

export type ExternalsInput = {
  readonly admitted: Admitted
  readonly baseFolder: string
  /** Objects that this change creates or alters: for them everything must resolve. */
  readonly changed: ReadonlySet<string>
  /** What is in use now. */
  readonly present: Externals | undefined
}

/**
 * Resolves secrets and certificates. What the change itself brings must resolve, or the change is
 * refused. What was there before and has vanished since takes nothing else down: the last value
 * known is used on, and where there is none, only the upstream or key that needs it is out.
 */
export async function resolveExternals(
  input: ExternalsInput,
  deps: ControllerDeps,
): Promise<Externals> {
  const { admitted, baseFolder, changed, present } = input
  const secrets = await deps.resolveSecrets(admitted.resources, baseFolder)
  const certificates = await readCertificates(admitted.resources, baseFolder, present)
  const fatal = errorsAmong(secrets.problems).filter(({ object }) => changed.has(object ?? ''))
  throwIfAny([...fatal, ...certificates.problems].map((problem) => admitted.located(problem)))
  const secretProblems = new Map(
    secrets.problems.map((problem) => [problem.object ?? '', problem] as const),
  )
  return {
    catalog: admitted.catalog,
    policyModules: admitted.policyModules,
    policySources: admitted.policySources,
    caPems: certificates.pems,
    ...withLastKnown(input, secrets),
    secretProblems,
    warnings: secrets.warnings.map((problem) => admitted.located(problem)),
  }
}

type LastKnown = 'leases' | 'appKeyHashes' | 'certificates' | 'keys'

/** Fills what could not be read now, and has not been redefined, with what was read before. */
function withLastKnown(
  { admitted, changed, present }: ExternalsInput,
  secrets: Pick<Externals, LastKnown>,
): Pick<Externals, LastKnown> {
  const leases = new Map(secrets.leases)
  const appKeyHashes = new Map(secrets.appKeyHashes)
  const certificates = new Map(secrets.certificates)
  const keys = new Map(secrets.keys)
  const isKept = (object: string) => !changed.has(object) && known.has(object)
  const known = new Set(admitted.resources.map(objectOf))
  for (const [name, lease] of present?.leases ?? []) {
    if (!leases.has(name) && isKept(`Account/${name}`)) leases.set(name, lease)
  }
  for (const [name, hash] of present?.appKeyHashes ?? []) {
    const appName = name.slice(0, name.indexOf('/'))
    if (!appKeyHashes.has(name) && isKept(`App/${appName}`)) appKeyHashes.set(name, hash)
  }
  // A certificate and its key are kept together: of two readings they would not be a pair.
  for (const [name, certificate] of present?.certificates ?? []) {
    const key = present?.keys.get(name)
    if (certificates.has(name) || key === undefined || !isKept(`Certificate/${name}`)) continue
    certificates.set(name, certificate)
    keys.set(name, key)
  }
  return { leases, appKeyHashes, certificates, keys }
}

async function readCertificates(
  resources: readonly Resource[],
  baseFolder: string,
  present: Externals | undefined,
): Promise<{ pems: ReadonlyMap<string, string>; problems: readonly Problem[] }> {
  const pems = new Map<string, string>()
  const problems: Problem[] = []
  for (const { object, path, caFile } of authorityFiles(resources)) {
    if (pems.has(caFile)) continue
    const pem = await readCertificate(resolve(baseFolder, caFile))
    if (pem.ok) pems.set(caFile, pem.text)
    const last = present?.caPems.get(caFile)
    if (!pem.ok && last !== undefined) pems.set(caFile, last)
    if (!pem.ok && last === undefined) {
      const { message } = pem
      problems.push({ severity: 'error', code: 'config.unreadable', object, path, message })
    }
  }
  return { pems, problems }
}

type AuthorityFile = {
  readonly object: string
  readonly path: Problem['path']
  readonly caFile: string
}

function authorityFiles(resources: readonly Resource[]): AuthorityFile[] {
  return resources.flatMap((resource): AuthorityFile[] => {
    const object = objectOf(resource)
    if (resource.kind === gateway.kind) {
      const caFile = specOf(gateway, resource).tls?.clientCertificates?.caFile
      const path = ['tls', 'clientCertificates', 'caFile']
      return caFile === undefined ? [] : [{ object, path, caFile }]
    }
    if (resource.kind !== upstream.kind) return []
    return Object.entries(specOf(upstream, resource).versions).flatMap(([version, { tls }]) =>
      tls?.caFile === undefined
        ? []
        : [{ object, path: ['versions', version, 'tls', 'caFile'], caFile: tls.caFile }],
    )
  })
}

/** Every file of certificates, keys and authorities, absolute, to be watched. */
export function tlsPathsOf(resources: readonly Resource[], baseFolder: string): string[] {
  const authorities = authorityFiles(resources).map(({ caFile }) => resolve(baseFolder, caFile))
  return [...new Set([...certificatePaths(resources, baseFolder), ...authorities])].sort()
}

async function readCertificate(path: string): ReturnType<typeof readPem> {
  const file = await readPem(path)
  if (!file.ok) return file
  try {
    // Throws what a worker would throw, and says where.
    createSecureContext({ ca: file.text })
    return file.text.includes('-----BEGIN CERTIFICATE-----')
      ? file
      : { ok: false, message: `names ${path}, which holds no certificate in PEM form` }
  } catch (thrown) {
    return { ok: false, message: `cannot be used: ${messageOf(thrown)}` }
  }
}
