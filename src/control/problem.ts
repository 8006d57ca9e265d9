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
