import type { ErrorCode } from '../base/errors.ts'
import { s } from '../base/schema.ts'

/**
 * A kind is declared once; validation, admin routes and OpenAPI, JSON Schema, CLI columns and
 * reference pages are all derived from its definition (`docs/explanation/resources.md`).
 */
export type KindDefinition<Spec = unknown, Input = unknown> = {
  /** PascalCase singular, as in `kind: Route`. */
  readonly kind: string
  /** camelCase plural: the key in files and the collection in the admin API. */
  readonly plural: string
  /** One sentence for people. */
  readonly summary: string
  /** A paragraph or two of Markdown for the reference page. */
  readonly description: string
  /** Exactly one object of this kind exists, and it is named `default`. */
  readonly isSingleton?: boolean
  /** Does nothing unless another object refers to it: nobody doing so is worth a warning. */
  readonly needsUser?: boolean
  /** What may be written: short and long forms side by side. */
  readonly spec: s.ZodType<Input>
  /** Rewrites the short forms into the one canonical long form, which `spec` accepts too. Pure. */
  expand(input: Input): Spec
  /**
   * The inverse: the shortest form that expands to exactly this spec. Without it the long form is
   * what `export` writes.
   */
  shorten?(spec: Spec): Input
  /**
   * How places of the long form are called in short forms, so that a problem can point at what was
   * written: `['versions.*.accountRef', 'versions.*.account']`. The first that exists is meant.
   */
  readonly shortForms?: readonly (readonly [long: string, short: string])[]
  /** Where the expanded spec holds lists of policies, whose configs admission checks. */
  readonly policyLists?: readonly Path[]
  /** Named parts that a reference may point at, such as the versions of an upstream. */
  parts?(spec: Spec): readonly string[]
  /** What is suspicious about an expanded spec though it is valid; shown as warnings. */
  warnings?(spec: Spec): readonly SpecWarning[]
  /** Every reference of an expanded spec to another object. */
  references(spec: Spec): Reference[]
  /** Columns of `headgate get`, besides the name. */
  readonly columns: readonly Column<Spec>[]
  /** Operations beyond reading and writing the definition; they change run-time state. */
  readonly actions: readonly ActionDefinition[]
  /** Short documents in file form; each is validated by a test and shown in the reference. */
  readonly examples: readonly KindExample[]
}

export type Path = readonly (string | number)[]

export type Reference = {
  /** Kind of the object referred to. */
  readonly kind: string
  readonly name: string
  /** Where the reference stands in the expanded spec. */
  readonly path: Path
  /** For a reference into an object, e.g. a version of an upstream. */
  readonly part?: string
}

export type SpecWarning = {
  readonly code: ErrorCode
  /** In the expanded spec. */
  readonly path: Path
  /** A clause that follows the place. */
  readonly message: string
}

export type Column<Spec> = {
  readonly title: string
  /** Shown with `-o wide` only. */
  readonly isWide?: boolean
  value(spec: Spec, status: Readonly<Record<string, unknown>>): string
}

export type ActionDefinition = {
  /** camelCase verb: `POST /api/v1/<plural>/<name>:<verb>`. */
  readonly verb: string
  readonly summary: string
  /** Body of the call; `reason` is accepted everywhere and is stored in the audit. */
  readonly input: s.ZodType
}

export type KindExample = { readonly title: string; readonly yaml: string }

/** Keeps the inferred types of one kind together. */
export function defineKind<Spec, Input>(
  definition: KindDefinition<Spec, Input>,
): KindDefinition<Spec, Input> {
  return definition
}

const labelKey = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$/

/** What every resource carries besides its spec. In files these keys stand beside those of the spec. */
export const metadataSchema = s.strictObject({
  name: s.name().meta({
    description: 'Identity; unique per kind and workspace. References use it.',
    examples: ['books', 'books-v2'],
  }),
  labels: s
    .map(
      s.string().min(1).max(63).regex(labelKey, 'must be a label such as `team` or `acme.io/tier`'),
      s.string().max(256),
      { entriesMax: 64 },
    )
    .optional()
    .meta({
      description: 'Free key-value pairs for selection and reports.',
      examples: [{ team: 'catalog', tier: 'gold' }],
    }),
  description: s
    .string()
    .max(2_048)
    .optional()
    .meta({
      description: 'What it is for, in a sentence.',
      examples: ['The public bookshop API.'],
    }),
  owner: s
    .string()
    .max(256)
    .optional()
    .meta({
      description: 'Team or person that answers for it.',
      examples: ['team-catalog', 'ada@example.com'],
    }),
})

export type Metadata = s.infer<typeof metadataSchema>

/** A resource in canonical form: what admission returns, the store keeps and `compile` reads. */
export type Resource<Spec = unknown> = {
  readonly kind: string
  readonly name: string
  readonly workspace: string
  readonly labels: Readonly<Record<string, string>>
  readonly description?: string
  readonly owner?: string
  readonly spec: Spec
}

/** The one workspace that exists until there can be more. */
export const defaultWorkspace = 'default'
