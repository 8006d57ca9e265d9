/**
 * The JSON Schema of configuration files, for editors (draft 7, what YAML language servers read)
 * and for tools (2020-12). It is made of the same definitions that admission judges by; what only
 * code can say (exactly one of several keys, references) is left to `headgate validate`.
 */
import { s } from '../base/schema.ts'
import { type KindDefinition, metadataSchema } from '../kinds/define-kind.ts'
import { kinds } from '../kinds/index.ts'
import { policyEntrySchema } from '../kinds/policy-list.ts'
import type { PolicyCatalog, PolicyDefinition } from '../proxy/policies/define-policy.ts'
import { singletonKey } from './files/sections.ts'

export type JsonSchemaDraft = '7' | '2020-12'

export type JsonSchema = { [key: string]: unknown }

/** Keys that begin with `x-` are ignored wherever the keys of a map are fixed. */
const extensionKeys = { '^x-': {} }

/** The schema of a whole file; `catalog` says which policies may be named and how. */
export function configJsonSchema(
  catalog: PolicyCatalog,
  { draft }: { draft: JsonSchemaDraft },
): JsonSchema {
  const context: Context = {
    target: draft === '7' ? 'draft-7' : 'draft-2020-12',
    entryRef: { $ref: draft === '7' ? '#/definitions/policy' : '#/$defs/policy' },
  }
  return {
    $schema:
      draft === '7'
        ? 'http://json-schema.org/draft-07/schema#'
        : 'https://json-schema.org/draft/2020-12/schema',
    title: 'Headgate configuration',
    description:
      'Upstreams, accounts, routes, policy sets and apps of a Headgate gateway. Check a file with `headgate validate`.',
    type: ['object', 'null'],
    properties: topLevel(context),
    patternProperties: extensionKeys,
    additionalProperties: false,
    [draft === '7' ? 'definitions' : '$defs']: { policy: policyEntry(catalog, context) },
  }
}

type Context = {
  readonly target: 'draft-7' | 'draft-2020-12'
  readonly entryRef: JsonSchema
}

function topLevel(context: Context): JsonSchema {
  const glob = { type: 'string', minLength: 1, examples: ['conf.d/*.yaml'] }
  const properties: JsonSchema = {
    version: { const: 1, default: 1, description: 'Version of the file format.' },
    include: {
      description: 'Further files, relative to this one: names or patterns with `*`, `?` and `**`.',
      examples: [['conf.d/*.yaml']],
      anyOf: [glob, { type: 'array', items: glob }, { type: 'null' }],
    },
    upstream: {
      type: 'string',
      description:
        'Short for one upstream and a route that sends every request to it, both named `default`.',
      examples: ['http://127.0.0.1:7001'],
    },
  }
  for (const kind of kinds) {
    const item = itemOf(kind, context)
    const description = `${kind.summary}\n\n${kind.description}`
    if (kind.isSingleton === true)
      properties[singletonKey(kind)] = { ...item, type: ['object', 'null'], description }
    else properties[kind.plural] = { type: ['array', 'null'], description, items: item }
  }
  return properties
}

/** Metadata and spec of one entry in one map, as they stand in a file. */
function itemOf(kind: KindDefinition, context: Context): JsonSchema {
  const metadata = objectSchema(metadataSchema, context)
  const spec = objectSchema(kind.spec, context)
  const isSingleton = kind.isSingleton === true
  const { name, ...rest } = metadata.properties
  return {
    type: 'object',
    description: kind.summary,
    properties: { ...(isSingleton ? {} : { name }), ...rest, ...spec.properties },
    required: [...(isSingleton ? [] : ['name']), ...spec.required],
    patternProperties: extensionKeys,
    additionalProperties: false,
  }
}

const objectShape = s.looseObject({
  properties: s.record(s.string(), s.unknown()).default({}),
  required: s.array(s.string()).default([]),
})

function objectSchema(schema: s.ZodType, context: Context) {
  return objectShape.parse(convert(schema, context))
}

/** The schema of what may be written, before defaults and short forms are resolved. */
function convert(schema: s.ZodType, { target, entryRef }: Context): JsonSchema {
  const converted: JsonSchema = {
    ...s.toJSONSchema(schema, {
      target,
      io: 'input',
      unrepresentable: 'any',
      override({ zodSchema, jsonSchema, path }) {
        if (zodSchema === policyEntrySchema) replaceContent(jsonSchema, entryRef)
        else restoreMeta(zodSchema, jsonSchema)
        adaptToFiles(jsonSchema, { isKey: path.at(-1) === 'propertyNames' })
      },
    }),
  }
  delete converted.$schema
  return converted
}

/**
 * Our transforms only settle how a thing is written, such as the case of letters, so that examples
 * and defaults hold for the input as well; zod leaves them out there, as it cannot know that.
 */
function restoreMeta(zodSchema: s.core.$ZodType, schema: s.core.JSONSchema.BaseSchema): void {
  const meta = s.globalRegistry.get(zodSchema)
  for (const key of ['examples', 'default'] as const) {
    if (meta?.[key] !== undefined && schema[key] === undefined)
      Object.assign(schema, { [key]: meta[key] })
  }
}

function replaceContent(target: object, content: JsonSchema): void {
  for (const key of Object.keys(target)) Reflect.deleteProperty(target, key)
  Object.assign(target, content)
}

/** Matches text with a variable in it, which only its value can prove wrong. */
const variable = '\\$\\{'

/** Variables may stand where numbers and words of a fixed form are wanted, and `x-…` keys anywhere. */
function adaptToFiles(schema: s.core.JSONSchema.BaseSchema, { isKey }: { isKey: boolean }): void {
  // Meaningful to our own walks only.
  delete schema.isBounded
  delete schema.refersTo
  if (schema.additionalProperties === false) schema.patternProperties = extensionKeys
  // A wrapper, such as `optional`, comes by with the schema of what it wraps again.
  const isDone = schema.pattern?.endsWith(variable) === true
  if (isKey || isDone) return
  if (schema.type === 'string' && schema.pattern !== undefined)
    schema.pattern = `(?:${schema.pattern})|${variable}`
  if (schema.type === 'integer' || schema.type === 'number') {
    // `minimum` and the like judge numbers only, `pattern` text only.
    Object.assign(schema, { type: [schema.type, 'string'], pattern: variable })
    if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
    if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  }
}

/** Every way to write an entry of a list of policies. */
function policyEntry(catalog: PolicyCatalog, context: Context): JsonSchema {
  const policies = [...catalog.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const setName = { ...convert(s.name(), context), description: 'Name of a policy set.' }
  return {
    description: 'A policy with its settings, or `set: NAME` for a shared list of policies.',
    anyOf: [
      {
        type: 'string',
        description: 'A policy without settings.',
        enum: policies.map((policy) => policy.name),
      },
      closed({ set: setName }, ['set'], 'The policies of a set.'),
      closed({ policySetRef: setName }, ['policySetRef'], 'Long form of `set`.'),
      ...policies.map((policy) => shortEntry(policy, context)),
      ...policies.map((policy) => longEntry(policy, context)),
    ],
  }
}

function shortEntry(policy: PolicyDefinition, context: Context): JsonSchema {
  return closed({ [policy.name]: configOf(policy, context) }, [policy.name], policy.summary)
}

function longEntry(policy: PolicyDefinition, context: Context): JsonSchema {
  const properties = {
    policy: { const: policy.name, description: policy.summary },
    config: configOf(policy, context),
  }
  const needsConfig = objectSchema(policy.config, context).required.length > 0
  return closed(properties, needsConfig ? ['policy', 'config'] : ['policy'], policy.summary)
}

function configOf(policy: PolicyDefinition, context: Context): JsonSchema {
  const description = policy.description ?? policy.summary
  const config = { ...convert(policy.config, context), description }
  const mayBeEmpty = objectSchema(policy.config, context).required.length === 0
  return mayBeEmpty ? { ...config, type: ['object', 'null'] } : config
}

function closed(properties: JsonSchema, required: string[], description: string): JsonSchema {
  return {
    type: 'object',
    description,
    properties,
    required,
    patternProperties: extensionKeys,
    additionalProperties: false,
  }
}
