/** The keys at the top of a file: what each means and what it adds to the configuration. */
import { isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from 'yaml'
import { didYouMean } from '../../base/did-you-mean.ts'
import { oneOf } from '../../base/schema-messages.ts'
import type { KindDefinition, Path } from '../../kinds/define-kind.ts'
import { kinds } from '../../kinds/index.ts'
import type { ResourceInput } from '../control-api.ts'
import type { SourceLocation } from '../problem.ts'
import type { ValueReader } from './to-values.ts'
import { keyText, locate, type PlaceKind, resolved, type YamlTree } from './yaml-tree.ts'

/** A resource as it stands in a file, with a way back to the place of each of its parts. */
export type RawDocument = ResourceInput & {
  locate(path: Path, kind?: PlaceKind): SourceLocation | undefined
}

/** What one YAML document holds. */
export type FileContent = {
  readonly documents: RawDocument[]
  /** Parts of singletons such as `gateway:`, merged over all files afterwards. */
  readonly singletons: SingletonPart[]
  readonly shorthands: Shorthand[]
  readonly includes: Include[]
}

export type SingletonPart = {
  readonly definition: KindDefinition
  readonly value: Readonly<Record<string, unknown>>
  locate(path: Path, kind?: PlaceKind): SourceLocation | undefined
}

/** `upstream: http://…` at the top of a file. */
export type Shorthand = { readonly value: unknown; readonly location: SourceLocation | undefined }

/** A glob that names further files, and the file that it is relative to. */
export type Include = {
  readonly glob: string
  readonly file: string
  readonly location: SourceLocation | undefined
}

const metadataKeys = ['name', 'labels', 'description', 'owner'] as const

const listKinds = new Map(
  kinds.filter((kind) => kind.isSingleton !== true).map((kind) => [kind.plural, kind]),
)
const singletonKinds = new Map(
  kinds.filter((kind) => kind.isSingleton === true).map((kind) => [singletonKey(kind), kind]),
)

/** The key of a singleton in files: `gateway` for the kind Gateway. */
export function singletonKey(kind: KindDefinition): string {
  return kind.kind.charAt(0).toLowerCase() + kind.kind.slice(1)
}

/** Every key that may stand at the top of a file. */
export const topLevelKeys: readonly string[] = [
  'version',
  'include',
  ...singletonKinds.keys(),
  'upstream',
  ...listKinds.keys(),
]

/** What other gateways call our things: not near enough in spelling for a suggestion. */
const otherWords: Readonly<Record<string, string>> = {
  services: 'upstreams',
  backends: 'upstreams',
  clusters: 'upstreams',
  consumers: 'apps',
  clients: 'apps',
  credentials: 'accounts',
  secrets: 'accounts',
  plugins: 'policySets',
  policies: 'policySets',
  middlewares: 'policySets',
  settings: 'gateway',
  global: 'gateway',
}

/** Reads one YAML document of a file. Problems are left with the reader. */
export function readContent(tree: YamlTree, root: Node | null, reader: ValueReader): FileContent {
  const content: FileContent = { documents: [], singletons: [], shorthands: [], includes: [] }
  const map = resolved(tree, root)
  if (map === undefined || (isScalar(map) && map.value === null)) return content
  if (!isMap(map)) {
    const message = 'the file must be a map with keys such as `upstreams:` and `routes:`'
    reader.report('config.bad_value', map, message)
    return content
  }
  const seen = new Map<string, Pair>()
  for (const pair of map.items) {
    const key = keyText(pair.key)
    if (key === undefined) {
      reader.report('config.bad_value', pair.key, 'a key must be a word or text in quotes')
      continue
    }
    if (key.startsWith('x-')) continue
    const first = seen.get(key)
    if (first !== undefined) reportDuplicate(tree, reader, { key, pair, first })
    else readSection(tree, { key, pair, root: map }, reader, content)
    seen.set(key, first ?? pair)
  }
  return content
}

function reportDuplicate(
  tree: YamlTree,
  reader: ValueReader,
  { key, pair, first }: { key: string; pair: Pair; first: Pair },
): void {
  const offset = isScalar(first.key) ? (first.key.range?.[0] ?? 0) : 0
  const { line } = tree.place(offset)
  const hint = listKinds.has(key) ? 'move its entries there' : 'keep one of the two'
  const message = `stands here and in line ${line}; ${hint}`
  reader.report('config.duplicate_value', pair.key, message, [key])
}

type Section = { readonly key: string; readonly pair: Pair; readonly root: YAMLMap }

function readSection(
  tree: YamlTree,
  section: Section,
  reader: ValueReader,
  content: FileContent,
): void {
  const { key, pair } = section
  const list = listKinds.get(key)
  if (list !== undefined) {
    readList(tree, { section, definition: list }, reader, content)
    return
  }
  const singleton = singletonKinds.get(key)
  if (singleton !== undefined) {
    readSingleton(tree, { section, definition: singleton }, reader, content)
    return
  }
  if (key === 'version') readVersion(tree, pair, reader)
  else if (key === 'include') readIncludes(tree, section, reader, content)
  else if (key === 'upstream') {
    const location = locate(tree, section.root, ['upstream'])
    content.shorthands.push({ value: reader.read(pair.value), location })
  } else reportUnknownKey(section, reader)
}

function reportUnknownKey({ key, pair }: Section, reader: ValueReader): void {
  const meant = otherWords[key] ?? didYouMean(key, topLevelKeys)
  const suffix = meant === undefined ? `; known here: ${oneOf(topLevelKeys)}` : ''
  const before = reader.problems.length
  reader.report('config.unknown_key', pair.key, `is not a known key${suffix}`, [key])
  const problem = reader.problems[before]
  if (problem !== undefined && meant !== undefined)
    reader.problems[before] = { ...problem, suggestion: `did you mean \`${meant}\`?` }
}

function readVersion(tree: YamlTree, pair: Pair, reader: ValueReader): void {
  const value = resolved(tree, pair.value)
  if (isScalar(value) && value.value === 1) return
  const message = 'must be 1, the only version of the file format that this Headgate reads'
  reader.report('config.unsupported_version', value ?? pair.key, message, ['version'])
}

function readIncludes(
  tree: YamlTree,
  { pair, root }: Section,
  reader: ValueReader,
  content: FileContent,
): void {
  const value = resolved(tree, pair.value)
  const items = isSeq(value) ? value.items : [value]
  for (const [index, item] of items.entries()) {
    const node = resolved(tree, item)
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '') {
      const path = isSeq(value) ? ['include', index] : ['include']
      const location = locate(tree, root, path)
      content.includes.push({ glob: node.value, file: tree.file.name, location })
    } else if (!isScalar(node) || node.value !== null) {
      const message = 'must be a file name or a pattern such as `conf.d/*.yaml`, or a list of them'
      reader.report('config.bad_value', node ?? pair.key, message, ['include'])
    }
  }
}

type KindSection = { readonly section: Section; readonly definition: KindDefinition }

function readList(
  tree: YamlTree,
  { section, definition }: KindSection,
  reader: ValueReader,
  content: FileContent,
): void {
  const { key, pair } = section
  const list = resolved(tree, pair.value)
  if (list === undefined || (isScalar(list) && list.value === null)) return
  if (!isSeq(list)) {
    reader.report(
      'config.bad_value',
      pair.key,
      'must be a list: begin each entry with `- name: …`',
      [key],
    )
    return
  }
  for (const [index, item] of list.items.entries()) {
    const map = resolved(tree, item)
    if (!isMap(map)) {
      const message = 'must be a map that begins with `name: …`'
      reader.report('config.bad_value', item, message, [key, index])
      continue
    }
    content.documents.push(readItem(tree, { item: map, definition }, reader))
  }
}

function readItem(
  tree: YamlTree,
  { item, definition }: { item: YAMLMap; definition: KindDefinition },
  reader: ValueReader,
): RawDocument {
  const entries = reader.entries(item)
  const namePair = item.items.find((pair) => keyText(pair.key) === 'name')
  const nameNode = namePair === undefined ? undefined : resolved(tree, namePair.value)
  const written = entries.get('name')
  // A name may look like a number: `name: 404` means the text.
  const isNumber = isScalar(nameNode) && typeof nameNode.value === 'number'
  const name = isNumber ? keyText(nameNode) : written
  const isWord = typeof name === 'string' || typeof name === 'number'
  const spec = Object.fromEntries([...entries].filter(([key]) => !isMetadataKey(key)))
  const metadata = Object.fromEntries(
    [...entries].filter(([key]) => isMetadataKey(key) && key !== 'name'),
  )
  return {
    kind: definition.kind,
    name: isWord ? String(name) : '',
    ...metadata,
    spec,
    locate: (path, kind) => locate(tree, item, path, kind),
  }
}

function isMetadataKey(key: string): boolean {
  return metadataKeys.some((each) => each === key)
}

function readSingleton(
  tree: YamlTree,
  { section, definition }: KindSection,
  reader: ValueReader,
  content: FileContent,
): void {
  const { key, pair, root } = section
  const map = resolved(tree, pair.value)
  if (map === undefined || (isScalar(map) && map.value === null)) return
  if (!isMap(map)) {
    reader.report('config.bad_value', pair.key, 'must be a map of keys and values', [key])
    return
  }
  content.singletons.push({
    definition,
    value: Object.fromEntries(reader.entries(map)),
    locate: (path, kind) => locate(tree, root, [key, ...path], kind),
  })
}
