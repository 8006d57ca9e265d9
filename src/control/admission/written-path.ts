/** From a place in the expanded spec back to the place that somebody wrote. */
import { valueAt } from '../../base/schema-check.ts'
import type { Path } from '../../kinds/define-kind.ts'

type ShortForms = readonly (readonly [long: string, short: string])[]

/**
 * The path in `input`, the spec as it was written, that stands for `path` in the expanded spec:
 * the same one, or that of a short form, or else the nearest enclosing place that was written.
 */
export function writtenPath(input: unknown, path: Path, shortForms: ShortForms): Path {
  if (valueAt(input, path) !== undefined) return path
  for (const [long, short] of shortForms) {
    const captured = capture(long.split('.'), path)
    if (captured === undefined) continue
    const place = fill(short.split('.'), captured)
    const deeper = [...place, ...path.slice(long.split('.').length)]
    if (valueAt(input, deeper) !== undefined) return deeper
    if (valueAt(input, place) !== undefined) return place
  }
  return nearest(input, path)
}

/** What the `*` of the pattern stand for; undefined when the path does not begin like it. */
function capture(pattern: readonly string[], path: Path): Path | undefined {
  if (path.length < pattern.length) return undefined
  const captured: (string | number)[] = []
  for (const [index, step] of pattern.entries()) {
    const key = path[index] ?? ''
    if (step === '*') captured.push(key)
    else if (step !== String(key)) return undefined
  }
  return captured
}

function fill(pattern: readonly string[], captured: Path): Path {
  const rest = [...captured]
  return pattern.map((step) => (step === '*' ? (rest.shift() ?? '') : step))
}

function nearest(input: unknown, path: Path): Path {
  for (let length = path.length - 1; length > 0; length--) {
    const shorter = path.slice(0, length)
    if (valueAt(input, shorter) !== undefined) return shorter
  }
  return []
}
