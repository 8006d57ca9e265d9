/**
 * Finds the place of the first syntax error in a JSON text (RFC 8259). V8's own message gives no place for
 * most errors but quotes the text around it, which may hold what should not come back in an answer.
 * Runs only after `JSON.parse` has refused the text.
 */

export type JsonFault = {
  /** Both from 1. */
  readonly line: number
  readonly column: number
  /** A clause such as "expected a value". */
  readonly message: string
}

const token =
  /[\t\n\r ]*(?:([{}[\]:,])|("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y

type Expectation = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or ]' | ', or }' | 'end'

const clauses: Readonly<Record<Expectation, string>> = {
  value: 'expected a value',
  'value or ]': 'expected a value or `]`',
  name: 'expected a member name in double quotes',
  'name or }': 'expected a member name in double quotes, or `}`',
  ':': 'expected `:` after the member name',
  ', or ]': 'expected `,` or `]`',
  ', or }': 'expected `,` or `}`',
  end: 'expected nothing after the value',
}

/** The first fault of the text; undefined when it is valid JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  const open: ('{' | '[')[] = []
  let expected: Expectation = 'value'
  let offset = 0
  for (;;) {
    token.lastIndex = offset
    const match = token.exec(text)
    if (match === null) break
    const next = advance(expected, match, open)
    if (next === undefined) break
    expected = next
    offset = token.lastIndex
  }
  const rest = /[^\t\n\r ]/g
  rest.lastIndex = offset
  const faultAt = rest.exec(text)?.index ?? text.length
  if (faultAt === text.length && expected === 'end') return undefined
  const before = text.slice(0, faultAt)
  const line = before.split('\n').length
  return { line, column: faultAt - before.lastIndexOf('\n'), message: clauses[expected] }
}

/** What must follow the token; undefined when the token may not stand here. */
function advance(
  expected: Expectation,
  match: RegExpExecArray,
  open: ('{' | '[')[],
): Expectation | undefined {
  const [, mark, text] = match
  const isValuePlace = expected === 'value' || expected === 'value or ]'
  if (mark === '{' || mark === '[') {
    if (!isValuePlace) return undefined
    open.push(mark)
    return mark === '{' ? 'name or }' : 'value or ]'
  }
  if (mark === '}')
    return expected === 'name or }' || expected === ', or }' ? close(open) : undefined
  if (mark === ']')
    return expected === 'value or ]' || expected === ', or ]' ? close(open) : undefined
  if (mark === ':') return expected === ':' ? 'value' : undefined
  if (mark === ',') {
    if (expected === ', or }') return 'name'
    return expected === ', or ]' ? 'value' : undefined
  }
  if (text !== undefined && (expected === 'name' || expected === 'name or }')) return ':'
  return isValuePlace ? afterValue(open) : undefined
}

function close(open: ('{' | '[')[]): Expectation {
  open.pop()
  return afterValue(open)
}

function afterValue(open: readonly ('{' | '[')[]): Expectation {
  const container = open.at(-1)
  if (container === undefined) return 'end'
  return container === '{' ? ', or }' : ', or ]'
}
