/** Whether everything that resources refer to exists, and whether anything refers to itself. */
import { suggestion } from '../../base/did-you-mean.ts'
import type { Reference } from '../../kinds/define-kind.ts'
import { formatPlace, type Problem } from '../problem.ts'
import { type AnyDocument, type Candidate, objectName, problemAt, problemOf } from './candidate.ts'

/** Suggestions cost a comparison with every name, so only the first unknown references get one. */
const suggestionsMax = 100

export type ReferenceScope = {
  readonly candidates: readonly Candidate[]
  /** All of them, also those with problems of their own: references to them are not wrong. */
  readonly documents: readonly AnyDocument[]
  /** Objects that this very change deletes. */
  readonly deleted: ReadonlySet<string>
}

/** Names that stand twice within a kind. */
export function checkDuplicates(documents: readonly AnyDocument[]): Problem[] {
  const seen = new Map<string, AnyDocument>()
  const problems: Problem[] = []
  for (const document of documents) {
    if (document.name === '') continue
    const object = objectName(document)
    const first = seen.get(object)
    if (first === undefined) {
      seen.set(object, document)
      continue
    }
    const location = 'locate' in first ? first.locate(['name']) : undefined
    const elsewhere = location === undefined ? '' : `; the first stands at ${formatPlace(location)}`
    problems.push(
      problemOf(document, {
        path: ['name'],
        at: 'value',
        code: 'config.duplicate_name',
        message: `is used twice${elsewhere}`,
      }),
    )
  }
  return problems
}

/** References that lead nowhere; those to deleted objects are told from the side of the object. */
export function checkReferences({ candidates, documents, deleted }: ReferenceScope): Problem[] {
  const namesByKind = new Map<string, Set<string>>()
  for (const { kind, name } of documents) {
    const names = namesByKind.get(kind) ?? new Set()
    namesByKind.set(kind, names.add(name))
  }
  const partsByObject = new Map(
    candidates.map((each) => [objectName(each.resource), partsOf(each)]),
  )
  const problems: Problem[] = []
  const usersOfDeleted = new Map<string, Set<string>>()
  for (const candidate of candidates) {
    for (const reference of candidate.references) {
      const object = objectName(reference)
      const names = namesByKind.get(reference.kind) ?? new Set()
      if (names.has(reference.name)) {
        const parts = partsByObject.get(object)
        const isKnown = reference.part === undefined || parts?.includes(reference.part) !== false
        if (!isKnown) problems.push(unknownPart(candidate, reference, parts ?? []))
      } else if (deleted.has(object)) {
        const users = usersOfDeleted.get(object) ?? new Set()
        usersOfDeleted.set(object, users.add(objectName(candidate.resource)))
      } else {
        const isEarly = problems.length < suggestionsMax
        problems.push(unknownReference(candidate, reference, isEarly ? names : []))
      }
    }
  }
  return [...problems, ...[...usersOfDeleted].map(([object, users]) => inUse(object, users))]
}

function partsOf({ definition, resource }: Candidate): readonly string[] | undefined {
  return definition.parts?.(resource.spec)
}

function unknownReference(
  candidate: Candidate,
  reference: Reference,
  names: Iterable<string>,
): Problem {
  return problemAt(candidate, {
    severity: 'error',
    code: 'config.unknown_reference',
    path: reference.path,
    message: `names the ${reference.kind} \`${reference.name}\`, which does not exist`,
    suggestion: suggestion(reference.name, names),
  })
}

function unknownPart(
  candidate: Candidate,
  reference: Reference,
  parts: readonly string[],
): Problem {
  const part = reference.part ?? ''
  return problemAt(candidate, {
    severity: 'error',
    code: 'config.unknown_reference',
    path: reference.path,
    message: `names \`${part}\` of the ${reference.kind} \`${reference.name}\`, which has ${parts.join(', ')}`,
    suggestion: suggestion(part, parts),
  })
}

/** Users named in one message; the rest are counted. */
const usersListedMax = 5

function inUse(object: string, users: ReadonlySet<string>): Problem {
  const listed = [...users].toSorted().slice(0, usersListedMax).join(', ')
  const more = users.size > usersListedMax ? ` and ${users.size - usersListedMax} more` : ''
  return {
    severity: 'error',
    code: 'config.in_use',
    object,
    path: [],
    message: `cannot be deleted: it is used by ${listed}${more}; remove these references first, or delete them in the same change`,
  }
}

/** Circles of references, such as policy sets that use each other; each is reported once. */
export function checkCycles(candidates: readonly Candidate[]): Problem[] {
  const byObject = new Map(candidates.map((each) => [objectName(each.resource), each]))
  const finished = new Set<string>()
  const problems: Problem[] = []
  for (const start of byObject.keys()) {
    if (!finished.has(start)) walk(start, { byObject, finished, problems })
  }
  return problems
}

type CycleSearch = {
  readonly byObject: ReadonlyMap<string, Candidate>
  readonly finished: Set<string>
  readonly problems: Problem[]
}

/** Depth first with a stack of its own: a chain may be longer than the call stack is deep. */
function walk(start: string, { byObject, finished, problems }: CycleSearch): void {
  const trail: { object: string; references: Reference[] }[] = []
  const onTrail = new Set<string>()
  const enter = (object: string) => {
    const candidate = byObject.get(object)
    trail.push({ object, references: [...(candidate?.references ?? [])] })
    onTrail.add(object)
  }
  enter(start)
  for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
    const reference = top.references.shift()
    if (reference === undefined) {
      finished.add(top.object)
      onTrail.delete(top.object)
      trail.pop()
      continue
    }
    const target = objectName(reference)
    const candidate = byObject.get(top.object)
    if (onTrail.has(target) && candidate !== undefined) {
      const circle = trail.map((each) => each.object)
      const names = [...circle.slice(circle.indexOf(target)), target]
      problems.push(cycle(candidate, reference, names))
    } else if (!finished.has(target) && byObject.has(target)) enter(target)
  }
}

/** Objects of a circle that are named; a longer one is shown from both ends. */
const circleListedMax = 6

function cycle(candidate: Candidate, reference: Reference, names: readonly string[]): Problem {
  const shown =
    names.length <= circleListedMax + 1
      ? names
      : [...names.slice(0, circleListedMax), '…', ...names.slice(-1)]
  const message = names.length === 2 ? 'refers to itself' : `closes a circle: ${shown.join(' → ')}`
  return problemAt(candidate, {
    severity: 'error',
    code: 'config.reference_cycle',
    path: reference.path,
    message,
  })
}
