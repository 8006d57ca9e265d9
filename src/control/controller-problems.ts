/** Problems to errors and to lines. */
import { HeadgateError } from '../base/errors.ts'
import { formatPlace, type Problem, sentenceFor } from './problem.ts'

/** Problems that an audit entry or a condition holds; the answer to the caller holds all. */
export const problemsKeptMax = 20

export function errorsAmong(problems: readonly Problem[]): readonly Problem[] {
  return problems.filter(({ severity }) => severity === 'error')
}

/**
 * `config.invalid`, or the code of the problems when they all have the same reason to be told apart,
 * with every problem in `detail.problems` and the first one in the message.
 */
export function invalid(problems: readonly Problem[]): HeadgateError {
  const errors = errorsAmong(problems)
  const first = errors[0] ?? problems[0]
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  const isInUse = errors.every(({ code }) => code === 'config.in_use')
  return new HeadgateError(isInUse ? 'config.in_use' : 'config.invalid', {
    message: first === undefined ? 'the definition is not valid' : `${lineOf(first)}${more}`,
    detail: { problems },
  })
}

export function throwIfAny(problems: readonly Problem[]): void {
  if (errorsAmong(problems).length > 0) throw invalid(problems)
}

/** ``headgate.yaml:3:5: `match.path` of Route/books must start with `/` ``. */
export function lineOf(problem: Problem): string {
  const { location, suggestion } = problem
  const place = location === undefined ? '' : `${formatPlace(location)}: `
  const hint = suggestion === undefined ? '' : `; ${suggestion}`
  return `${place}${sentenceFor(problem)}${hint}`
}

/** One line per problem after the first, indented: the rest of a message that ends with the first. */
export function furtherLinesOf(problems: readonly Problem[]): string {
  const further = problems.slice(1, problemsKeptMax).map((problem) => `\n  ${lineOf(problem)}`)
  const leftOut = problems.length - problemsKeptMax
  return further.join('') + (leftOut > 0 ? `\n  and ${leftOut} more` : '')
}

/** The problems of an error that refused a definition; an error without any becomes one itself. */
export function problemsOf(error: HeadgateError): readonly Problem[] {
  const { problems } = error.detail
  if (isProblemList(problems)) return problems
  return [{ severity: 'error', code: error.code, path: [], message: error.message }]
}

/** The detail of our own errors is typed as unknown; this is the shape that `invalid` gives it. */
function isProblemList(value: unknown): value is readonly Problem[] {
  return Array.isArray(value) && value.length > 0 && value.every(isProblem)
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' &&
    value !== null &&
    'severity' in value &&
    'code' in value &&
    'path' in value &&
    'message' in value
  )
}
