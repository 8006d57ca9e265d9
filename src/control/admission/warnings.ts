/** What is valid and still probably not meant. */
import type { Problem } from '../problem.ts'
import { type Candidate, objectName, problemAt } from './candidate.ts'

/** Suspicions that each kind has about its own specs. */
export function warnAboutSpecs(candidates: readonly Candidate[]): Problem[] {
  return candidates.flatMap((candidate) => {
    const warnings = candidate.definition.warnings?.(candidate.resource.spec) ?? []
    return warnings.map((warning) => problemAt(candidate, { severity: 'warning', ...warning }))
  })
}

/** Objects that do nothing unless something refers to them, and nothing does. */
export function warnAboutUnused(candidates: readonly Candidate[]): Problem[] {
  const used = new Set(candidates.flatMap(({ references }) => references.map(objectName)))
  return candidates
    .filter(({ definition, resource }) => definition.needsUser && !used.has(objectName(resource)))
    .map((candidate) =>
      problemAt(candidate, {
        severity: 'warning',
        code: 'config.unused',
        path: [],
        message: 'is not used by anything',
      }),
    )
}
