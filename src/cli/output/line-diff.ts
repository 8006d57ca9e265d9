/** Which lines were taken away and which were added, with the unchanged ones between. */

export type DiffLine = { readonly mark: ' ' | '-' | '+'; readonly text: string }

/** Beyond this the texts are shown as replaced whole: the table below grows with the product. */
const linesMax = 2_000

/** The longest common subsequence of lines decides; ties go to removal first, as in `diff -u`. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before.split('\n')
  const b = after.split('\n')
  if (a.length > linesMax || b.length > linesMax) {
    return [...a.map(mark('-')), ...b.map(mark('+'))]
  }
  const common = commonLengths(a, b)
  const lines: DiffLine[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      lines.push({ mark: ' ', text: a[i] ?? '' })
      i += 1
      j += 1
    } else if ((common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0)) {
      lines.push({ mark: '-', text: a[i] ?? '' })
      i += 1
    } else {
      lines.push({ mark: '+', text: b[j] ?? '' })
      j += 1
    }
  }
  return [...lines, ...a.slice(i).map(mark('-')), ...b.slice(j).map(mark('+'))]
}

function mark(sign: DiffLine['mark']): (text: string) => DiffLine {
  return (text) => ({ mark: sign, text })
}

/** `common[i][j]`: length of the longest common subsequence of `a` from `i` and `b` from `j`. */
function commonLengths(a: readonly string[], b: readonly string[]): Uint16Array[] {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1))
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const row = rows[i]
    const below = rows[i + 1]
    if (row === undefined || below === undefined) continue
    for (let j = b.length - 1; j >= 0; j -= 1) {
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0)
    }
  }
  return rows
}

/** Keeps `contextLines` unchanged lines around each change, and marks where some were left out. */
export function diffHunks(lines: readonly DiffLine[], contextLines = 2): DiffLine[] {
  const isNear = (index: number) =>
    lines
      .slice(Math.max(0, index - contextLines), index + contextLines + 1)
      .some((line) => line.mark !== ' ')
  const kept: DiffLine[] = []
  let isGap = false
  for (const [index, line] of lines.entries()) {
    if (isNear(index)) {
      if (isGap && kept.length > 0) kept.push({ mark: ' ', text: '⋮' })
      kept.push(line)
      isGap = false
    } else isGap = true
  }
  return kept
}
