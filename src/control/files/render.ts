/** Shows problems to people, each with the line it is about. */
import { formatPlace, type Problem, type SourceLocation, sentenceFor } from '../problem.ts'
import type { SourceFile } from './yaml-tree.ts'

/** Characters of a line that are shown; around the column when the line is longer. */
const excerptCharactersMax = 100

/**
 * All problems as text that ends in a line break, empty for none:
 *
 *     headgate.yaml:12:9  error  `to` of Route/books names the Upstream `boks`, which does not exist
 *        12 |     to: boks
 *           |         ^ did you mean `books`?  [config.unknown_reference]
 */
export function renderProblems(problems: readonly Problem[], files: readonly SourceFile[]): string {
  const excerpts = new Excerpts(problems, files)
  return problems.map((problem) => `${render(problem, excerpts)}\n`).join('')
}

function render(problem: Problem, excerpts: Excerpts): string {
  const { location, severity, code, suggestion } = problem
  const place = location === undefined ? '' : `${formatPlace(location)}  `
  const heading = `${place}${severity}  ${printable(sentenceFor(problem))}`
  const remark = `${suggestion === undefined ? '' : `${printable(suggestion)}  `}[${code}]`
  const excerpt = location && excerpts.at(location)
  if (location === undefined || excerpt === undefined) return `${heading}\n      ${remark}`
  const number = String(location.line).padStart(5)
  const margin = ' '.repeat(number.length)
  const indent = ' '.repeat(excerpt.column - 1)
  return `${heading}\n${number} | ${excerpt.text}\n${margin} | ${indent}^ ${remark}`
}

type Excerpt = { readonly text: string; readonly column: number }

/**
 * Lines of files, fit to be shown. A secret that was written in clear is blotted out wherever its
 * line is shown: it must not be repeated on a terminal or in a log of CI.
 */
class Excerpts {
  readonly #files: ReadonlyMap<string, SourceFile>
  readonly #lines = new Map<string, readonly string[]>()
  readonly #secretColumns = new Map<string, number[]>()

  constructor(problems: readonly Problem[], files: readonly SourceFile[]) {
    this.#files = new Map(files.map((file) => [file.name, file]))
    for (const { code, location } of problems) {
      if (code !== 'config.secret_inline' || location === undefined) continue
      const columns = this.#secretColumns.get(lineKey(location)) ?? []
      this.#secretColumns.set(lineKey(location), [...columns, location.column])
    }
  }

  at(location: SourceLocation): Excerpt | undefined {
    const line = this.#linesOf(location.file)[location.line - 1]
    if (line === undefined) return undefined
    const columns = this.#secretColumns.get(lineKey(location)) ?? []
    return cut(columns.reduce(blotOut, line), location.column)
  }

  #linesOf(name: string): readonly string[] {
    const known = this.#lines.get(name)
    if (known !== undefined) return known
    const lines = this.#files.get(name)?.text.split(/\r\n|\n/) ?? []
    this.#lines.set(name, lines)
    return lines
  }
}

function lineKey({ file, line }: SourceLocation): string {
  return `${file}:${line}`
}

/** Stars in place of the value that begins at the column; columns behind it stay what they were. */
function blotOut(line: string, column: number): string {
  const before = line.slice(0, column - 1)
  const rest = line.slice(column - 1)
  const quoted = /^(?:"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)/.exec(rest)?.[0]
  const value = quoted ?? /^[^,\]}]*/.exec(rest)?.[0] ?? ''
  return `${before}${'*'.repeat(value.length)}${rest.slice(value.length)}`
}

function cut(line: string, column: number): Excerpt {
  const text = printable(line.trimEnd())
  if (text.length <= excerptCharactersMax) return { text, column }
  const wanted = column - 1 - excerptCharactersMax / 2
  const start = Math.max(0, Math.min(wanted, text.length - excerptCharactersMax))
  const end = start + excerptCharactersMax
  const before = start > 0 ? '…' : ''
  const after = end < text.length ? '…' : ''
  return {
    text: `${before}${text.slice(start, end)}${after}`,
    column: column - start + before.length,
  }
}

/** Control characters could make the terminal do things; each becomes one visible character. */
function printable(text: string): string {
  return text.replaceAll('\t', ' ').replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '·')
}
