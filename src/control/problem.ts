import type { ErrorCode } from '../base/errors.ts'
import type { Path } from '../kinds/define-kind.ts'

/** One thing that is wrong with a configuration, said so that the reader can mend it. */
export type Problem = {
  /** An error refuses the whole change; a warning is shown and lets it pass. */
  readonly severity: 'error' | 'warning'
  readonly code: ErrorCode
  /** `Route/books`; absent for what belongs to no object, such as a syntax error. */
  readonly object?: string
  /** Where, inside the object as it was written (short forms included). */
  readonly path: Path
  /** A clause that follows the place: "must be a duration such as `30s`". */
  readonly message: string
  /** What was probably meant: "did you mean `timeouts`?" */
  readonly suggestion?: string
  readonly location?: SourceLocation
}

export type SourceLocation = {
  readonly file: string
  /** Both from 1. */
  readonly line: number
  readonly column: number
}

/** In the order of reading: file, line, column; what has no place in a file comes last. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) =>
      compareLocations(a.location, b.location) ||
      compareText(a.object ?? '', b.object ?? '') ||
      compareText(a.path.join('.'), b.path.join('.')),
  )
}

function compareLocations(a: SourceLocation | undefined, b: SourceLocation | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return compareText(a.file, b.file) || a.line - b.line || a.column - b.column
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** The whole sentence: "`match.path` of Route/books must start with `/`". */
export function sentenceFor(problem: Problem): string {
  const place = placeOf(problem)
  return place === '' ? problem.message : `${place} ${problem.message}`
}

function placeOf({ object, path }: Problem): string {
  if (path.length === 0) return object ?? ''
  const steps = `\`${formatPath(path)}\``
  return object === undefined ? steps : `${steps} of ${object}`
}

/** `keys[0].name`; a key that is no plain word is put in quotes. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    const word = /^[A-Za-z0-9_$-]+$/.test(key) ? key : JSON.stringify(key)
    return text === '' ? word : `${text}.${word}`
  }, '')
}

/** `headgate.yaml:12:7`. */
export function formatPlace({ file, line, column }: SourceLocation): string {
  return `${file}:${line}:${column}`
}
