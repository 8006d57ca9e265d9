/** Resources from the text of one configuration file, by the same way that `headgate run -c` takes. */
import { admitParsed } from '../../src/control/admission/admit.ts'
import { parseConfig } from '../../src/control/files/parse.ts'
import type { Resource } from '../../src/kinds/define-kind.ts'
import { policyCatalog } from '../../src/proxy/policies/catalog.ts'
import type { PolicyCatalog } from '../../src/proxy/policies/define-policy.ts'

/** Throws with every problem when the configuration is refused. */
export function resourcesOfYaml(
  text: string,
  catalog: PolicyCatalog = policyCatalog(),
): readonly Resource[] {
  const admission = admitParsed(parseConfig([{ name: 'in.yaml', text }], {}), catalog)
  if (admission.ok) return admission.resources
  const problems = admission.problems.map(
    ({ location, object, message }) => `${location?.line ?? '?'}: ${object ?? ''} ${message}`,
  )
  throw new Error(`the configuration was refused:\n${problems.join('\n')}`)
}
