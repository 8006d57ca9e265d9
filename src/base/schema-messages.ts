/**
 * Says in our own words what is wrong with a value. Every message is a clause that follows the
 * place, "must be a whole number from 1 to 100", and never repeats the value: it may be a secret.
 */
import { s } from './schema.ts'

type RawIssue = s.core.$ZodRawIssue

/** Given when no branch of a union explains itself better. */
export const noBranchFits = 'has none of the allowed forms'

/** An error map for zod: `schema.safeParse(value, { error: sentenceOf })`. */
export function sentenceOf(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${expected(String(issue.expected), issue.inst, issue.input)}`
    case 'too_small':
      return tooSmall(issue.origin, Number(issue.minimum))
    case 'too_big':
      return tooBig(issue.origin, Number(issue.maximum))
    case 'invalid_value':
      return `must be ${oneOf(issue.values.map(String))}`
    case 'invalid_format':
      return invalidFormat(issue.format)
    case 'unrecognized_keys':
      return 'has a key that is not known'
    case 'invalid_union':
      return noBranchFits
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'has a key that is not allowed'
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    default:
      return 'is not allowed here'
  }
}

/** `a`, `b` or `c`, each in backquotes; "one of" when there are more than two. */
export function oneOf(values: readonly string[]): string {
  const quoted = values.map((value) => `\`${value}\``)
  if (quoted.length <= 1) return quoted.join('')
  const last = quoted.at(-1)
  return `${quoted.length > 2 ? 'one of ' : ''}${quoted.slice(0, -1).join(', ')} or ${last}`
}

function expected(type: string, schema: unknown, input: unknown): string {
  switch (type) {
    case 'string':
      return typeof input === 'number' || typeof input === 'boolean'
        ? 'text: put it in quotes'
        : `text${butIs(input)}`
    case 'number':
    case 'int':
      return `${numberRange(schema)}${butIs(input)}`
    case 'boolean':
      return '`true` or `false`'
    case 'array':
      return `a list${butIs(input)}`
    case 'object':
    case 'record':
      return `a map of keys and values${butIs(input)}`
    case 'null':
      return 'empty'
    default:
      return `a ${type}`
  }
}

/** What was found instead, as a kind of thing and never as its content. */
function butIs(input: unknown): string {
  if (input === undefined || input === null) return ''
  if (Array.isArray(input)) return ', not a list'
  if (typeof input === 'object') return ', not a map'
  if (typeof input === 'string') return input === '' ? '' : ', not text'
  return typeof input === 'number' ? ', not a number' : ', not `true` or `false`'
}

/** `a whole number from 1 to 100`, as far as the schema of a number says so. */
export function numberRange(schema: unknown): string {
  if (!(schema instanceof s.core.$ZodNumber)) return 'a number'
  const what = schema instanceof s.core.$ZodNumberFormat ? 'a whole number' : 'a number'
  let lowest: number | undefined
  let highest: number | undefined
  for (const check of schema._zod.def.checks ?? []) {
    if (check instanceof s.core.$ZodCheckGreaterThan) lowest = Number(check._zod.def.value)
    if (check instanceof s.core.$ZodCheckLessThan) highest = Number(check._zod.def.value)
  }
  if (lowest !== undefined && highest !== undefined) return `${what} from ${lowest} to ${highest}`
  if (lowest !== undefined) return `${what}, at least ${lowest}`
  return highest === undefined ? what : `${what}, at most ${highest}`
}

function tooSmall(origin: string, minimum: number): string {
  if (origin === 'string') {
    return minimum === 1 ? 'must not be empty' : `must be at least ${minimum} characters long`
  }
  if (origin === 'number' || origin === 'int') return `must be at least ${minimum}`
  return `must have at least ${minimum} ${minimum === 1 ? 'entry' : 'entries'}`
}

function tooBig(origin: string, maximum: number): string {
  if (origin === 'string') return `must be at most ${maximum} characters long`
  if (origin === 'number' || origin === 'int') return `must be at most ${maximum}`
  return `must have at most ${maximum} ${maximum === 1 ? 'entry' : 'entries'}`
}

function invalidFormat(format: string): string {
  if (format === 'datetime') return 'must be a time such as `2026-01-31T12:00:00Z` (RFC 3339)'
  if (format === 'date') return 'must be a date such as `2026-01-31`'
  if (format === 'email') return 'must be an e-mail address'
  if (format === 'url') return 'must be an address such as `https://example.com`'
  return 'does not have the form that is needed here'
}
