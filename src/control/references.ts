/** Who refers to what among canonical resources. Pure. */
import type { KindDefinition, Resource } from '../kinds/define-kind.ts'
import { kinds } from '../kinds/index.ts'

/** By object (`Upstream/books`): everything that refers to it. */
export type ReferenceIndex = ReadonlyMap<string, readonly Resource[]>

const kindsByName = new Map(kinds.map((kind) => [kind.kind, kind]))

/** The definition of a kind by its name. */
export function kindNamed(name: string): KindDefinition | undefined {
  return kindsByName.get(name)
}

/** `Route/books`: how objects are named in problems, plans and audit. */
export function objectOf(key: { readonly kind: string; readonly name: string }): string {
  return `${key.kind}/${key.name}`
}

/** The spec of a canonical resource with the type of its kind. */
export function specOf<Spec, Input>(kind: KindDefinition<Spec, Input>, resource: Resource): Spec {
  return kind.expand(kind.spec.parse(resource.spec))
}

/** The same of a stored resource, which an older Headgate may have admitted; undefined when it would not pass today. */
export function readableSpecOf<Spec, Input>(
  kind: KindDefinition<Spec, Input>,
  resource: Resource,
): Spec | undefined {
  const parsed = kind.spec.safeParse(resource.spec)
  return parsed.success ? kind.expand(parsed.data) : undefined
}

export function indexReferences(resources: readonly Resource[]): ReferenceIndex {
  const index = new Map<string, Resource[]>()
  for (const resource of resources) {
    const kind = kindNamed(resource.kind)
    if (kind === undefined) continue
    const spec = readableSpecOf(kind, resource)
    const targets = spec === undefined ? [] : kind.references(spec).map(objectOf)
    for (const target of new Set(targets)) {
      const users = index.get(target)
      if (users === undefined) index.set(target, [resource])
      else users.push(resource)
    }
  }
  return index
}
