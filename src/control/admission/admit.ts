/**
 * The gate of every configuration, from files and from the admin API alike: a whole set of
 * documents is either admitted, in canonical form, or refused with everything that is wrong with
 * it. Pure: nothing is read but the arguments.
 */

import type { Resource } from '../../kinds/define-kind.ts'
import { kinds } from '../../kinds/index.ts'
import type { PolicyCatalog } from '../../proxy/policies/define-policy.ts'
import type { ResourceInput } from '../control-api.ts'
import { problemsMax } from '../files/limits.ts'
import type { ParsedConfig, RawDocument } from '../files/parse.ts'
import { formatPlace, type Problem, sortProblems } from '../problem.ts'
import type { AnyDocument, Candidate } from './candidate.ts'
import { checkDocument } from './check-document.ts'
import { checkCycles, checkDuplicates, checkReferences } from './check-references.ts'
import { checkRoutes } from './check-routes.ts'
import { warnAboutSpecs, warnAboutUnused } from './warnings.ts'

export type Admission =
  | { readonly ok: true; readonly resources: Resource[]; readonly warnings: Problem[] }
  | { readonly ok: false; readonly problems: Problem[] }

export type AdmitOptions = {
  /**
   * Objects (`Upstream/books`) that the change deletes: `documents` is then the whole set without
   * them, and references to them are reported as `config.in_use`.
   */
  readonly deleted?: ReadonlySet<string>
  /** Some files could not be read, so that missing names prove nothing: skip what needs them all. */
  readonly isIncomplete?: boolean
}

/** Checks the whole set of documents; on success the resources come ordered by kind and name. */
export function admit(
  documents: readonly RawDocument[] | readonly ResourceInput[],
  catalog: PolicyCatalog,
  options: AdmitOptions = {},
): Admission {
  const { candidates, remainders, problems } = checkEach(documents, catalog)
  if (options.isIncomplete !== true) {
    const deleted = options.deleted ?? new Set()
    problems.push(
      ...checkReferences({ candidates: [...candidates, ...remainders], documents, deleted }),
      ...checkCycles(candidates),
      ...checkRoutes(candidates),
      ...warnAboutSpecs(candidates),
    )
    // Whatever is wrong may be what would use them.
    if (!problems.some(isError)) problems.push(...warnAboutUnused(candidates))
  }
  const sorted = sortProblems(problems)
  if (sorted.some(isError)) return { ok: false, problems: capped(sorted) }
  const resources = candidates.map((candidate) => candidate.resource).toSorted(byKindAndName)
  return { ok: true, resources, warnings: capped(sorted) }
}

/** Admits what `parseConfig` or `loadConfig` read, with the problems of both together. */
export function admitParsed(parsed: ParsedConfig, catalog: PolicyCatalog): Admission {
  const isIncomplete = parsed.problems.some(({ code }) => unreadCodes.has(code))
  const admission = admit(parsed.documents, catalog, { isIncomplete })
  const found = admission.ok ? admission.warnings : admission.problems
  // A value that could not be filled in is also not of the right form: say it once.
  const isBroken = parsed.problems.some(isError)
  const isEcho = ({ code, location }: Problem) =>
    (location !== undefined && parsed.unfilled.has(formatPlace(location))) ||
    (isBroken && code === 'config.unused')
  const all = sortProblems([...parsed.problems, ...found.filter((each) => !isEcho(each))])
  if (all.some(isError)) return { ok: false, problems: capped(all) }
  return admission.ok ? { ...admission, warnings: capped(all) } : admission
}

function isError({ severity }: Problem): boolean {
  return severity === 'error'
}

/** Problems after which some of what was written is not among the documents. */
const unreadCodes: ReadonlySet<string> = new Set([
  'config.syntax',
  'config.too_large',
  'config.unreadable',
])

function checkEach(documents: readonly AnyDocument[], catalog: PolicyCatalog) {
  const candidates: Candidate[] = []
  const remainders: Candidate[] = []
  const problems: Problem[] = checkDuplicates(documents)
  for (const document of documents) {
    const checked = checkDocument(document, catalog)
    if (checked.ok) candidates.push(checked.candidate)
    else {
      problems.push(...checked.problems)
      if (checked.remainder !== undefined) remainders.push(checked.remainder)
    }
  }
  return { candidates, remainders, problems }
}

const kindOrder = new Map(kinds.map((kind, index) => [kind.kind, index]))

function byKindAndName(a: Resource, b: Resource): number {
  const order = (kindOrder.get(a.kind) ?? 0) - (kindOrder.get(b.kind) ?? 0)
  return order !== 0 ? order : Number(a.name > b.name) - Number(a.name < b.name)
}

/** Errors first when there are too many to show: a warning must not push one out. */
function capped(problems: Problem[]): Problem[] {
  if (problems.length <= problemsMax) return problems
  const errors = problems.filter((problem) => problem.severity === 'error')
  const kept = sortProblems(
    [...errors, ...problems.filter((problem) => problem.severity === 'warning')].slice(
      0,
      problemsMax,
    ),
  )
  const [last] = problems.slice(-1)
  const place = last?.location === undefined ? '' : `, up to ${formatPlace(last.location)}`
  const message = `there are ${problems.length - problemsMax} more problems${place}`
  return [...kept, { severity: 'warning', code: 'config.invalid', path: [], message }]
}
