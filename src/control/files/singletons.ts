/**
 * Several files may each hold a part of `gateway:`. Maps merge, lists append, and a scalar that is
 * set twice is refused with both places, because which one should win nobody can see.
 */
import { valueAt } from '../../base/schema-check.ts'
import type { Path } from '../../kinds/define-kind.ts'
import { formatPlace, type Problem, type SourceLocation } from '../problem.ts'
import type { RawDocument, SingletonPart } from './sections.ts'
import type { PlaceKind } from './yaml-tree.ts'

export type MergedSingleton = {
  readonly document: RawDocument
  readonly problems: readonly Problem[]
}

/** Makes one resource named `default` of the parts, which are all of one kind. */
export function mergeSingleton(
  parts: readonly [SingletonPart, ...SingletonPart[]],
): MergedSingleton {
  const [first, ...rest] = parts
  const problems: Problem[] = []
  let merged: Readonly<Record<string, unknown>> = first.value
  for (const [index, part] of rest.entries()) {
    const before = parts.slice(0, index + 1)
    merged = mergeMaps(merged, part.value, (path) =>
      problems.push(setTwice(path, part, { before, object: first.definition.kind })),
    )
  }
  const { labels, description, owner, ...spec } = merged
  const metadata = Object.entries({ labels, description, owner }).filter(
    ([, value]) => value !== undefined,
  )
  return {
    document: {
      kind: first.definition.kind,
      name: 'default',
      ...Object.fromEntries(metadata),
      spec,
      locate: (path, kind) => locateMerged(parts, path, kind),
    },
    problems,
  }
}

type Values = Readonly<Record<string, unknown>>

function mergeMaps(base: Values, added: Values, onClash: (path: Path) => void): Values {
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(added)) {
    const existing = result[key]
    if (existing === undefined || existing === null) result[key] = value
    else if (Array.isArray(existing) && Array.isArray(value)) result[key] = [...existing, ...value]
    else if (isValues(existing) && isValues(value))
      result[key] = mergeMaps(existing, value, (path) => onClash([key, ...path]))
    else onClash([key])
  }
  return result
}

function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function setTwice(
  path: Path,
  part: SingletonPart,
  { before, object }: { before: readonly SingletonPart[]; object: string },
): Problem {
  const location = part.locate(path, 'key')
  const first = locateMerged(before, path, 'key')
  const elsewhere = first === undefined ? 'elsewhere' : formatPlace(first)
  return {
    severity: 'error',
    code: 'config.duplicate_value',
    object: `${object}/default`,
    path,
    message: `is set here and at ${elsewhere}; keep one of the two`,
    ...(location && { location }),
  }
}

/** A list that was put together of several parts has its indices shifted. */
function locateMerged(
  parts: readonly SingletonPart[],
  path: Path,
  kind: PlaceKind | undefined,
): SourceLocation | undefined {
  for (const [index, part] of parts.entries()) {
    const own = ownPath(parts.slice(0, index), part, path)
    if (own !== undefined) return part.locate(own, kind)
  }
  return parts[0]?.locate(path, kind)
}

/** The path as it is inside `part`; undefined when that place comes from another part. */
function ownPath(
  before: readonly SingletonPart[],
  part: SingletonPart,
  path: Path,
): Path | undefined {
  const own = path.map((key, depth) => {
    if (typeof key !== 'number') return key
    const list = path.slice(0, depth)
    const shift = before.reduce((sum, each) => sum + lengthOf(valueAt(each.value, list)), 0)
    return key - shift
  })
  return valueAt(part.value, own) === undefined ? undefined : own
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0
}
