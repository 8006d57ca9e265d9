/**
 * Offline: from files to checked resources, with everything that is wrong shown at its line and column.
 * `validate`, `plan`, `apply`, `route test -c` and `doctor` begin here.
 */
import { relative, resolve } from 'node:path'
import { HeadgateError } from '../base/errors.ts'
import { admitParsed } from '../control/admission/admit.ts'
import { loadCatalog } from '../control/controller-catalog.ts'
import { baseFolderOf, policiesFolderOf } from '../control/controller-definition.ts'
import { loadConfig } from '../control/files/load.ts'
import {
  type ParsedConfig,
  parseConfig,
  type RawDocument,
  type SourceFile,
} from '../control/files/parse.ts'
import { renderProblems } from '../control/files/render.ts'
import type { Problem } from '../control/problem.ts'
import type { Resource } from '../kinds/define-kind.ts'
import type { PolicyDefinition } from '../proxy/policies/define-policy.ts'
import type { CliDeps } from './deps.ts'
import { requireConfig } from './find-config.ts'
import { readAll } from './read-input.ts'

export type ConfigReport = {
  /** As people would name it. */
  readonly name: string
  /** Folder at which relative paths in the definition start. */
  readonly baseFolder: string
  readonly files: readonly SourceFile[]
  readonly documents: readonly RawDocument[]
  /** Undefined when something is wrong. */
  readonly resources: readonly Resource[] | undefined
  /** Errors and warnings, in the order of reading. */
  readonly problems: readonly Problem[]
  readonly catalog: ReadonlyMap<string, PolicyDefinition>
}

export type CheckedConfig = ConfigReport & { readonly resources: readonly Resource[] }

/** Loads and checks; `-` is standard input. Throws only when there is no configuration to look at. */
export async function reportOnConfig(
  given: string | undefined,
  deps: CliDeps,
): Promise<ConfigReport> {
  const source = await readSource(given, deps)
  const folder = policiesFolderOf(source.documents, source.baseFolder)
  const { catalog, problems } = await loadCatalog(folder)
  const parsed = { ...source, problems: [...source.problems, ...problems] }
  const admission = admitParsed(parsed, catalog)
  return {
    name: source.name,
    baseFolder: source.baseFolder,
    files: source.files,
    documents: source.documents,
    resources: admission.ok ? admission.resources : undefined,
    problems: admission.ok ? admission.warnings : admission.problems,
    catalog,
  }
}

/** The same, but throws `config.invalid` with the rendered problems when anything is wrong. */
export async function checkConfig(
  given: string | undefined,
  deps: CliDeps,
): Promise<CheckedConfig> {
  const report = await reportOnConfig(given, deps)
  const { resources } = report
  if (resources !== undefined) return { ...report, resources }
  throw invalidConfig(report)
}

/** The error that shows every problem with its excerpt. */
export function invalidConfig({ name, files, problems }: ConfigReport): HeadgateError {
  const errors = problems.filter((problem) => problem.severity === 'error')
  const [only] = errors
  const isOne = errors.length === 1 && only !== undefined
  return new HeadgateError(isOne ? only.code : 'config.invalid', {
    message: `${name} is not valid: ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}`,
    detail: {
      rendered: renderProblems(problems, files),
      ...(!isOne && { todo: `correct the places above, then \`headgate validate ${name}\`` }),
    },
  })
}

/**
 * A gateway that refuses its files says so without excerpts; read again here, the same problems come
 * with them. Anything else, and whatever has changed meanwhile, stays as it was thrown.
 */
export async function explainRefusal(
  thrown: unknown,
  path: string | undefined,
  deps: CliDeps,
): Promise<unknown> {
  const isRefusal = thrown instanceof HeadgateError && thrown.code.startsWith('config.')
  if (!isRefusal || path === undefined) return thrown
  const report = await reportOnConfig(path, deps)
  return report.resources === undefined ? invalidConfig(report) : thrown
}

/** Only the warnings, rendered; undefined for none. */
export function renderWarnings({ files, problems }: ConfigReport): string | undefined {
  const warnings = problems.filter((problem) => problem.severity === 'warning')
  return warnings.length === 0 ? undefined : renderProblems(warnings, files).trimEnd()
}

type Source = ParsedConfig & {
  readonly name: string
  readonly baseFolder: string
  readonly files: readonly SourceFile[]
}

async function readSource(given: string | undefined, deps: CliDeps): Promise<Source> {
  if (given === '-') {
    const file = { name: 'standard input', text: await readAll(deps.stdin) }
    const parsed = parseConfig([file], deps.env)
    return { ...parsed, name: file.name, baseFolder: deps.cwd, files: [file] }
  }
  const path = requireConfig(given, deps.cwd)
  const loaded = loadConfig(path, deps.env)
  const shorten = (name: string) => relative(deps.cwd, name) || name
  return {
    ...loaded,
    // Places are shown as the user would type them: `conf/books.yaml:12:7`.
    files: loaded.files.map((file) => ({ ...file, name: shorten(file.name) })),
    problems: loaded.problems.map((problem) => withShortPlace(problem, shorten)),
    documents: loaded.documents.map((document) => ({
      ...document,
      locate(at, kind) {
        const location = document.locate(at, kind)
        return location && { ...location, file: shorten(location.file) }
      },
    })),
    unfilled: new Set([...loaded.unfilled].map(shorten)),
    name: shorten(path),
    baseFolder: await baseFolderOf({ type: 'files', path: resolve(path) }),
  }
}

function withShortPlace(problem: Problem, shorten: (name: string) => string): Problem {
  const { location } = problem
  if (location === undefined) return problem
  return { ...problem, location: { ...location, file: shorten(location.file) } }
}
