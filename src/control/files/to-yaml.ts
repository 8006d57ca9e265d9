/** Writes resources as a configuration file that is read back to exactly the same resources. */
import { Document, isMap, isSeq, Scalar, visit } from 'yaml'
import type { KindDefinition, Resource } from '../../kinds/define-kind.ts'
import { kinds } from '../../kinds/index.ts'
import { fitsOnLine } from './layout.ts'
import { singletonKey } from './sections.ts'
import { escapeVariables } from './variables.ts'

export type ToYamlOptions = {
  /** Short forms where they mean exactly the same, and no defaults. Default true. */
  readonly short?: boolean
}

/** A map or list below an entry stands on one line when it takes no more characters than this. */
const lineCharactersMax = 72

/** Resources in canonical form, as admission returns them, in the order of kind and name. */
export function toYaml(resources: readonly Resource[], options: ToYamlOptions = {}): string {
  const isShort = options.short ?? true
  const content: Record<string, unknown> = { version: 1 }
  for (const kind of kinds) {
    const own = resources.filter((resource) => resource.kind === kind.kind).toSorted(byName)
    const items = own.map((resource) => itemOf(kind, resource, isShort))
    const [first] = items
    if (first === undefined) continue
    if (kind.isSingleton === true) content[singletonKey(kind)] = first
    else content[kind.plural] = items
  }
  const document = new Document(escapeStrings(content), { version: '1.2' })
  layOut(document)
  return document.toString({ lineWidth: 0, flowCollectionPadding: true })
}

function byName(a: Resource, b: Resource): number {
  return Number(a.name > b.name) - Number(a.name < b.name)
}

function itemOf(kind: KindDefinition, resource: Resource, isShort: boolean) {
  const { name, labels, description, owner } = resource
  const spec = isShort ? (kind.shorten?.(resource.spec) ?? resource.spec) : resource.spec
  return {
    ...(kind.isSingleton === true ? {} : { name }),
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(description !== undefined && { description }),
    ...(owner !== undefined && { owner }),
    ...(typeof spec === 'object' ? spec : {}),
  }
}

/** What looks like a variable in a value is text here. Keys are never filled in. */
function escapeStrings(value: unknown): unknown {
  if (typeof value === 'string') return escapeVariables(value)
  if (Array.isArray(value)) return value.map(escapeStrings)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, escapeStrings(item)]),
  )
}

function layOut(document: Document): void {
  visit(document, {
    // An unquoted `<<` would merge.
    Scalar: (key, node) => {
      if (key === 'key' && node.value === '<<') node.type = Scalar.QUOTE_DOUBLE
    },
    Collection: (_, node, ancestors) => {
      // The document, its map, the pair of a section, the list, the entry: those stay in lines.
      const isBelowEntry = ancestors.filter((each) => isMap(each) || isSeq(each)).length >= 2
      const isEntry = isMap(node) && isSeq(ancestors.at(-1)) && ancestors.length === 4
      // Each map of a list gets a line of its own, without braces when all have one key.
      const isListOfMaps = isSeq(node) && node.items.some(isMap)
      const isInline =
        isBelowEntry && !isEntry && !isListOfMaps && !isLoneKey(node, ancestors.at(-1))
      if (node.items.length === 0 || (isInline && fitsOnLine(node, lineCharactersMax)))
        node.flow = true
    },
  })
}

function isLoneKey(node: unknown, parent: unknown): boolean {
  const items = isSeq(parent) ? parent.items : []
  return (
    isMap(node) &&
    items.length > 0 &&
    items.every((each) => !isMap(each) || each.items.length === 1)
  )
}
