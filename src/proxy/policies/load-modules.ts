/**
 * Loads users' own policies: TypeScript or JavaScript files in one folder. Control loads the
 * folder to learn what there is and whether it is sound; every worker then imports exactly the
 * sources that control has seen. A version of the folder is imported under its digest; Node keeps
 * the versions before it in memory, which is why a folder is for policies and not for data.
 */
import { dirname, resolve } from 'node:path'
import { type Clock, systemClock, wait } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { PolicyModule } from '../snapshot.ts'
import { type ExportedPolicies, policiesOf } from './check-definition.ts'
import type { PolicyDefinition } from './define-policy.ts'
import { explainFailure } from './explain-failure.ts'
import { keepSources, registerPolicyImports, versionedUrl } from './import-hook.ts'
import { builtInPolicies } from './index.ts'
import { type PolicySources, readPolicySources } from './source-digest.ts'

/** A file whose top-level `await` takes longer is given up. */
export const moduleLoadMsMax = 10_000

export type PolicyProblem = { readonly path: string; readonly message: string }

export type LoadedPolicies = {
  readonly definitions: readonly PolicyDefinition[]
  /** For the snapshot; `importPolicyModules` takes them in a worker. */
  readonly modules: readonly PolicyModule[]
  /** For the snapshot as well; undefined when the folder cannot be read. */
  readonly sources: PolicySources | undefined
  /** Empty when every file is sound. */
  readonly problems: readonly PolicyProblem[]
}

type Options = {
  readonly clock?: Clock
  /** Imported instead of what the folder holds now, when they are of that folder. */
  readonly sources?: PolicySources | undefined
}

/** Loads every policy of the folder. Never throws: what is wrong is in `problems`. */
export async function loadPolicyModules(
  folder: string,
  { clock = systemClock(), sources: given }: Options = {},
): Promise<LoadedPolicies> {
  const sources = await givenOrRead(resolve(folder), given)
  if ('message' in sources)
    return { definitions: [], modules: [], sources: undefined, problems: [sources] }
  const { definitions, problems } = await importAll(sources, clock)
  const modules = sources.policyPaths.map((path) => ({ path, sha256: sources.sha256 }))
  return { definitions, modules, sources, problems }
}

/**
 * Imports the policies of a snapshot in a worker, from its sources. Without them, a file that is no
 * longer what control saw is a problem, never a surprise: the snapshot that comes with the change will
 * bring it.
 */
export async function importPolicyModules(
  modules: readonly PolicyModule[],
  { clock = systemClock(), sources: given }: Options = {},
): Promise<Pick<LoadedPolicies, 'definitions' | 'problems'>> {
  const definitions: PolicyDefinition[] = []
  const problems: PolicyProblem[] = []
  const byFolder = Map.groupBy(modules, ({ path }) => dirname(path))
  for (const [folder, inFolder] of byFolder) {
    const sources = await givenOrRead(folder, given)
    if ('message' in sources) {
      problems.push(sources)
      continue
    }
    const changed = inFolder.find(({ sha256 }) => sha256 !== sources.sha256)
    if (changed !== undefined) {
      problems.push({ path: changed.path, message: 'changed since the configuration was checked' })
      continue
    }
    const policyPaths = inFolder.map(({ path }) => path)
    const loaded = await importAll({ ...sources, policyPaths }, clock)
    definitions.push(...loaded.definitions)
    problems.push(...loaded.problems)
  }
  return { definitions, problems }
}

async function givenOrRead(
  folder: string,
  given: PolicySources | undefined,
): Promise<PolicySources | PolicyProblem> {
  return given?.folder === folder ? given : await sourcesOf(folder)
}

async function sourcesOf(folder: string): Promise<PolicySources | PolicyProblem> {
  try {
    return await readPolicySources(folder)
  } catch (thrown) {
    return { path: folder, message: `the folder of policies cannot be used: ${messageOf(thrown)}` }
  }
}

async function importAll(
  sources: PolicySources,
  clock: Clock,
): Promise<{ definitions: PolicyDefinition[]; problems: PolicyProblem[] }> {
  const { policyPaths, sha256 } = sources
  registerPolicyImports()
  keepSources(sources)
  const owners = new Map(builtInPolicies.map(({ name }) => [name, 'built into Headgate']))
  const definitions: PolicyDefinition[] = []
  const problems: PolicyProblem[] = []
  for (const path of policyPaths) {
    const exported = await importOne(path, { sha256, clock })
    problems.push(...exported.problems.map((message) => ({ path, message })))
    for (const definition of exported.definitions) {
      const owner = owners.get(definition.name)
      if (owner === undefined) {
        owners.set(definition.name, `in ${path}`)
        definitions.push(definition)
        continue
      }
      const message = `the policy name \`${definition.name}\` is taken by one ${owner}; choose another`
      problems.push({ path, message })
    }
  }
  return { definitions, problems }
}

async function importOne(
  path: string,
  { sha256, clock }: { sha256: string; clock: Clock },
): Promise<ExportedPolicies> {
  let exports: unknown
  try {
    exports = await importWithin(clock, versionedUrl(path, sha256))
  } catch (thrown) {
    return { definitions: [], problems: [await explainFailure(path, thrown)] }
  }
  return exportsOf(exports)
}

async function importWithin(clock: Clock, url: string): Promise<unknown> {
  const settled = new AbortController()
  const tooLate = wait(clock, moduleLoadMsMax, settled.signal).then(
    () => {
      throw new Error(`did not finish within ${moduleLoadMsMax} ms; remove its top-level \`await\``)
    },
    () => undefined,
  )
  try {
    return await Promise.race([import(url), tooLate])
  } finally {
    settled.abort()
  }
}

function exportsOf(exports: unknown): ExportedPolicies {
  const isNamespace = typeof exports === 'object' && exports !== null
  const named: Record<string, unknown> = isNamespace ? { ...exports } : {}
  if ('module.exports' in named) {
    // A CommonJS module is kept by its path, so a change of it would never be loaded.
    const message =
      'is a CommonJS module; use `import` and `export`, and name the file .mjs or .mts if a package.json above says `"type": "commonjs"`'
    return { definitions: [], problems: [message] }
  }
  return policiesOf(named)
}
