/**
 * One YAML 1.2 (or JSON) file as a tree that knows where everything stands. The `yaml` package
 * gives nodes with offsets; here they become plain values, with our own rules for keys, aliases and
 * limits, and places can be looked up by path afterwards.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  visit,
  type YAMLMap,
} from 'yaml'
import type { Path } from '../../kinds/define-kind.ts'
import type { Problem, SourceLocation } from '../problem.ts'
import { fileBytesMax, nestingMax, syntaxErrorsMax } from './limits.ts'
import { findDeepNesting } from './nesting.ts'
import { syntaxMessage } from './syntax-messages.ts'

/** A configuration file as read; `name` is what problems call it. */
export type SourceFile = { readonly name: string; readonly text: string }

export type PlaceKind = 'key' | 'value'

export type YamlTree = {
  readonly file: SourceFile
  /** The contents of each document of the file, `null` for an empty one. */
  readonly roots: readonly (Node | null)[]
  /** Syntax errors; when there are any, `roots` is empty. */
  readonly problems: readonly Problem[]
  targetOf(alias: Alias): Node | undefined
  place(offset: number): SourceLocation
}

/** Reads the text; never throws. */
export function readYaml(file: SourceFile): YamlTree {
  const lines = new LineCounter()
  const place = (offset: number): SourceLocation => {
    const { line, col } = lines.linePos(offset)
    return { file: file.name, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const failed = (problems: readonly Problem[]): YamlTree => ({
    file,
    roots: [],
    problems,
    targetOf: () => undefined,
    place,
  })
  if (Buffer.byteLength(file.text) > fileBytesMax) return failed([tooLarge(file.name)])
  const deepOffset = findDeepNesting(file.text)
  if (deepOffset !== undefined) return failed([tooDeep(placeIn(file, deepOffset))])
  const documents: Document.Parsed[] = parseAllDocuments(file.text, {
    version: '1.2',
    lineCounter: lines,
    prettyErrors: false,
    // Duplicates are found while converting: the library compares every pair of keys.
    uniqueKeys: false,
    logLevel: 'silent',
  })
  const problems = documents.flatMap((document) => syntaxProblems(document, place))
  if (problems.length > 0) return failed(firstPerLine(problems).slice(0, syntaxErrorsMax))
  const targets = new Map<Alias, Node>()
  // Without an anchor there is nothing that an alias could mean.
  if (file.text.includes('&')) for (const each of documents) linkAliases(each, targets)
  return {
    file,
    roots: documents.map((document) => document.contents),
    problems: [],
    targetOf: (alias) => targets.get(alias),
    place,
  }
}

/**
 * Where the quote or bracket was opened that is not closed: the error itself is only noticed far
 * below, often at the end of the file.
 */
function openingOf(
  document: Document.Parsed,
  { message, pos }: { readonly message: string; readonly pos: readonly [number, number] },
): number | undefined {
  const isQuote = /^Missing closing ["']/.test(message)
  const isBracket = /must be sufficiently indented and end with a [\]}]/.test(message)
  if (!isQuote && !isBracket) return undefined
  let offset: number | undefined
  visit(document, {
    Node(_, node) {
      const start = offsetOf(node)
      const isOpen = isScalar(node)
        ? isQuote && /^QUOTE/.test(node.type ?? '')
        : isBracket && (isMap(node) || isSeq(node)) && node.flow === true
      if (isOpen && start !== undefined && start < pos[0]) offset = start
    },
  })
  return offset
}

/** What follows the first error in a line is mostly its echo. */
function firstPerLine(problems: readonly Problem[]): Problem[] {
  const lines = new Set<number>()
  return problems.filter(({ location }) => {
    const isFirst = !lines.has(location?.line ?? 0)
    lines.add(location?.line ?? 0)
    return isFirst
  })
}

function tooDeep(location: SourceLocation): Problem {
  const message = syntaxMessage('RESOURCE_EXHAUSTION', '')
  return { severity: 'error', code: 'config.syntax', path: [], message, location }
}

/** The place of an offset in a text that the parser has not seen. */
function placeIn({ name, text }: SourceFile, offset: number): SourceLocation {
  const before = text.slice(0, offset).split('\n')
  return { file: name, line: before.length, column: (before.at(-1) ?? '').length + 1 }
}

function tooLarge(file: string): Problem {
  return {
    severity: 'error',
    code: 'config.too_large',
    path: [],
    message: `the file is larger than ${fileBytesMax / 1_048_576} MiB`,
    location: { file, line: 1, column: 1 },
  }
}

function syntaxProblems(
  document: Document.Parsed,
  place: (offset: number) => SourceLocation,
): Problem[] {
  const exhausted = document.errors.find((error) => error.code === 'RESOURCE_EXHAUSTION')
  const errors = exhausted === undefined ? document.errors : [exhausted]
  // An unknown tag is only a warning to the library, and then means nothing.
  const all = [...errors, ...document.warnings]
  const problems = all.map(
    (error): Problem => ({
      severity: 'error',
      code: 'config.syntax',
      path: [],
      message: syntaxMessage(error.code, error.message),
      location: place(openingOf(document, error) ?? error.pos[0]),
    }),
  )
  const { version, explicit } = document.directives.yaml
  if (explicit === true && version !== '1.2') {
    problems.push({
      severity: 'error',
      code: 'config.syntax',
      path: [],
      message: `\`%YAML ${version}\` is not supported: files are YAML 1.2`,
      location: place(document.range[0]),
    })
  }
  return problems
}

/** An alias means the nearest anchor of its name before it (YAML 1.2.2 §7.1). */
function linkAliases(document: Document.Parsed, targets: Map<Alias, Node>): void {
  const anchors = new Map<string, Node>()
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source)
        if (target !== undefined) targets.set(node, target)
      } else if (node.anchor !== undefined) {
        anchors.set(node.anchor, node)
      }
    },
  })
}

/** The node itself, or what an alias stands for. */
export function resolved(tree: YamlTree, node: unknown): Node | undefined {
  if (isAlias(node)) return tree.targetOf(node)
  return isMap(node) || isSeq(node) || isScalar(node) ? node : undefined
}

/** The text of a key as written: `1.0` stays `1.0`. Undefined for keys that are no scalars. */
export function keyText(key: unknown): string | undefined {
  if (!isScalar(key) || key.value === null || key.value === undefined) return undefined
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
}

/** `<<: *base` takes over the entries of another map that are not written here. */
export function isMergeKey(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === '<<' && pair.key.type === 'PLAIN'
}

/** The maps that a merge key names, in order of precedence. */
export function mergedMaps(tree: YamlTree, map: YAMLMap): YAMLMap[] {
  return map.items.filter(isMergeKey).flatMap((pair) => {
    const value = resolved(tree, pair.value)
    const sources = isSeq(value) ? value.items : [value]
    return sources.map((each) => resolved(tree, each)).filter(isMap)
  })
}

export function offsetOf(node: unknown): number | undefined {
  const isNode = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)
  return isNode ? node.range?.[0] : undefined
}

/**
 * Where `path` stands below `root`: the key, or the value. For a map or list under a key that is
 * the key too, because what follows it may be far away. When the path leads out of what was
 * written, the place is that of the last part that exists.
 */
export function locate(
  tree: YamlTree,
  root: unknown,
  path: Path,
  kind: PlaceKind = 'value',
): SourceLocation | undefined {
  let node: unknown = resolved(tree, root)
  let offset = offsetOf(root)
  for (const [index, key] of path.entries()) {
    const step = stepInto(tree, node, key, new Set())
    if (step === undefined) break
    node = resolved(tree, step.value)
    const isLast = index === path.length - 1
    const isLooseAlias = node === undefined && isAlias(step.value)
    const isLarge = isMap(node) || isSeq(node) || (isEmpty(node) && !isLooseAlias)
    const wantsKey = isLarge || (isLast && kind === 'key')
    offset = wantsKey ? (step.keyOffset ?? offsetOf(step.value)) : offsetOf(step.value)
  }
  return offset === undefined ? undefined : tree.place(offset)
}

function isEmpty(node: unknown): boolean {
  return node === undefined || (isScalar(node) && node.value === null && node.source === '')
}

type Step = { readonly value: unknown; readonly keyOffset: number | undefined }

function stepInto(
  tree: YamlTree,
  node: unknown,
  key: string | number,
  entered: Set<unknown>,
): Step | undefined {
  // Maps that merge each other, or too many, are refused elsewhere; here they must only not hang.
  if (entered.has(node) || entered.size > nestingMax) return undefined
  entered.add(node)
  if (isSeq(node)) {
    return typeof key === 'number' && key < node.items.length
      ? { value: node.items[key], keyOffset: undefined }
      : undefined
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find((item) => keyText(item.key) === String(key) && !isMergeKey(item))
  if (pair !== undefined) return { value: pair.value, keyOffset: offsetOf(pair.key) }
  for (const merged of mergedMaps(tree, node)) {
    const step = stepInto(tree, merged, key, entered)
    if (step !== undefined) return step
  }
  return undefined
}
