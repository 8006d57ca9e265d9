/** Replaces short forms by long ones in the tree of a file, keeping what does not change as it is. */
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, isNode, isScalar, isSeq, type Pair, visit, type YAMLMap } from 'yaml'
import { checkValue } from '../../base/schema-check.ts'
import { type KindDefinition, metadataSchema } from '../../kinds/define-kind.ts'
import { kinds } from '../../kinds/index.ts'
import { itemsOf } from './items.ts'
import { keyText } from './yaml-tree.ts'

/**
 * Expands every entry that is valid by itself. One that is not, because it is wrong or because its
 * form depends on a variable, is left alone, and so is one that is made of aliases.
 */
export function expandItems(document: Document): void {
  const root = document.contents
  if (!isMap(root)) return
  expandUpstream(document, root)
  for (const kind of kinds) {
    for (const item of itemsOf(root, kind)) expandItem(document, item, kind)
  }
}

const metadataKeys = Object.keys(metadataSchema.shape)

function expandItem(document: Document, item: YAMLMap, kind: KindDefinition): void {
  if (hasAlias(item)) return
  const isOwn = (key: unknown) => {
    const text = keyText(key) ?? ''
    return !metadataKeys.includes(text) && !text.startsWith('x-')
  }
  const written: Record<string, unknown> = Object.fromEntries(
    item.items
      .filter((pair) => isOwn(pair.key))
      .map((pair) => [keyText(pair.key), plainValue(document, pair)]),
  )
  const checked = checkValue(kind.spec, written)
  if (!checked.ok) return
  const expanded = kind.expand(checked.value)
  if (typeof expanded !== 'object' || expanded === null) return
  const shortForms = kind.shortForms ?? []
  replaceEntries(document, item, { path: [], shortForms, wanted: Object.entries(expanded), isOwn })
}

function plainValue(document: Document, pair: Pair): unknown {
  return isNode(pair.value) ? pair.value.toJS(document) : null
}

function hasAlias(item: YAMLMap): boolean {
  let isFound = false
  visit(item, { Alias: () => void (isFound = true) })
  return isFound
}

type Replacement = {
  /** Of the map inside its entry. */
  readonly path: readonly string[]
  readonly shortForms: NonNullable<KindDefinition['shortForms']>
  readonly wanted: readonly (readonly [string, unknown])[]
  /** Keys that are ours to change. */
  isOwn(key: unknown): boolean
}

function replaceEntries(document: Document, map: YAMLMap, replacement: Replacement): void {
  const { wanted, isOwn } = replacement
  const kept: Pair[] = map.items.filter((pair) => !isOwn(pair.key))
  const pairs = new Map(map.items.map((pair) => [keyText(pair.key), pair]))
  const comments = commentsOfGone(map, replacement)
  for (const [key, value] of wanted) {
    const existing = pairs.get(key)
    if (existing !== undefined) {
      updateValue(document, existing, value, { ...replacement, path: [...replacement.path, key] })
      kept.push(existing)
      continue
    }
    const added = document.createPair(key, value)
    const comment = comments.get(key)
    if (isScalar(added.key) && comment !== undefined) added.key.commentBefore = comment
    kept.push(added)
  }
  map.items = kept
  if (kept.some((pair) => !isFlat(pair))) map.flow = false
}

/** What was said about a short form is said above the key that takes its place. */
function commentsOfGone(
  map: YAMLMap,
  { path, shortForms, wanted, isOwn }: Replacement,
): Map<string, string> {
  const comments = new Map<string, string>()
  for (const pair of map.items) {
    const key = keyText(pair.key) ?? ''
    if (!isOwn(pair.key) || wanted.some(([each]) => each === key)) continue
    const short = [...path, key]
    const form = shortForms.find(([, each]) => matches(each.split('.'), short))
    const heir = form?.[0].split('.')[path.length] ?? wanted[0]?.[0] ?? key
    const text = [comments.get(heir) ?? [], commentsOf(pair)].flat().join('\n')
    if (text !== '') comments.set(heir, text)
  }
  return comments
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  return (
    pattern.length === path.length &&
    pattern.every((step, index) => step === '*' || step === path[index])
  )
}

function updateValue(
  document: Document,
  pair: Pair,
  value: unknown,
  replacement: Replacement,
): void {
  if (isDeepStrictEqual(plainValue(document, pair), value)) return
  const isInner = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (isMap(pair.value) && isInner) {
    const wanted = Object.entries(value)
    replaceEntries(document, pair.value, { ...replacement, wanted, isOwn: () => true })
    return
  }
  const comment = commentsOf(pair)
  pair.value = document.createNode(value)
  if (isScalar(pair.key) && comment.length > 0) pair.key.commentBefore = comment.join('\n')
}

/** A map in braces is opened when something of two levels has come into it. */
function isFlat(pair: Pair): boolean {
  return !(isMap(pair.value) && pair.value.items.some((inner) => isMap(inner.value)))
}

function commentsOf({ key, value }: Pair): string[] {
  return [key, value].flatMap((node) =>
    isNode(node)
      ? [node.commentBefore, node.comment].filter((text) => typeof text === 'string')
      : [],
  )
}

/** `upstream: URL` becomes an entry of `upstreams` and one of `routes`. */
function expandUpstream(document: Document, root: YAMLMap): void {
  const pair = root.items.find((each) => keyText(each.key) === 'upstream')
  const url = isScalar(pair?.value) ? pair.value.value : undefined
  if (pair === undefined || typeof url !== 'string') return
  root.items = root.items.filter((each) => each !== pair)
  addItem(document, root, 'upstreams', { name: 'default', url })
  addItem(document, root, 'routes', { name: 'default', match: { path: '/**' }, to: 'default' })
}

function addItem(document: Document, root: YAMLMap, section: string, item: unknown): void {
  const list = root.items.find((each) => keyText(each.key) === section)?.value
  if (isSeq(list)) {
    list.items.unshift(document.createNode(item))
    return
  }
  root.items.push(document.createPair(section, [item]))
}
