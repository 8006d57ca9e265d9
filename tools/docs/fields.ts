/**
 * The fields of a schema as rows of a table. They are read from the JSON Schema that zod derives, the
 * same that editors get, so page and completion cannot disagree.
 */
import { s } from '../../src/base/schema.ts'
import { code, table } from './markdown.ts'

export type Field = {
  /** `split.weights.<name>`, `endpoints[].url`. */
  readonly path: string
  readonly type: string
  readonly isRequired: boolean
  /** As JSON; undefined when there is none. */
  readonly default?: string
  readonly description: string
  /** As one would write it in YAML. */
  readonly example?: string
}

const jsonSchema = s.looseObject({
  type: s.string().optional(),
  description: s.string().optional(),
  default: s.unknown().optional(),
  examples: s.array(s.unknown()).optional(),
  format: s.string().optional(),
  pattern: s.string().optional(),
  enum: s.array(s.unknown()).optional(),
  const: s.unknown().optional(),
  required: s.array(s.string()).optional(),
  minimum: s.number().optional(),
  maximum: s.number().optional(),
  minLength: s.number().optional(),
  maxLength: s.number().optional(),
  maxItems: s.number().optional(),
  maxProperties: s.number().optional(),
  properties: s.record(s.string(), s.unknown()).optional(),
  additionalProperties: s.unknown().optional(),
  items: s.unknown().optional(),
  anyOf: s.array(s.unknown()).optional(),
})

/** Strings of a form that has a name. */
const namedPatterns = new Map([
  [patternOf(s.name()), 'name'],
  [patternOf(s.fieldName()), 'field name'],
])

function patternOf(schema: s.ZodType): string {
  return s.toJSONSchema(schema, { io: 'input' }).pattern ?? ''
}

type JsonSchema = s.infer<typeof jsonSchema>

/** What a node is called that JSON Schema cannot describe, such as an entry of a list of policies. */
export type Naming = (schema: s.core.$ZodType) => string | undefined

/** Every field of `schema` at any depth, in the order of the definition. */
export function fieldsOf(schema: s.ZodType, naming: Naming = () => undefined): Field[] {
  const root = s.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema: node }) {
      const name = naming(zodSchema)
      if (name !== undefined) node.format = `headgate-${name}`
      // zod drops the default of a value that is rewritten, such as a field name in lower case.
      node.default ??= defaultOf(zodSchema)
    },
  })
  return fieldsBelow(jsonSchema.parse(root), '')
}

function defaultOf(schema: s.core.$ZodType): JsonSchema['default'] {
  if (schema instanceof s.core.$ZodDefault) return schema._zod.def.defaultValue
  return s.globalRegistry.get(schema)?.default
}

function fieldsBelow(node: JsonSchema, prefix: string): Field[] {
  const dot = prefix === '' ? '' : `${prefix}.`
  const own = Object.entries(node.properties ?? {}).flatMap(([key, value]) => {
    const child = jsonSchema.parse(value)
    return [
      fieldOf(child, dot + key, node.required?.includes(key) === true),
      ...fieldsBelow(child, dot + key),
    ]
  })
  const values = asSchema(node.additionalProperties)
  const options = (node.anyOf ?? []).map((option) => jsonSchema.parse(option))
  // What one form requires, another may do without: only the description of the whole can say it.
  const forms = options.filter(({ type }) => type === 'object')
  const below = [
    ...options
      .flatMap((option) => fieldsBelow(option, prefix))
      .map((field) => (forms.length > 1 ? { ...field, isRequired: false } : field)),
    ...(values === undefined ? [] : fieldsBelow(values, `${dot}<name>`)),
    ...(node.items === undefined ? [] : fieldsBelow(jsonSchema.parse(node.items), `${prefix}[]`)),
  ]
  return [...own, ...below]
}

function fieldOf(node: JsonSchema, path: string, isRequired: boolean): Field {
  // Values that have a form of their own are explained once, at the top of the page.
  const [example] = node.format === undefined ? (node.examples ?? []) : []
  return {
    path,
    type: describeType(node),
    isRequired,
    ...(node.default !== undefined && { default: JSON.stringify(node.default) }),
    description: node.description ?? '',
    ...(example !== undefined && { example: JSON.stringify(example) }),
  }
}

/** `true`, `false` and absent say nothing about the values of a map. */
function asSchema(value: unknown): JsonSchema | undefined {
  return typeof value === 'object' && value !== null ? jsonSchema.parse(value) : undefined
}

/** `duration`, `list of string (at most 32)`, `Full, Off`. */
export function describeType(node: JsonSchema): string {
  if (node.const !== undefined) return code(String(node.const))
  if (node.enum !== undefined) return node.enum.map((value) => code(String(value))).join(', ')
  if (node.format?.startsWith('headgate-'))
    return node.format.slice('headgate-'.length).replaceAll('-', ' ')
  if (node.anyOf !== undefined) {
    const types = node.anyOf.map((option) => describeType(jsonSchema.parse(option)))
    return [...new Set(types)].join(' or ')
  }
  if (node.type === 'array') return describeList(node)
  if (node.type === 'object') return describeMap(node)
  if (node.format === 'date-time') return 'time (RFC 3339)'
  const named = node.pattern === undefined ? undefined : namedPatterns.get(node.pattern)
  if (named !== undefined) return named
  if (node.type === 'string') return `string${within(node.minLength, node.maxLength, 'characters')}`
  if (node.type === 'integer' || node.type === 'number') {
    return `${node.type}${within(node.minimum, node.maximum)}`
  }
  return node.type ?? 'any value'
}

function describeList(node: JsonSchema): string {
  const item = node.items === undefined ? 'any value' : describeType(jsonSchema.parse(node.items))
  return `list of ${item}${node.maxItems === undefined ? '' : ` (at most ${count(node.maxItems)})`}`
}

function describeMap(node: JsonSchema): string {
  const values = asSchema(node.additionalProperties)
  if (values === undefined) return 'map'
  const most = node.maxProperties === undefined ? '' : ` (at most ${count(node.maxProperties)})`
  return `map of name to ${describeType(values)}${most}`
}

function within(least: number | undefined, most: number | undefined, unit = ''): string {
  const space = unit === '' ? '' : ` ${unit}`
  if (most === undefined || most >= Number.MAX_SAFE_INTEGER) {
    return least === undefined || least <= Number.MIN_SAFE_INTEGER || (unit !== '' && least <= 1)
      ? ''
      : `, at least ${count(least)}${space}`
  }
  if (unit !== '') return `, at most ${count(most)}${space}`
  return least === undefined ? `, at most ${count(most)}` : `, ${count(least)} to ${count(most)}`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** The table of all fields; a line instead when there are none. */
export function fieldTable(schema: s.ZodType, naming?: Naming): string {
  const rows = fieldsOf(schema, naming).map((field) => [
    code(field.path),
    field.type,
    field.isRequired ? 'required' : field.default === undefined ? '' : code(field.default),
    [field.description, field.example === undefined ? '' : `Example: ${code(field.example)}`]
      .filter((text) => text !== '')
      .join(' '),
  ])
  return rows.length === 0
    ? 'It has no fields.'
    : table(['field', 'type', 'default', 'meaning'], rows)
}
