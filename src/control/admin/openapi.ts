/**
 * The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), built from the operations that are bound and
 * from the schemas that validate. Nothing in it is written twice.
 */
import { s } from '../../base/schema.ts'
import type { KindDefinition } from '../../kinds/define-kind.ts'
import { policyEntrySchema } from '../../kinds/policy-list.ts'
import type { PolicyCatalog } from '../../proxy/policies/define-policy.ts'
import { actionSchemaName } from './action-operations.ts'
import { changeOptions } from './change-operations.ts'
import type { Operation } from './operation.ts'
import { describedResource } from './resource-body.ts'
import { commonSchemas, pageOf, resourceAnswer } from './schemas.ts'

type Json = Readonly<Record<string, unknown>>

export type OpenApiSource = {
  readonly operations: readonly Operation[]
  readonly kinds: readonly KindDefinition[]
  readonly catalog: PolicyCatalog
  readonly version: string
}

const componentsPath = '#/components/schemas/'
const policyEntryName = 'PolicyEntry'

export function openApiDocument(source: OpenApiSource): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Headgate admin API',
      version: source.version,
      description:
        'Operates one gateway. Every answer carries `X-Request-Id`; every refusal is a problem document (RFC 9457) whose `type` is a page of the reference.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The gateway that serves this document.' }],
    tags: [...new Set(source.operations.map(({ tag }) => tag))].map((name) => ({
      name,
      ...summaryOfTag(name, source.kinds),
    })),
    security: [{ bearer: [] }],
    paths: pathsOf(source.operations),
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'The owner token, shown once at the first start, or one with fewer scopes.',
        },
      },
      responses: {
        Problem: {
          description: 'Refused or failed; `code` says why, `todo` what to do next.',
          headers: requestIdHeader,
          content: { 'application/problem+json': { schema: reference('Problem') } },
        },
      },
      schemas: {
        ...schemasOf(source),
        [policyEntryName]: policyEntry(source.catalog),
      },
    },
  }
}

const requestIdHeader = {
  'X-Request-Id': { description: 'Names this call in the log.', schema: { type: 'string' } },
}

function summaryOfTag(name: string, kinds: readonly KindDefinition[]): Json {
  const kind = kinds.find(({ plural }) => plural === name)
  return kind === undefined ? {} : { description: `${kind.summary}\n\n${kind.description}` }
}

function reference(name: string): Json {
  return { $ref: componentsPath + name }
}

function pathsOf(operations: readonly Operation[]): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const operation of operations) {
    const item = paths[operation.path] ?? {}
    item[operation.method.toLowerCase()] = operationObject(operation)
    paths[operation.path] = item
  }
  return paths
}

function operationObject(operation: Operation): Json {
  const { id, tag, summary, description, access, body } = operation
  const isPublic = access === 'Public'
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(isPublic && { security: [{}, { bearer: [] }] }),
    ...(!isPublic && { 'x-scope': access }),
    parameters: parametersOf(operation),
    ...(body !== undefined && {
      requestBody: {
        required: body.isRequired,
        ...(body.description !== undefined && { description: body.description }),
        content: Object.fromEntries(
          Object.entries(body.content).map(([mediaType, name]) => [
            mediaType,
            { schema: name === undefined ? { type: 'string' } : reference(name) },
          ]),
        ),
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.responses).map(([status, response]) => [
          status,
          responseObject(Number(status), response),
        ]),
      ),
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

function responseObject(status: number, response: Operation['responses'][number]): Json {
  const { description, schema, mediaType = 'application/json', headers = {} } = response
  const hasBody = status !== 204 && status !== 304
  return {
    description,
    headers: {
      ...requestIdHeader,
      ...Object.fromEntries(
        Object.entries(headers).map(([name, text]) => [
          name,
          { description: text, schema: { type: 'string' } },
        ]),
      ),
    },
    ...(hasBody && {
      content: {
        [mediaType]: { schema: schema === undefined ? { type: 'string' } : reference(schema) },
      },
    }),
  }
}

function parametersOf({ path, query, headers = {} }: Operation): Json[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: name === 'number' ? { type: 'integer', minimum: 0 } : { type: 'string', maxLength: 63 },
  }))
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => {
    const { description, ...plain } = parameterSchema(schema)
    return { name, in: 'query', required: false, description, schema: plain }
  })
  const inHeader = Object.entries(headers).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }))
  return [...inPath, ...inQuery, ...inHeader]
}

/** A number in a query is text to the parser and a number to everybody else. */
function parameterSchema(schema: s.core.$ZodType): Json {
  const { $schema, ...plain } = s.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  if (plain.type !== 'integer') return plain
  const { pattern, maxLength, ...number } = plain
  return number
}

function schemasOf({ kinds }: OpenApiSource): Json {
  const registry = s.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(commonSchemas)) registry.add(schema, { id })
  for (const definition of kinds) addKind(registry, definition)
  registry.add(changeRequestOf(kinds), { id: 'ChangeRequest' })
  const { schemas } = s.toJSONSchema(registry, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => componentsPath + id,
    override({ zodSchema, jsonSchema }) {
      tidySchema(jsonSchema)
      if (zodSchema !== policyEntrySchema) return
      // Entries of policy lists are judged by the policies themselves, which only the catalog knows.
      for (const keyword of Object.keys(jsonSchema)) Reflect.deleteProperty(jsonSchema, keyword)
      jsonSchema.$ref = componentsPath + policyEntryName
    },
  })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema, $id, ...schema }]) => [name, schema]),
  )
}

/** Leaves out what says nothing to others: our own marks, and the range of every whole number. */
function tidySchema(schema: s.core.JSONSchema.BaseSchema): void {
  delete schema.isBounded
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
}

type Registry = s.core.$ZodRegistry<{ id: string }>

function addKind(registry: Registry, definition: KindDefinition): void {
  const { kind, spec, actions } = definition
  const answer = resourceAnswer(kind, spec)
  const body = describedResource(definition, { isNamed: false })
  const rehearsal = s.object({
    dryRun: s.literal(true),
    object: describedResource(definition, { isNamed: true }),
    plan: commonSchemas.Plan ?? s.unknown(),
  })
  registry.add(spec, { id: `${kind}Spec` })
  registry.add(answer, { id: `${kind}Resource` })
  registry.add(s.union([answer, rehearsal]), { id: kind })
  registry.add(pageOf(answer), { id: `${kind}Page` })
  registry.add(body, { id: `${kind}Input` })
  for (const { verb, input } of actions) registry.add(input, { id: actionSchemaName(kind, verb) })
}

function changeRequestOf(kinds: readonly KindDefinition[]): s.ZodType {
  const puts = kinds.map((definition) => describedResource(definition, { isNamed: true }))
  const key = s.strictObject({
    kind: s.enum(kinds.map(({ kind }) => kind)),
    name: s.string(),
    workspace: s.string().optional(),
  })
  return s.strictObject({
    puts: s.array(s.union(puts)).optional().describe('Created or replaced whole.'),
    deletes: s.array(key).optional(),
    ...changeOptions,
  })
}

/** Long and short form of every policy, and the use of a set. */
function policyEntry(catalog: PolicyCatalog): Json {
  const name = { type: 'string', maxLength: 63 }
  const closed = (properties: Json, required: readonly string[]) => ({
    type: 'object',
    properties,
    required,
    additionalProperties: false,
  })
  return {
    description: 'A policy with its settings, or the use of a policy set.',
    anyOf: [
      { enum: [...catalog.keys()], description: 'A policy without settings.' },
      closed({ set: name }, ['set']),
      closed({ policySetRef: name }, ['policySetRef']),
      ...[...catalog.values()].flatMap(({ name: policy, summary, config }) => {
        const { $schema, ...settings } = s.toJSONSchema(config, {
          io: 'input',
          unrepresentable: 'any',
          override: ({ jsonSchema }) => tidySchema(jsonSchema),
        })
        return [
          {
            ...closed({ [policy]: { anyOf: [settings, { type: 'null' }] } }, [policy]),
            description: summary,
          },
          {
            ...closed({ policy: { const: policy }, config: settings }, ['policy']),
            description: summary,
          },
        ]
      }),
    ],
  }
}
