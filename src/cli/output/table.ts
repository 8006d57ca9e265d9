/** Columns for people: upper-case titles, two spaces between, nothing at the end of a line. */

export type TableRow = readonly string[]

/** Longest cell; a value beyond it ends in `…`. `json` and `yaml` show everything. */
const cellCharactersMax = 120

export function renderTable(titles: TableRow, rows: readonly TableRow[]): string {
  const lines = [titles, ...rows.map((row) => row.map(cell))]
  const widths = titles.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  return lines
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cell(text: string): string {
  // Names come from files and callers: a control character must not reach the terminal.
  const safe = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
  return safe.length > cellCharactersMax ? `${safe.slice(0, cellCharactersMax - 1)}…` : safe
}
