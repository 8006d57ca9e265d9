/**
 * Judges a value by a schema and says all that is wrong with it, in sentences, with codes and with
 * suggestions. Everything that enters (files, admin calls, policies) goes through here.
 */
import { suggestion } from './did-you-mean.ts'
import { type ErrorCode, isErrorCode } from './errors.ts'
import { s } from './schema.ts'
import { noBranchFits, numberRange, sentenceOf } from './schema-messages.ts'
import { knownKeysOf, schemasAt, withoutExtensions } from './schema-walk.ts'

/** One thing that is wrong with a value. */
export type Flaw = {
  readonly path: readonly (string | number)[]
  /** Whether the key itself is wrong, or what stands under it. */
  readonly at: 'key' | 'value'
  readonly code: ErrorCode
  /** A clause that follows the place. */
  readonly message: string
  readonly suggestion?: string
}

export type Checked<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly flaws: readonly Flaw[] }

/** What a refinement may say besides its message: `context.addIssue({ …, params })`. */
export type FlawParams = {
  readonly code?: ErrorCode
  readonly suggestion?: string | undefined
  readonly at?: 'key' | 'value'
}

/** Parses `value`, ignoring `x-…` keys of closed maps; on failure every flaw is listed. */
export function checkValue<Value>(schema: s.ZodType<Value>, value: unknown): Checked<Value> {
  const cleaned = withoutExtensions(schema, value)
  const result = schema.safeParse(cleaned, { error: sentenceOf })
  if (result.success) return { ok: true, value: result.data }
  const context = { schema, value: cleaned }
  const { issues } = result.error
  const wrongTypes = new Set(issues.filter(isWrongType).map(({ path }) => JSON.stringify(path)))
  const flaws = issues
    // What else is wrong with a value of the wrong type, such as the length of a text where a list
    // should be, is noise.
    .filter((issue) => isWrongType(issue) || !wrongTypes.has(JSON.stringify(issue.path)))
    .flatMap((issue) => flawsOf(issue, [], context))
  return { ok: false, flaws: withoutEchoes(flaws) }
}

function isWrongType(issue: Issue): boolean {
  return issue.code === 'invalid_type'
}

/**
 * A map with a misspelt key also breaks rules such as "exactly one of `a` and `b`"; whoever mends
 * the key has mended both, so only the key is reported.
 */
function withoutEchoes(flaws: readonly Flaw[]): Flaw[] {
  const parents = new Set(
    flaws
      .filter(({ code }) => code === 'config.unknown_key')
      .map(({ path }) => JSON.stringify(path.slice(0, -1))),
  )
  return flaws.filter(
    ({ code, at, path }) =>
      code !== 'config.bad_value' || at === 'key' || !parents.has(JSON.stringify(path)),
  )
}

type Issue = s.core.$ZodIssue
type Context = { readonly schema: s.ZodType; readonly value: unknown }

function flawsOf(issue: Issue, base: Flaw['path'], context: Context): Flaw[] {
  const path = [...base, ...issue.path.map((key) => (typeof key === 'symbol' ? '' : key))]
  const found = valueAt(context.value, path)
  if (isMissing(issue) && found === undefined && path.length > 0) {
    const message = issue.message.startsWith('must ')
      ? `is missing; it ${issue.message}`
      : 'is missing'
    return [{ path, at: 'value', code: 'config.missing_key', message }]
  }
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKeys(issue.keys, path, context)
    case 'invalid_union':
      return flawsOfUnion(issue, path, context)
    case 'invalid_value': {
      const isMapOrList = typeof found === 'object' && found !== null
      const hint = isMapOrList ? undefined : suggestion(String(found), issue.values.map(String))
      return [badValue(path, issue.message, hint)]
    }
    case 'invalid_type':
      return [badValue(path, issue.message, hintForType(issue.expected, found))]
    case 'invalid_key':
      return [{ ...badValue(path, issue.message), at: 'key' }]
    case 'too_small':
    case 'too_big':
      return [badValue(path, rangeMessage(issue, schemasAt(context.schema, path)))]
    case 'custom':
      return [customFlaw(path, issue.message, issue.params ?? {})]
    default:
      return [badValue(path, issue.message)]
  }
}

/** Both ends of a range when a number is outside of it, unless the schema has its own words. */
function rangeMessage(
  issue: Extract<Issue, { code: 'too_small' | 'too_big' }>,
  schemas: readonly s.core.$ZodType[],
): string {
  const [schema] = schemas.filter((each) => each instanceof s.core.$ZodNumber)
  const isDefault = /^must be at (?:least|most) -?[\d.]+$/.test(issue.message)
  return isDefault && schema !== undefined ? `must be ${numberRange(schema)}` : issue.message
}

function isMissing(issue: Issue): boolean {
  return (
    issue.code === 'invalid_type' ||
    issue.code === 'invalid_value' ||
    (issue.code === 'invalid_union' && issue.path.length > 0)
  )
}

function badValue(path: Flaw['path'], message: string, hint?: string): Flaw {
  const flaw = { path, at: 'value', code: 'config.bad_value', message } as const
  return hint === undefined ? flaw : { ...flaw, suggestion: hint }
}

function customFlaw(
  path: Flaw['path'],
  message: string,
  params: Readonly<Record<string, unknown>>,
): Flaw {
  const hint = typeof params.suggestion === 'string' ? params.suggestion : undefined
  const flaw = badValue(path, message, hint)
  const code = typeof params.code === 'string' && isErrorCode(params.code) ? params.code : flaw.code
  return { ...flaw, code, at: params.at === 'key' ? 'key' : 'value' }
}

/** Known keys are listed in the message only up to this many; a suggestion is shown anyway. */
const listedKeysMax = 16

/** Unknown keys of one map that are told at once; nobody misspells more. */
const unknownKeysMax = 50

function unknownKeys(keys: readonly string[], path: Flaw['path'], context: Context): Flaw[] {
  const known = knownKeysOf(schemasAt(context.schema, path))
  return keys.slice(0, unknownKeysMax).map((key) => unknownKey([...path, key], known))
}

/** The flaw of a key that is not among the known ones. */
export function unknownKey(path: Flaw['path'], known: readonly string[]): Flaw {
  const hint = suggestion(String(path.at(-1)), known)
  const isListed = hint === undefined && known.length > 0 && known.length <= listedKeysMax
  return {
    path,
    at: 'key',
    code: 'config.unknown_key',
    message: isListed ? `is not a known key; known here: ${listOf(known)}` : 'is not a known key',
    ...(hint !== undefined && { suggestion: hint }),
  }
}

function listOf(keys: readonly string[]): string {
  return keys.map((key) => `\`${key}\``).join(', ')
}

/**
 * A union fails in every branch; only the branch that the writer had in mind is worth reading. It
 * is the one whose outer form fits what was written, with the fewest flaws in it.
 */
function flawsOfUnion(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: Flaw['path'],
  context: Context,
): Flaw[] {
  const branches = issue.errors.filter((branch) => branch.length > 0)
  const fitting = branches.filter((branch) => !branch.some(isWrongForm))
  const hasOwnMessage = issue.message !== noBranchFits
  const inner = fitting.filter((branch) => branch.some(isBelow))
  const candidates = hasOwnMessage ? inner : fitting
  const [best] = candidates.toSorted((a, b) => a.length - b.length)
  if (best !== undefined) return best.flatMap((each) => flawsOf(each, path, context))
  if (hasOwnMessage) return [badValue(path, issue.message)]
  const found = valueAt(context.value, path)
  const isScalar = typeof found !== 'object' || found === null
  const sentences = new Set(branches.flatMap((branch) => branch.map((each) => each.message)))
  const scalars = [...sentences].filter((sentence) => !/^must be a (?:map|list)\b/.test(sentence))
  const fit = isScalar && scalars.length > 0 ? scalars : [...sentences]
  const wanted = fit.map((sentence) => sentence.replace(/^must be /, ''))
  return [badValue(path, wanted.length === 0 ? noBranchFits : `must be ${wanted.join(' or ')}`)]
}

function isWrongForm(issue: Issue): boolean {
  return issue.path.length === 0 && issue.code === 'invalid_type'
}

function isBelow(issue: Issue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys'
}

/** What to do about a value of the wrong type. YAML 1.2 reads `yes` and `on` as text, which surprises everybody who knows YAML 1.1. */
function hintForType(expected: string, found: unknown): string | undefined {
  const isScalar = typeof found !== 'object' && found !== undefined && found !== ''
  if (expected === 'array' && isScalar) return 'put it in brackets: `[…]`'
  if (typeof found !== 'string') return undefined
  if (expected === 'boolean') {
    if (/^(?:yes|on|true|enabled?)$/i.test(found)) return 'did you mean `true`?'
    if (/^(?:no|off|false|disabled?)$/i.test(found)) return 'did you mean `false`?'
  }
  const isNumber = expected === 'number' || expected === 'int'
  return isNumber && /^-?\d+(?:\.\d+)?$/.test(found) ? 'remove the quotes' : undefined
}

/** What stands at `path` inside `value`; undefined when nothing does. */
export function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let found = value
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = Reflect.get(found, key)
  }
  return found
}

export type FlawIssue = {
  code: 'custom'
  path: (string | number)[]
  message: string
  params: Record<string, unknown>
}

/** The flaw as an issue for `context.addIssue` of a refinement. */
export function issueOf(flaw: Omit<Flaw, 'at'> & { at?: Flaw['at'] }): FlawIssue {
  const { path, message, code, at, suggestion: hint } = flaw
  const params: FlawParams = { code, at: at ?? 'value', suggestion: hint }
  return { code: 'custom', path: [...path], message, params }
}

/** A message for a word that must be one of a few known ones, with a suggestion. */
export function notOneOf(
  path: Flaw['path'],
  word: string,
  known: readonly string[],
  what: string,
): Flaw {
  const hint = suggestion(word, known)
  return badValue(path, `must be one of the ${what}: ${listOf(known)}`, hint)
}
