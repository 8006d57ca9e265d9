/** Built-in policies and users' own, loaded for the controller. */
import { HeadgateError } from '../base/errors.ts'
import { policyCatalog } from '../proxy/policies/catalog.ts'
import { loadPolicyModules } from '../proxy/policies/load-modules.ts'
import type { PolicySources } from '../proxy/policies/source-digest.ts'
import type { LoadedCatalog } from './controller-deps.ts'
import type { Problem } from './problem.ts'

/** The `loadCatalog` of production. */
export async function loadCatalog(
  policiesFolder: string | undefined,
  given?: PolicySources | undefined,
): Promise<LoadedCatalog> {
  if (policiesFolder === undefined) return { catalog: policyCatalog(), modules: [], problems: [] }
  const loaded = await loadPolicyModules(policiesFolder, { sources: given })
  const { definitions, modules, sources, problems } = loaded
  const found = problems.map(({ path, message }) => problemOf(`${path}: ${message}`))
  try {
    return { catalog: policyCatalog(definitions), modules, sources, problems: found }
  } catch (thrown) {
    if (!(thrown instanceof HeadgateError)) throw thrown
    return { catalog: policyCatalog(), modules, problems: [...found, problemOf(thrown.message)] }
  }
}

function problemOf(message: string): Problem {
  return { severity: 'error', code: 'config.policy_load_failed', path: [], message }
}
