/** Everything that can be said about one document without looking at the others. */
import { suggestion } from '../../base/did-you-mean.ts'
import { checkValue, type Flaw, unknownKey, valueAt } from '../../base/schema-check.ts'
import { oneOf } from '../../base/schema-messages.ts'
import { alternativesOf, knownKeysOf } from '../../base/schema-walk.ts'
import {
  defaultWorkspace,
  type KindDefinition,
  metadataSchema,
  type Path,
  type Reference,
} from '../../kinds/define-kind.ts'
import { kinds } from '../../kinds/index.ts'
import type { PolicyCatalog } from '../../proxy/policies/define-policy.ts'
import type { Problem } from '../problem.ts'
import { type AnyDocument, type Candidate, problemOf } from './candidate.ts'
import { checkPolicies, writtenEntries } from './check-policies.ts'
import { remainderOf } from './remainder.ts'

export type CheckedDocument =
  | { readonly ok: true; readonly candidate: Candidate }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      /** The document without what is wrong, to check its references all the same. */
      readonly remainder?: Candidate | undefined
    }

const metadataKeys = Object.keys(metadataSchema.shape)
const kindsByName = new Map(kinds.map((kind) => [kind.kind, kind]))

/** Checks kind, metadata, spec and the configs of policies, and brings it into canonical form. */
export function checkDocument(document: AnyDocument, catalog: PolicyCatalog): CheckedDocument {
  const definition = kindsByName.get(document.kind)
  if (definition === undefined) return { ok: false, problems: [unknownKind(document)] }
  const metadata = checkMetadata(document, definition)
  const spec = checkSpec(document, definition, catalog)
  if (metadata.ok && spec.ok) {
    const { labels = {}, description, owner } = metadata.value
    const resource = {
      kind: definition.kind,
      name: metadata.value.name,
      workspace: defaultWorkspace,
      labels,
      ...(description !== undefined && { description }),
      ...(owner !== undefined && { owner }),
      spec: spec.value,
    }
    return { ok: true, candidate: { document, definition, resource, references: spec.references } }
  }
  const specFlaws = spec.ok ? [] : spec.flaws.map((flaw) => knowingMetadata(flaw, definition))
  const flaws = [...(metadata.ok ? [] : metadata.flaws), ...specFlaws]
  return {
    ok: false,
    problems: flaws.map((flaw) => problemOf(document, flaw)),
    remainder: remainderOf(document, definition, spec.ok ? [] : spec.ownFlaws),
  }
}

/** In files metadata stands beside the spec, so its keys are known there too. */
function knowingMetadata(flaw: Flaw, { spec }: KindDefinition): Flaw {
  if (flaw.code !== 'config.unknown_key' || flaw.path.length !== 1) return flaw
  return unknownKey(flaw.path, [...metadataKeys, ...knownKeysOf(alternativesOf(spec))])
}

function unknownKind(document: AnyDocument): Problem {
  const names = kinds.map((kind) => kind.kind)
  const hint = suggestion(String(document.kind), names)
  return problemOf(document, {
    path: ['kind'],
    at: 'value',
    code: 'config.bad_value',
    message: `must be ${oneOf(names)}`,
    ...(hint !== undefined && { suggestion: hint }),
  })
}

function checkMetadata(document: AnyDocument, definition: KindDefinition) {
  const { name, labels, description, owner } = document
  const given = Object.entries({ name, labels, description, owner }).filter(
    ([key, value]) => value !== undefined && !(key === 'name' && value === ''),
  )
  const checked = checkValue(metadataSchema, Object.fromEntries(given))
  if (!checked.ok || definition.isSingleton !== true || name === 'default') return checked
  const flaw: Flaw = {
    path: ['name'],
    at: 'value',
    code: 'config.bad_value',
    message: 'must be `default`: there is exactly one of this kind',
  }
  return { ok: false, flaws: [flaw] } as const
}

type CheckedSpec =
  | { readonly ok: true; readonly value: unknown; readonly references: readonly Reference[] }
  | {
      readonly ok: false
      readonly flaws: readonly Flaw[]
      /** Those of the spec itself, without those of the configs of policies. */
      readonly ownFlaws: readonly Flaw[]
    }

function checkSpec(
  document: AnyDocument,
  definition: KindDefinition,
  catalog: PolicyCatalog,
): CheckedSpec {
  const checked = checkValue(definition.spec, document.spec)
  if (!checked.ok) {
    // Configs of policies are checked all the same, so that everything is reported at once.
    const flaws = (definition.policyLists ?? []).flatMap((list) => {
      const entries = writtenEntries(valueAt(document.spec, list))
      return checkPolicies(entries, { document, list, catalog }).flaws
    })
    return { ok: false, flaws: [...checked.flaws, ...flaws], ownFlaws: checked.flaws }
  }
  let spec = definition.expand(checked.value)
  const flaws: Flaw[] = []
  const references = [...definition.references(spec)]
  for (const list of definition.policyLists ?? []) {
    if (valueAt(spec, list) === undefined) continue
    const entries = writtenEntries(valueAt(spec, list))
    const result = checkPolicies(entries, { document, list, catalog })
    flaws.push(...result.flaws)
    references.push(...result.references)
    spec = withValueAt(spec, list, result.entries)
  }
  return flaws.length === 0
    ? { ok: true, value: spec, references }
    : { ok: false, flaws, ownFlaws: [] }
}

/** A copy of `value` with another value at `path`. */
function withValueAt(value: unknown, path: Path, replacement: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return replacement
  if (Array.isArray(value)) {
    return value.map((item, index) => (index === key ? withValueAt(item, rest, replacement) : item))
  }
  const entries = Object.entries(Object(value))
  return Object.fromEntries(
    entries.map(([name, item]) => [
      name,
      name === String(key) ? withValueAt(item, rest, replacement) : item,
    ]),
  )
}
