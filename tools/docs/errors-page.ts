import { type ErrorDefinition, errorCatalog } from '../../src/base/errors.ts'
import { anchorOf, blocks, code, generatedNote, table } from './markdown.ts'

/** What the part of a code before the dot stands for. */
const areas: Readonly<Record<string, string>> = {
  admin: 'Answers of the admin API',
  cli: 'The command line',
  client: 'Requests refused because of the client',
  config: 'Problems in resources',
  fault: 'Faults injected on purpose',
  gateway: 'The gateway itself',
  policy: 'Policies',
  route: 'Finding a route',
  run: 'Starting and running',
  store: 'The store',
  telemetry: 'Metrics, call records and logs',
  tunnel: 'Upgraded connections',
  upstream: 'Asking the upstream',
  wire: 'Messages refused on the wire',
}

/** docs/reference/errors.md: a heading for every code, so that every code has an address. */
export function errorsPage(): string {
  const entries = Object.entries<ErrorDefinition>(errorCatalog)
  const byArea = Map.groupBy(entries, ([errorCode]) => errorCode.split('.')[0] ?? '')
  const names = [...byArea.keys()].sort()
  return blocks(
    generatedNote('`src/base/errors/`'),
    '# Error codes',
    'Every error of Headgate has one of these codes. It stands in the problem document (RFC 9457) that a caller or a client of the admin API gets, in what the command line prints, and in call records. Codes are added, never reused. *Source* says whose fault it is, *retryable* whether the same request may succeed when it is sent again unchanged.',
    names.map((name) => `- [${areaTitle(name)}](#${anchorOf(areaTitle(name))})`).join('\n'),
    ...names.map((name) =>
      blocks(
        `## ${areaTitle(name)}`,
        ...(byArea.get(name) ?? []).map(([errorCode, definition]) =>
          section(errorCode, definition),
        ),
      ),
    ),
  )
}

function section(
  errorCode: string,
  { title, status, source, retryable, todo }: ErrorDefinition,
): string {
  return blocks(
    `### ${code(errorCode)}`,
    `${title}.`,
    table(['status', 'source', 'retryable'], [[String(status), source, retryable ? 'yes' : 'no']]),
    `**What to do.** ${todo}`,
  )
}

function areaTitle(name: string): string {
  const title = areas[name]
  if (title === undefined)
    throw new Error(`errors-page.ts has no title for codes that begin with \`${name}.\``)
  return title
}
