/**
 * `headgate fmt`: one way to write a file. Comments and blank lines stay, keys within an entry come
 * in the order of the reference (metadata first), and the long forms replace the short ones on
 * request. The result always means the same as the text; where that cannot be kept, because an
 * alias would come before its anchor, the order is left alone.
 */
import { isDeepStrictEqual } from 'node:util'
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseAllDocuments,
  Scalar,
  visit,
  type YAMLMap,
} from 'yaml'
import { HeadgateError } from '../../base/errors.ts'
import type { s } from '../../base/schema.ts'
import { alternativesOf, childrenOf, isClosedMap, knownKeysOf } from '../../base/schema-walk.ts'
import { type KindDefinition, metadataSchema } from '../../kinds/define-kind.ts'
import { kinds } from '../../kinds/index.ts'
import { sentenceFor } from '../problem.ts'
import { restoreCommentColumns } from './comment-columns.ts'
import { expandItems } from './expand-items.ts'
import { itemsOf } from './items.ts'
import { fitsOnLine } from './layout.ts'
import { keyText, readYaml } from './yaml-tree.ts'

export type FormatOptions = {
  /** Write long forms in place of short ones. */
  readonly expand?: boolean
}

/** A map or list in brackets that takes more is opened. */
const lineCharactersMax = 96

// The width is ours to watch: the library would also break text into lines.
const layout = { lineWidth: 0, flowCollectionPadding: true, indentSeq: true } as const

/** The formatted text. Throws `config.syntax` with `detail.problems` for what is not YAML. */
export function formatConfig(text: string, options: FormatOptions = {}): string {
  const { problems } = readYaml({ name: 'configuration', text })
  const [first] = problems
  if (first !== undefined) {
    const place = first.location === undefined ? '' : `line ${first.location.line}: `
    throw new HeadgateError('config.syntax', {
      message: `${place}${sentenceFor(first)}`,
      detail: { problems },
    })
  }
  const documents = documentsOf(text)
  if (documents.length === 0) return text.trim() === '' ? '' : `${text.trimEnd()}\n`
  if (documents.some(hasLooseAlias)) throw looseAlias()
  for (const document of documents) {
    if (options.expand === true) expandItems(document)
    settleQuotes(document)
    openWide(document)
    padMapsOnly(document)
  }
  const unordered = write(documents, text)
  for (const document of documents) orderKeys(document)
  // Sorting may have put an alias before its anchor.
  if (documents.some(hasLooseAlias)) return withComments(text, unordered)
  const ordered = write(documents, text)
  return withComments(text, meansTheSame(unordered, ordered) ? ordered : unordered)
}

function withComments(text: string, formatted: string): string {
  const restored = restoreCommentColumns(text, formatted)
  // Lines of a block of text can look like comments; then they must stay as they are.
  return meansTheSame(formatted, restored) ? restored : formatted
}

function looseAlias(): HeadgateError {
  return new HeadgateError('config.syntax', {
    message:
      'an alias (`*name`) has no anchor (`&name`) above it; put text that begins with `*` in quotes',
  })
}

function documentsOf(text: string): Document[] {
  const documents = parseAllDocuments(text, {
    version: '1.2',
    uniqueKeys: false,
    logLevel: 'silent',
  })
  return [...documents]
}

function write(documents: readonly Document[], original: string): string {
  const [only] = documents
  if (documents.length === 1 && only !== undefined && isJson(original))
    return `${JSON.stringify(only.toJS({ maxAliasCount: 0 }), null, 2)}\n`
  return documents.map((document) => document.toString(layout)).join('')
}

function isJson(text: string): boolean {
  if (!text.trimStart().startsWith('{')) return false
  try {
    JSON.parse(text)
    return true
  } catch (thrown) {
    // YAML in braces is not JSON; nothing is wrong with it.
    return !(thrown instanceof SyntaxError)
  }
}

function meansTheSame(a: string, b: string): boolean {
  return isDeepStrictEqual(documentsOf(a).map(plain), documentsOf(b).map(plain))
}

function hasLooseAlias(document: Document): boolean {
  let isLoose = false
  visit(document, { Alias: (_, alias) => void (isLoose ||= alias.resolve(document) === undefined) })
  return isLoose
}

/** The value with aliases kept as such, so that a file full of them costs nothing. */
function plain(document: Document): unknown {
  const read = (node: unknown): unknown => {
    if (isAlias(node)) return { alias: node.source }
    if (isScalar(node)) return node.value
    if (isSeq(node)) return node.items.map(read)
    if (!isMap(node)) return null
    return new Map(node.items.map((pair) => [keyText(pair.key), read(pair.value)]))
  }
  return read(document.contents)
}

/** Single quotes become double ones where nothing needs escaping then. */
function settleQuotes(document: Document): void {
  visit(document, {
    Scalar: (_, scalar) => {
      const isPlainText = typeof scalar.value === 'string' && !/["\\\p{Cc}]/u.test(scalar.value)
      if (scalar.type === Scalar.QUOTE_SINGLE && isPlainText) scalar.type = Scalar.QUOTE_DOUBLE
    },
  })
}

/** `{ a: b }` but `[a, b]`: the library has one switch for both. */
function padMapsOnly(document: Document): void {
  visit(document, {
    Collection: (_, node) => {
      const write = node.toString.bind(node)
      const flowCollectionPadding = isMap(node) ? ' ' : ''
      node.toString = (context, onComment, onChompKeep) =>
        write(context && { ...context, flowCollectionPadding }, onComment, onChompKeep)
    },
  })
}

function openWide(document: Document): void {
  visit(document, {
    Collection: (_, node, ancestors) => {
      const indent = 2 * ancestors.filter((each) => isMap(each) || isSeq(each)).length
      if (node.flow === true && !fitsOnLine(node, lineCharactersMax - indent)) node.flow = false
    },
  })
}

type Schema = s.core.$ZodType

function orderKeys(document: Document): void {
  const root = document.contents
  if (!isMap(root)) return
  moveToFront(root, 'version')
  for (const kind of kinds) {
    const isEntry = kind.isSingleton !== true
    for (const item of itemsOf(root, kind)) orderItem(item, kind, { isEntry })
  }
}

function orderItem(item: YAMLMap, kind: KindDefinition, place: { isEntry: boolean }): void {
  const metadata = alternativesOf(metadataSchema)
  const spec = alternativesOf(kind.spec)
  sortPairs(item, [...knownKeysOf(metadata), ...knownKeysOf(spec)], place)
  for (const { key, value } of item.items) orderBelow(value, childrenOf(spec, keyText(key) ?? ''))
}

function orderBelow(node: unknown, schemas: readonly Schema[], place = { isEntry: false }): void {
  if (isSeq(node)) {
    for (const item of node.items) orderBelow(item, childrenOf(schemas, 0), { isEntry: true })
    return
  }
  if (!isMap(node)) return
  if (isClosedMap(schemas)) sortPairs(node, knownKeysOf(schemas), place)
  for (const { key, value } of node.items)
    orderBelow(value, childrenOf(schemas, keyText(key) ?? ''))
}

/** Known keys in their order; merges before them, others behind, both as they were. */
function sortPairs(
  map: YAMLMap,
  order: readonly string[],
  { isEntry }: { isEntry: boolean },
): void {
  const rank = (pair: Pair): number => {
    const key = keyText(pair.key) ?? ''
    if (key === '<<') return -1
    const index = order.indexOf(key)
    return index === -1 ? order.length : index
  }
  const before = map.items[0]
  map.items = map.items.toSorted((a, b) => rank(a) - rank(b))
  if (isEntry) liftComment(map)
  else if (map.items[0] !== before) lowerComment(map, before)
}

/** What stands above the first key of an entry of a list would come to stand behind its dash. */
function liftComment(map: YAMLMap): void {
  const key = map.items[0]?.key
  if (!isScalar(key) || typeof key.commentBefore !== 'string' || map.flow === true) return
  map.commentBefore = [map.commentBefore ?? [], key.commentBefore].flat().join('\n')
  key.commentBefore = undefined
}

/**
 * The comment above the first key belongs to the map in the tree. When another key comes first
 * now, the comment stays with the key it was written for.
 */
function lowerComment(map: YAMLMap, wasFirst: Pair | undefined): void {
  if (!isScalar(wasFirst?.key) || typeof map.commentBefore !== 'string' || map.flow === true) return
  wasFirst.key.commentBefore = map.commentBefore
  map.commentBefore = undefined
}

function moveToFront(map: YAMLMap, name: string): void {
  const pair = map.items.find((each) => keyText(each.key) === name)
  if (pair === undefined || map.items[0] === pair) return
  map.items = [pair, ...map.items.filter((each) => each !== pair)]
}
