/**
 * From the text of configuration files to resources as they were written, short forms included.
 * Nothing is judged here but the form of the files; that is admission's work. All problems are
 * returned together and nothing is thrown, whatever the text.
 */
import { formatPlace, type Problem, sortProblems } from '../problem.ts'
import { fileCountMax, totalBytesMax, valueCountMax } from './limits.ts'
import {
  type FileContent,
  type RawDocument,
  readContent,
  type Shorthand,
  type SingletonPart,
} from './sections.ts'
import { mergeSingleton } from './singletons.ts'
import { type ValueBudget, ValueReader } from './to-values.ts'
import type { Environment } from './variables.ts'
import { readYaml, type SourceFile } from './yaml-tree.ts'

export type { RawDocument } from './sections.ts'
export type { SourceFile } from './yaml-tree.ts'

export type ParsedConfig = {
  readonly documents: RawDocument[]
  readonly problems: Problem[]
  /** Places (`file:line:column`) of values that could not be made out, such as unset variables. */
  readonly unfilled: ReadonlySet<string>
}

/** Parses files that together are one configuration. Included files must be among them. */
export function parseConfig(files: readonly SourceFile[], env: Environment): ParsedConfig {
  const tooMuch = sizeProblem(files)
  if (tooMuch !== undefined) return { documents: [], problems: [tooMuch], unfilled: new Set() }
  const budget: ValueBudget = { valuesLeft: valueCountMax }
  const problems: Problem[] = []
  const contents: FileContent[] = []
  const unfilled = new Set<string>()
  for (const file of files) {
    const tree = readYaml(file)
    problems.push(...tree.problems)
    const reader = new ValueReader(tree, env, budget)
    for (const root of tree.roots) contents.push(readContent(tree, root, reader))
    problems.push(...reader.problems)
    for (const place of reader.unfilled) unfilled.add(place)
  }
  const documents = [
    ...mergeSingletons(contents, problems),
    ...expandShorthands(contents, problems),
    ...contents.flatMap((content) => content.documents),
  ]
  return { documents, problems: sortProblems(problems), unfilled }
}

/** A configuration of one upstream address, as `headgate run --upstream URL` serves it. */
export function configForUpstream(url: string): SourceFile {
  return { name: '--upstream', text: `${JSON.stringify({ version: 1, upstream: url })}\n` }
}

function sizeProblem(files: readonly SourceFile[]): Problem | undefined {
  const bytes = files.reduce((sum, file) => sum + Buffer.byteLength(file.text), 0)
  const problem = { severity: 'error', code: 'config.too_large', path: [] } as const
  if (files.length > fileCountMax)
    return { ...problem, message: `there are more than ${fileCountMax} files` }
  return bytes > totalBytesMax
    ? { ...problem, message: `the files are larger than ${totalBytesMax / 1_048_576} MiB together` }
    : undefined
}

function mergeSingletons(contents: readonly FileContent[], problems: Problem[]): RawDocument[] {
  const byKind = new Map<string, [SingletonPart, ...SingletonPart[]]>()
  for (const part of contents.flatMap((content) => content.singletons)) {
    const parts = byKind.get(part.definition.kind)
    if (parts === undefined) byKind.set(part.definition.kind, [part])
    else parts.push(part)
  }
  return [...byKind.values()].map((parts) => {
    const merged = mergeSingleton(parts)
    problems.push(...merged.problems)
    return merged.document
  })
}

/** `upstream: URL` is an upstream and a route for everything, both named `default`. */
function expandShorthands(contents: readonly FileContent[], problems: Problem[]): RawDocument[] {
  const [first, ...others] = contents.flatMap((content) => content.shorthands)
  if (first === undefined) return []
  for (const other of others) problems.push(shorthandTwice(other, first))
  const locate = () => first.location
  return [
    { kind: 'Upstream', name: 'default', spec: { url: first.value }, locate },
    {
      kind: 'Route',
      name: 'default',
      spec: { match: { path: '/**' }, to: 'default' },
      locate,
    },
  ]
}

function shorthandTwice(other: Shorthand, first: Shorthand): Problem {
  const elsewhere = first.location === undefined ? 'elsewhere' : formatPlace(first.location)
  return {
    severity: 'error',
    code: 'config.duplicate_value',
    path: ['upstream'],
    message: `is set here and at ${elsewhere}; use the list \`upstreams\` for several`,
    ...(other.location && { location: other.location }),
  }
}
