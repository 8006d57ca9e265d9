/**
 * What changes when one set of resources turns into another: objects, fields, and what callers
 * notice. Both sides are in canonical form, so short forms and defaults never show; neither does the
 * order of keys. Pure.
 */
import type { Path, Resource } from '../kinds/define-kind.ts'
import { kinds } from '../kinds/index.ts'
import type { FieldChange, PlannedChange } from './control-api.ts'
import { type EffectContext, effectsOf } from './plan-effects.ts'
import { formatPath } from './problem.ts'
import { objectOf } from './references.ts'

/** One object that is created, changed or deleted. */
export type ResourceChange = {
  readonly action: PlannedChange['action']
  /** The object as it is after the change, or as it was when it is deleted. */
  readonly subject: Resource
  readonly before: Resource | undefined
  readonly after: Resource | undefined
}

export type Difference = {
  /** In the order of kinds, then by name. */
  readonly changes: readonly ResourceChange[]
  /** Resources of `after` that are as they were. */
  readonly unchangedCount: number
}

/** Compares two whole definitions. */
export function compareResources(
  before: readonly Resource[],
  after: readonly Resource[],
): Difference {
  const left = byObject(before)
  const right = byObject(after)
  const changes: ResourceChange[] = []
  let unchangedCount = 0
  for (const [object, resource] of right) {
    const old = left.get(object)
    if (old !== undefined && isSame(describable(old), describable(resource))) unchangedCount++
    else changes.push(changeOf(old, resource, resource))
  }
  for (const [object, resource] of left) {
    if (!right.has(object)) changes.push(changeOf(resource, undefined, resource))
  }
  return { changes: changes.sort(byKindThenName), unchangedCount }
}

function changeOf(
  before: Resource | undefined,
  after: Resource | undefined,
  subject: Resource,
): ResourceChange {
  if (before === undefined) return { action: 'create', subject, before, after }
  return { action: after === undefined ? 'delete' : 'change', subject, before, after }
}

export function byObject<Item extends Resource>(items: readonly Item[]): Map<string, Item> {
  return new Map(items.map((item) => [objectOf(item), item]))
}

/** Says in fields and effects what a change is. */
export function describeChange(change: ResourceChange, context: EffectContext): PlannedChange {
  const { kind, name, workspace } = change.subject
  return {
    action: change.action,
    key: { workspace, kind, name },
    fields: fieldChanges(change),
    effects: effectsOf(change, context),
  }
}

function fieldChanges(change: ResourceChange): FieldChange[] {
  const before = change.before === undefined ? {} : describable(change.before)
  const after = change.after === undefined ? {} : describable(change.after)
  return compareMaps(before, after, [])
}

type PlainMap = Readonly<Record<string, unknown>>

/** Metadata and spec side by side, as in files. An empty map of labels is none. */
function describable({ labels, description, owner, spec }: Resource): PlainMap {
  return {
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(description !== undefined && { description }),
    ...(owner !== undefined && { owner }),
    ...(isMap(spec) ? spec : { spec }),
  }
}

function compareValues(before: unknown, after: unknown, path: Path): FieldChange[] {
  if (isSame(before, after)) return []
  if (isMap(before) && isMap(after)) return compareMaps(before, after, path)
  if (Array.isArray(before) && Array.isArray(after)) return compareLists(before, after, path)
  return [
    {
      path: formatPath(path),
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
    },
  ]
}

function compareMaps(before: PlainMap, after: PlainMap, path: Path): FieldChange[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => compareValues(before[key], after[key], [...path, key]))
}

/** What the lists share at their ends is skipped, so that one entry more or less shows as just that. */
function compareLists(
  before: readonly unknown[],
  after: readonly unknown[],
  path: Path,
): FieldChange[] {
  const shorter = Math.min(before.length, after.length)
  let head = 0
  while (head < shorter && isSame(before[head], after[head])) head++
  let tail = 0
  while (tail < shorter - head && isSame(before.at(-1 - tail), after.at(-1 - tail))) tail++
  const longest = Math.max(before.length, after.length) - tail
  const fields: FieldChange[] = []
  for (let index = head; index < longest; index++) {
    const old = index < before.length - tail ? before[index] : undefined
    const now = index < after.length - tail ? after[index] : undefined
    fields.push(...compareValues(old, now, [...path, index]))
  }
  return fields
}

/** Equal but for the order of keys; a key that is undefined is absent. */
export function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isSame(item, right[index]))
  }
  if (!isMap(left) || !isMap(right)) return false
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...keys].every((key) => isSame(left[key], right[key]))
}

function isMap(value: unknown): value is PlainMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const kindOrder = new Map(kinds.map(({ kind }, index) => [kind, index]))

function byKindThenName({ subject: a }: ResourceChange, { subject: b }: ResourceChange): number {
  const order = (kindOrder.get(a.kind) ?? kinds.length) - (kindOrder.get(b.kind) ?? kinds.length)
  if (order !== 0) return order
  return a.name < b.name ? -1 : 1
}
