/** Query strings, checked strictly: an unknown parameter is refused, so `dryRun` is never overlooked. */
import { suggestion } from '../../base/did-you-mean.ts'
import { HeadgateError } from '../../base/errors.ts'
import { s } from '../../base/schema.ts'
import { checkValue } from '../../base/schema-check.ts'
import { knownKeysOf } from '../../base/schema-walk.ts'
import { adminLimits } from './deps.ts'

/** `?flag`, `?flag=true`, `?flag=false`. */
const flag = s.enum(['', 'true', 'false']).transform((text) => text !== 'false')

function wholeNumber(minimum: number, maximum: number) {
  const message = `must be a whole number from ${minimum} to ${maximum}`
  return s
    .string()
    .max(16)
    .regex(/^\d+$/, message)
    .transform(Number)
    .refine((number) => number >= minimum && number <= maximum, message)
    .meta({ type: 'integer', minimum, maximum })
}

export const revisionNumber = wholeNumber(0, Number.MAX_SAFE_INTEGER)

export const pageQuery = s.strictObject({
  limit: wholeNumber(1, adminLimits.pageSizeMax)
    .optional()
    .describe(`Items of a page. Default ${adminLimits.pageSizeDefault}.`),
  after: s.string().min(1).max(1_024).optional().describe('The `next` of the page before.'),
})

export const dryRunParameter = flag
  .optional()
  .describe('Runs every check and changes nothing; the answer says what would be.')

export const reasonParameter = s
  .string()
  .max(1_024)
  .optional()
  .describe('Why; kept in revision and audit.')

export const writeQuery = s.strictObject({ dryRun: dryRunParameter, reason: reasonParameter })
/** Options of a change, for bodies that have no place for them. */
export const changeQuery = s.strictObject({
  dryRun: dryRunParameter,
  reason: reasonParameter,
  prune: flag.optional().describe('Also delete what `managedBy` owns and the body does not name.'),
  baseRevision: revisionNumber
    .optional()
    .describe('From the plan: refuse when the definition has changed since.'),
  managedBy: s.name().optional().describe('Owner of what is created. Default `api`.'),
})

export const noQuery = s.strictObject({})

export const verboseQuery = s.strictObject({
  verbose: flag.optional().describe('Lists every check.'),
})

/** Parses the query of `url`. Throws `admin.unknown_parameter` or `admin.invalid_request`. */
export function parseQuery<Query>(schema: s.ZodType<Query>, url: URL): Query {
  const known = knownKeysOf([schema])
  const values = new Map<string, string>()
  for (const [name, value] of url.searchParams) {
    if (!known.includes(name)) throw unknownParameter(name, known)
    if (values.has(name)) throw badParameters([flawOf(name, 'stands more than once')])
    values.set(name, value)
  }
  const checked = checkValue(schema, Object.fromEntries(values))
  if (checked.ok) return checked.value
  throw badParameters(
    checked.flaws.map((flaw) => flawOf(String(flaw.path[0] ?? ''), flaw.message, flaw.suggestion)),
  )
}

type ParameterFlaw = {
  readonly parameter: string
  readonly code: string
  readonly message: string
  readonly suggestion?: string
}

function flawOf(parameter: string, message: string, hint?: string): ParameterFlaw {
  const flaw = { parameter, code: 'config.bad_value', message }
  return hint === undefined ? flaw : { ...flaw, suggestion: hint }
}

function badParameters(errors: readonly ParameterFlaw[]): HeadgateError {
  const [first] = errors
  return new HeadgateError('admin.invalid_request', {
    message: `The query parameter \`${first?.parameter}\` ${first?.message}.`,
    detail: { errors },
  })
}

function unknownParameter(name: string, known: readonly string[]): HeadgateError {
  const parameter = name.slice(0, 64)
  const hint = suggestion(parameter, known)
  const takes =
    known.length === 0
      ? 'This path takes no query parameters'
      : `This path takes ${known.map((each) => `\`${each}\``).join(', ')}`
  return new HeadgateError('admin.unknown_parameter', {
    message: `${takes}, not \`${parameter}\`${hint === undefined ? '.' : `: ${hint}`}`,
    detail: {
      errors: [
        {
          parameter,
          code: 'config.unknown_key',
          message: 'is not a known parameter',
          ...(hint !== undefined && { suggestion: hint }),
        },
      ],
    },
  })
}
