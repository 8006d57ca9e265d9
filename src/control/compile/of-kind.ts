import type { KindDefinition, Resource } from '../../kinds/define-kind.ts'

/** The resources of one kind, by name, so that the order of files never shows in a snapshot. */
export function resourcesOf<Spec, Input>(
  resources: readonly Resource[],
  kind: KindDefinition<Spec, Input>,
): Resource<Spec>[] {
  const found = resources.filter((resource) => resource.kind === kind.kind)
  // Holds because admission made each spec with `expand` of the definition of its kind.
  const typed = found as Resource<Spec>[]
  return typed.sort((left, right) => (left.name < right.name ? -1 : 1))
}
