/** Shows problems to people, each with the line it is about. */
import { formatPlace, type Problem, sentenceFor } from '../problem.ts'
import type { SourceFile } from './yaml-tree.ts'

/** Characters of a line that are shown; around the column when the line is longer. */
const excerptCharactersMax = 100

/**
 * All problems as text that ends in a line break, empty for none:
 *
 *     headgate.yaml:12:7  error  `to` of Route/books names the Upstream `boks`, which does not exist
 *        12 |     to: boks
 *           |         ^ did you mean `books`?   [config.unknown_reference]
 */
export function renderProblems(problems: readonly Problem[], files: readonly SourceFile[]): string {
  const lines = new Map<string, readonly string[]>()
  const linesOf = (name: string): readonly string[] => {
    const known = lines.get(name)
    if (known !== undefined) return known
    const text = files.find((file) => file.name === name)?.text ?? ''
    const split = text.split(/\r\n|\n/)
    lines.set(name, split)
    return split
  }
  return problems.map((problem) => `${render(problem, linesOf)}\n`).join('')
}

function render(problem: Problem, linesOf: (name: string) => readonly string[]): string {
  const { location, severity, code, suggestion } = problem
  const place = location === undefined ? '' : `${formatPlace(location)}  `
  const heading = `${place}${severity}  ${printable(sentenceFor(problem))}`
  const remark = `${suggestion === undefined ? '' : `${printable(suggestion)}  `}[${code}]`
  const line = location === undefined ? undefined : linesOf(location.file)[location.line - 1]
  if (location === undefined || line === undefined) return `${heading}\n    ${remark}`
  const number = String(location.line).padStart(5)
  const { text, column } = excerpt(maskSecret(problem, line), location.column)
  const margin = ' '.repeat(number.length)
  return `${heading}\n${number} | ${text}\n${margin} | ${' '.repeat(column - 1)}^ ${remark}`
}

/** A secret that was written in clear must not be repeated on a terminal or in a log of CI. */
function maskSecret({ code, location }: Problem, line: string): string {
  if (code !== 'config.secret_inline' || location === undefined) return line
  return `${line.slice(0, location.column - 1)}…`
}

function excerpt(line: string, column: number): { text: string; column: number } {
  const plain = printable(line.trimEnd())
  if (plain.length <= excerptCharactersMax) return { text: plain, column }
  const start = Math.max(
    0,
    Math.min(column - 1 - excerptCharactersMax / 2, plain.length - excerptCharactersMax),
  )
  const end = start + excerptCharactersMax
  const before = start > 0 ? '…' : ''
  const after = end < plain.length ? '…' : ''
  return {
    text: `${before}${plain.slice(start, end)}${after}`,
    column: column - start + before.length,
  }
}

/** Control characters could make the terminal do things; each becomes one visible character. */
function printable(text: string): string {
  return text.replaceAll('\t', ' ').replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '·')
}
