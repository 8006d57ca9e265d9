/**
 * Comments keep their column. The library takes a comment for a part of whatever stands above it and
 * indents it like that: a heading of the next section would move into the section before.
 */

type CommentLine = {
  readonly lineIndex: number
  readonly text: string
  readonly column: number
  /** The line of content above it; undefined at the top. */
  readonly above: string | undefined
}

/** `formatted` with the whole-line comments where `original` has them, as far as the lines above agree. */
export function restoreCommentColumns(original: string, formatted: string): string {
  const wanted = commentLinesOf(original)
  const found = commentLinesOf(formatted)
  // Sorted keys may have taken their comments along; then nobody can say which is which.
  const isSameSequence =
    wanted.length === found.length && wanted.every(({ text }, index) => text === found[index]?.text)
  if (!isSameSequence) return formatted
  const lines = formatted.split('\n')
  for (const [index, { lineIndex, text, above }] of found.entries()) {
    const { column, above: aboveBefore } = wanted[index] ?? { column: 0, above: undefined }
    if (column === 0 || above === aboveBefore) lines[lineIndex] = ' '.repeat(column) + text
  }
  return lines.join('\n')
}

function commentLinesOf(text: string): CommentLine[] {
  const comments: CommentLine[] = []
  let above: string | undefined
  for (const [lineIndex, line] of text.split('\n').entries()) {
    const trimmed = line.trim()
    if (trimmed.startsWith('#')) {
      comments.push({ lineIndex, text: trimmed, column: line.indexOf('#'), above })
    } else if (trimmed !== '') above = contentOf(line)
  }
  return comments
}

/** The line as far as it matters here: its indentation and how it begins. */
function contentOf(line: string): string {
  return /^\s*[^\s:]*/.exec(line)?.[0] ?? ''
}
