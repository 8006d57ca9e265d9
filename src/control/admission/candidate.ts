/** A resource on its way through admission, and the problems that concern it. */
import type { ErrorCode } from '../../base/errors.ts'
import type { Flaw } from '../../base/schema-check.ts'
import type { KindDefinition, Path, Reference, Resource } from '../../kinds/define-kind.ts'
import type { ResourceInput } from '../control-api.ts'
import type { RawDocument } from '../files/sections.ts'
import type { Problem } from '../problem.ts'
import { writtenPath } from './written-path.ts'

/** From a file, or from somewhere without places, such as an admin call. */
export type AnyDocument = ResourceInput | RawDocument

export type Candidate = {
  readonly document: AnyDocument
  readonly definition: KindDefinition
  /** Canonical: short forms expanded, defaults of policies filled in. */
  readonly resource: Resource
  /** Of the spec and of the configs of its policies. */
  readonly references: readonly Reference[]
  /** Set when only a part of what was written is looked at, because the rest is wrong. */
  readonly remainder?: Remainder
}

export type Remainder = {
  readonly spec: unknown
  /** From a path in `spec` to the path in the document: entries that were left out count again. */
  restore(path: Path): Path
}

/** `Route/books`; for a document without a usable name just `Route`. */
export function objectName({ kind, name }: { kind: string; name: string }): string {
  return name === '' ? kind : `${kind}/${name}`
}

/** A flaw in what was written, as a problem of the document. */
export function problemOf(
  document: AnyDocument,
  flaw: Flaw,
  severity: Problem['severity'] = 'error',
): Problem {
  const location = 'locate' in document ? document.locate(flaw.path, flaw.at) : undefined
  return {
    severity,
    code: flaw.code,
    object: objectName(document),
    path: flaw.path,
    message: flaw.message,
    ...(flaw.suggestion !== undefined && { suggestion: flaw.suggestion }),
    ...(location !== undefined && { location }),
  }
}

export type Finding = {
  readonly severity: Problem['severity']
  readonly code: ErrorCode
  /** In the expanded spec. */
  readonly path: Path
  readonly message: string
  readonly suggestion?: string | undefined
}

/** A finding in the expanded spec, as a problem at the place that was written. */
export function problemAt(candidate: Candidate, finding: Finding): Problem {
  const { document, definition, remainder } = candidate
  const spec = remainder === undefined ? document.spec : remainder.spec
  const written = writtenPath(spec, finding.path, definition.shortForms ?? [])
  const path = remainder === undefined ? written : remainder.restore(written)
  const { code, message, suggestion } = finding
  const flaw: Flaw = { path, at: 'value', code, message, ...(suggestion && { suggestion }) }
  return problemOf(document, flaw, finding.severity)
}
