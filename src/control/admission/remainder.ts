/**
 * What is left of a document when everything that is wrong has been taken out. Its references are
 * checked all the same, so that one misspelt key does not hide a misspelt name until the next run.
 */
import { checkValue, type Flaw } from '../../base/schema-check.ts'
import { defaultWorkspace, type KindDefinition, type Path } from '../../kinds/define-kind.ts'
import type { AnyDocument, Candidate } from './candidate.ts'

/** Undefined when the rest makes no valid spec by itself. */
export function remainderOf(
  document: AnyDocument,
  definition: KindDefinition,
  flaws: readonly Flaw[],
): Candidate | undefined {
  const paths = flaws.map(({ path }) => path).filter((path) => path.length > 0)
  const pruned = prune(document.spec, paths)
  const checked = checkValue(definition.spec, pruned)
  if (!checked.ok) return undefined
  const { kind, name } = document
  const spec = definition.expand(checked.value)
  return {
    document,
    definition,
    resource: { kind, name, workspace: defaultWorkspace, labels: {}, spec },
    references: definition.references(spec),
    remainder: { spec: pruned, restore: (path) => restoreIndices(path, paths) },
  }
}

/** A copy of `value` without what stands at the paths. */
function prune(value: unknown, paths: readonly Path[]): unknown {
  if (paths.length === 0 || typeof value !== 'object' || value === null) return value
  const below = (key: string | number) =>
    paths.filter((path) => String(path[0]) === String(key)).map((path) => path.slice(1))
  const isGone = (key: string | number) => below(key).some((path) => path.length === 0)
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, index) =>
      isGone(index) ? [] : [prune(item, below(index))],
    )
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !isGone(key))
      .map(([key, item]) => [key, prune(item, below(key))]),
  )
}

function restoreIndices(path: Path, removed: readonly Path[]): Path {
  const restored: (string | number)[] = []
  for (const key of path) {
    if (typeof key === 'string') {
      restored.push(key)
      continue
    }
    const gone = removed
      .filter((each) => each.length === restored.length + 1 && startsWith(each, restored))
      .flatMap((each) => each.at(-1) ?? [])
      .filter((index) => typeof index === 'number')
      .toSorted((a, b) => a - b)
    restored.push(
      [...new Set(gone)].reduce((index, each) => (each <= index ? index + 1 : index), key),
    )
  }
  return restored
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((key, index) => String(key) === String(path[index]))
}
