/** How a resource is written in a body, and how problems found in it are told in terms of that body. */
import { HeadgateError } from '../../base/errors.ts'
import {
  isProblemLike,
  jsonPointer,
  type ProblemEntry,
  type ProblemLike,
  problemEntry,
} from '../../base/problem.ts'
import { s } from '../../base/schema.ts'
import {
  defaultWorkspace,
  type KindDefinition,
  metadataSchema,
  type Path,
} from '../../kinds/define-kind.ts'
import type { Plan, ResourceInput } from '../control-api.ts'

/** Members that an answer has and a request may repeat: what was read can be sent back as it is. */
const readOnlyMembers = {
  workspace: s.literal(defaultWorkspace).optional().describe('Only one exists so far.'),
  revision: s.unknown().optional().meta({ readOnly: true }),
  createdAt: s.unknown().optional().meta({ readOnly: true }),
  updatedAt: s.unknown().optional().meta({ readOnly: true }),
  managedBy: s.unknown().optional().meta({ readOnly: true }),
  status: s.unknown().optional().meta({ readOnly: true }),
  warnings: s.unknown().optional().meta({ readOnly: true }),
}

const anyMap = s.record(s.string().max(1_024), s.unknown())

/** The body of a `PUT`, checked only in outline: admission judges the rest, as it does for files. */
export const resourceBody = s.strictObject({
  kind: s.string().max(63).optional(),
  name: s.string().max(63).optional(),
  labels: s.unknown().optional(),
  description: s.unknown().optional(),
  owner: s.unknown().optional(),
  spec: anyMap,
  ...readOnlyMembers,
})

/** The same for one of the `puts` of a change, which has to say what it is. */
export function resourceInChange(kindNames: readonly [string, ...string[]]) {
  return s.strictObject({
    ...resourceBody.shape,
    kind: s.enum(kindNames),
    name: s.string().min(1).max(63),
  })
}

/** What the two mean in full, for the description of the API. */
export function describedResource(
  definition: KindDefinition,
  options: { readonly isNamed: boolean },
) {
  const kind = s.literal(definition.kind)
  const { name, labels, description, owner } = metadataSchema.shape
  return s.strictObject({
    kind: options.isNamed ? kind : kind.optional(),
    name: options.isNamed ? name : name.optional(),
    labels,
    description,
    owner,
    spec: definition.spec,
    ...readOnlyMembers,
  })
}

/** Keeps what the control plane takes. */
export function inputOf(
  identity: { readonly kind: string; readonly name: string },
  body: s.infer<typeof resourceBody>,
): ResourceInput {
  const { labels, description, owner, spec } = body
  return {
    kind: identity.kind,
    name: identity.name,
    ...(labels !== undefined && { labels }),
    ...(description !== undefined && { description }),
    ...(owner !== undefined && { owner }),
    spec,
  }
}

/** Finds the path in the body for a path in an object; undefined when the body has no such object. */
export type Locate = (object: string | undefined, path: Path) => Path | undefined

const metadataKeys = new Set<string | number>([
  'kind',
  'workspace',
  'spec',
  ...Object.keys(metadataSchema.shape),
])

/**
 * Problems name a place inside the object as files have it, where metadata and spec stand side by
 * side; in a body the spec is a member of its own.
 */
export function pathInBody(path: Path): Path {
  const [first] = path
  return first !== undefined && metadataKeys.has(first) ? path : ['spec', ...path]
}

/** The error again, its problems told as places in the body. Anything else passes unchanged. */
export function inTermsOfBody(thrown: unknown, locate: Locate): unknown {
  if (!(thrown instanceof HeadgateError) || !Array.isArray(thrown.detail.problems)) return thrown
  const { problems, ...detail } = thrown.detail
  const found = problems.filter(isProblemLike)
  const entries = (isWarning: boolean) =>
    found
      .filter((problem) => (problem.severity === 'warning') === isWarning)
      .map((problem) => entryInBody(problem, locate))
  const warnings = entries(true)
  return new HeadgateError(thrown.code, {
    message: thrown.message,
    cause: thrown.cause,
    detail: {
      ...detail,
      errors: entries(false),
      ...(warnings.length > 0 && { warnings }),
    },
  })
}

/** A plan as answers show it. */
export function planView(plan: Plan, locate: Locate): Readonly<Record<string, unknown>> {
  return { ...plan, warnings: plan.warnings.map((problem) => entryInBody(problem, locate)) }
}

export function entryInBody(problem: ProblemLike, locate: Locate): ProblemEntry {
  const entry = problemEntry(problem)
  const path = locate(problem.object, problem.path)
  if (path !== undefined) return { ...entry, pointer: jsonPointer(path) }
  // Another object refers to what changes: the place is inside that one, not in the body.
  const { pointer, ...rest } = entry
  return pointer === undefined || pointer === '' ? rest : { ...rest, objectPointer: pointer }
}
