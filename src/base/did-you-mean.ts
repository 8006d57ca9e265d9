/**
 * Finds what somebody probably meant to write. The distance is Damerau-Levenshtein in its
 * "optimal string alignment" form (a swap of neighbours counts once), over words without case,
 * hyphens and underscores, because `rate_limit` and `firstbyte` are the commonest slips.
 */

/** Longer words are cut: nobody mistypes a name of this length, and the cost is quadratic. */
const comparedCharactersMax = 64

/**
 * The one of `candidates` that is nearest to `word`, or undefined when none is near enough to be
 * worth showing. An exact match is never suggested.
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(word)
  if (wanted === '') return undefined
  let best: { text: string; score: number } | undefined
  for (const candidate of candidates) {
    if (candidate === word) continue
    const score = scoreOf(wanted, plain(candidate))
    if (score !== undefined && (best === undefined || score < best.score)) {
      best = { text: candidate, score }
    }
  }
  return best?.text
}

/** The sentence that problems carry: "did you mean `timeouts`?"; undefined when nothing is near. */
export function suggestion(word: string, candidates: Iterable<string>): string | undefined {
  const nearest = didYouMean(word, candidates)
  return nearest === undefined ? undefined : `did you mean \`${nearest}\`?`
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ ]/g, '').slice(0, comparedCharactersMax)
}

/** Small is near; undefined is too far to mention. */
function scoreOf(wanted: string, candidate: string): number | undefined {
  const tolerance = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3))
  const distance = editDistance(wanted, candidate, tolerance)
  if (distance !== undefined && distance < Math.max(wanted.length, candidate.length))
    return distance
  // `limit` for `rate-limit`, `connect-timeout` for `connect`: a whole word left out or added.
  const [short, long] = wanted.length < candidate.length ? [wanted, candidate] : [candidate, wanted]
  return short.length >= 4 && long.includes(short)
    ? tolerance + (long.length - short.length)
    : undefined
}

/** Edits that lead from `a` to `b`; undefined when there are more than `editsMax`. */
export function editDistance(a: string, b: string, editsMax: number): number | undefined {
  if (Math.abs(a.length - b.length) > editsMax) return undefined
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1]
      let edits = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (isSame ? 0 : 1),
      )
      const isSwap =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (isSwap) edits = Math.min(edits, (beforePrevious[column - 2] ?? 0) + 1)
      current.push(edits)
    }
    if (Math.min(...current) > editsMax) return undefined
    beforePrevious = previous
    previous = current
  }
  const distance = previous[b.length] ?? 0
  return distance <= editsMax ? distance : undefined
}
