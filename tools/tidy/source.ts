/** A file of the repository as the rules see it. */
import {
  type Comment,
  type Node,
  type Program,
  parseSync,
  Visitor,
  type VisitorObject,
} from 'oxc-parser'

export type TextFile = {
  /** From the root of the repository, with `/`. */
  readonly path: string
  readonly text: string
}

export type Finding = {
  readonly path: string
  /** From 1. */
  readonly line: number
  readonly rule: string
  /** What to do about it. */
  readonly todo: string
}

/** What a rule reports inside one file; path and name of the rule are added by `runRules`. */
export type Hit = { readonly line: number; readonly todo: string }

export type Source = TextFile & {
  readonly program: Program
  readonly comments: readonly Comment[]
  /** Imports, re-exports, `import()` and `import('…')` types with a literal name. */
  readonly imports: readonly ImportEdge[]
  /** Line (from 1) of an offset. */
  lineAt(offset: number): number
  /** Calls the visitor on every node of the file. */
  visit(visitor: VisitorObject): void
  /** Whether a comment stands on the line of `offset` or on the line before. */
  hasCommentNear(offset: number): boolean
}

export type ImportEdge = { readonly from: string; readonly line: number }

/** Parses a TypeScript or JavaScript file; throws with file and line when it cannot be parsed. */
export function parseSource({ path, text }: TextFile): Source {
  const { program, comments, errors } = parseSync(path, text)
  const lineAt = lineCounter(text)
  const [error] = errors
  if (error !== undefined) {
    throw new Error(
      `${path}:${lineAt(error.labels[0]?.start ?? 0)}: cannot be parsed: ${error.message}`,
    )
  }
  const commentLines = new Set<number>()
  for (const comment of comments) {
    for (let line = lineAt(comment.start); line <= lineAt(comment.end); line++)
      commentLines.add(line)
  }
  return {
    path,
    text,
    program,
    comments,
    imports: importsOf(program, lineAt),
    lineAt,
    visit: (visitor) => new Visitor(visitor).visit(program),
    hasCommentNear(offset) {
      const line = lineAt(offset)
      return commentLines.has(line) || commentLines.has(line - 1)
    },
  }
}

function lineCounter(text: string): (offset: number) => number {
  const starts = [0]
  for (let index = text.indexOf('\n'); index !== -1; index = text.indexOf('\n', index + 1)) {
    starts.push(index + 1)
  }
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

function importsOf(program: Program, lineAt: (offset: number) => number): ImportEdge[] {
  const edges: ImportEdge[] = []
  const add = (source: Node | null) => {
    if (source?.type === 'Literal' && typeof source.value === 'string') {
      edges.push({ from: source.value, line: lineAt(source.start) })
    }
  }
  new Visitor({
    ImportDeclaration: (node) => add(node.source),
    ExportNamedDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    ImportExpression: (node) => add(node.source),
    TSImportType: (node) => add(node.source),
  }).visit(program)
  return edges
}

/** `a.b` for a plain member access, `a` for a name, `import.meta`-like and computed ones: undefined. */
export function dottedName(node: Node): string | undefined {
  if (node.type === 'Identifier') return node.name
  if (node.type !== 'MemberExpression' || node.computed) return undefined
  const object = dottedName(node.object)
  return object === undefined || node.property.type !== 'Identifier'
    ? undefined
    : `${object}.${node.property.name}`
}

/** The path a relative import leads to, from the root of the repository; undefined for packages. */
export function resolveImport(fromPath: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const parts = fromPath.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts')
}

/** Product code: what ships and runs. Tests, their doubles in `testing/`, fixtures and tools may read clocks and the environment. */
export function isProduct(path: string): boolean {
  return path.startsWith('src/') && !isTest(path) && !/\/(?:__fixtures__|testing)\//.test(path)
}
