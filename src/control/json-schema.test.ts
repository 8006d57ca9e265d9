import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { parse } from 'yaml'
import { s } from '../base/schema.ts'
import { kinds } from '../kinds/index.ts'
import { policyCatalog } from '../proxy/policies/catalog.ts'
import { admit } from './admission/admit.ts'
import { arbitraryConfig } from './files/testing/arbitrary-config.ts'
import { toYaml } from './files/to-yaml.ts'
import { configJsonSchema, type JsonSchemaDraft } from './json-schema.ts'

const catalog = policyCatalog()
const drafts = ['7', '2020-12'] as const

function validatorFor(draft: JsonSchemaDraft) {
  const options = { strict: true, strictTypes: false, allErrors: true, validateFormats: false }
  const ajv = draft === '7' ? new Ajv(options) : new Ajv2020(options)
  const validate = ajv.compile(configJsonSchema(catalog, { draft }))
  return (yaml: string): string[] =>
    validate(parse(yaml))
      ? []
      : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

const validators = drafts.map((draft) => ({ draft, validate: validatorFor(draft) }))

test('every example of a kind and of a policy is valid', () => {
  const ofPolicies = [...catalog.values()].flatMap(({ examples = [] }) =>
    examples.map(({ yaml }) => {
      const entry: unknown = parse(yaml)
      return JSON.stringify({ policySets: [{ name: 'a', policies: [entry] }] })
    }),
  )
  ok(ofPolicies.length >= 7)
  for (const { draft, validate } of validators) {
    for (const { yaml } of kinds.flatMap((kind) => kind.examples))
      deepEqual(validate(yaml), [], `${draft}: ${yaml}`)
    for (const yaml of ofPolicies) deepEqual(validate(yaml), [], `${draft}: ${yaml}`)
  }
})

test('whatever admission accepts, the schema accepts', () => {
  fc.assert(
    fc.property(arbitraryConfig, fc.boolean(), (documents, short) => {
      const admission = admit(documents, catalog)
      const yaml = admission.ok ? toYaml(admission.resources, { short }) : 'never: true'
      for (const { validate } of validators) deepEqual(validate(yaml), [])
    }),
    { numRuns: 40 },
  )
})

test('forms that only files know are valid', () => {
  for (const yaml of [
    '',
    'version: 1\nupstream: http://127.0.0.1:7001\n',
    'include: conf.d/*.yaml\nx-note: [anything]\n',
    'include: [a.yaml, b.yaml]\nroutes:\ngateway:\n',
    'upstreams: [{ name: a, url: "${URL}", x-team: b, versions: { v1: { connectionsMax: "${N:-5}" } } }]\n',
    'routes: [{ name: a, to: b, policies: [api-key, { set: c }, { policy: api-key }, { api-key: }] }]\n',
  ])
    for (const { draft, validate } of validators) deepEqual(validate(yaml), [], `${draft}: ${yaml}`)
})

test('what an editor can know to be wrong is marked', () => {
  for (const yaml of [
    'version: 2\n',
    'route: []\n',
    'routes: { a: {} }\n',
    'routes: [{ to: b }]\n',
    'routes: [{ name: Books, to: b }]\n',
    'routes: [{ name: a, to: b, prio: 1 }]\n',
    'routes: [{ name: a, to: b, priority: 1001 }]\n',
    'routes: [{ name: a, to: b, priority: high }]\n',
    'routes: [{ name: a, to: b, match: { methods: GET } }]\n',
    'routes: [{ name: a, to: b, policies: [{ rate-limt: { limit: 5/s } }] }]\n',
    'routes: [{ name: a, to: b, policies: [{ rate-limit: { limt: 5/s } }] }]\n',
    'routes: [{ name: a, to: b, policies: [{ policy: rate-limit }] }]\n',
    'routes: [{ name: a, redirect: { status: 200 } }]\n',
    'accounts: [{ name: a, bearer: { token: hunter2 } }]\n',
    'apps: [{ name: a, state: active }]\n',
    'gateway: { accessLog: { output: Syslog } }\n',
  ])
    for (const { draft, validate } of validators) ok(validate(yaml).length > 0, `${draft}: ${yaml}`)
})

type Property = { readonly place: string; readonly schema: Readonly<Record<string, unknown>> }

const anySchema = s.record(s.string(), s.unknown())

/** Every property anywhere in the schema, with the path to it. */
function propertiesOf(schema: unknown, place: string): Property[] {
  if (Array.isArray(schema)) return schema.flatMap((each) => propertiesOf(each, place))
  const map = anySchema.safeParse(schema).data
  if (map === undefined) return []
  return Object.entries(map).flatMap(([key, value]) => {
    if (key === 'examples' || key === 'default' || key === 'enum') return []
    if (key !== 'properties') return propertiesOf(value, place)
    return Object.entries(anySchema.parse(value)).flatMap(([name, inner]) => [
      { place: `${place}.${name}`, schema: anySchema.parse(inner) },
      ...propertiesOf(inner, `${place}.${name}`),
    ])
  })
}

const properties = propertiesOf(configJsonSchema(catalog, { draft: '7' }), '').filter(
  // Descriptions of what policies take are the business of the policies.
  ({ place }) => !place.startsWith('.policy') && !place.startsWith('.config'),
)

test('every property of a kind is described, and its form is shown by an example or a default', () => {
  ok(properties.length > 100)
  const bare = properties.filter(({ schema }) => typeof schema.description !== 'string')
  deepEqual(
    bare.filter(({ place }) => isOfKind(place)).map(({ place }) => place),
    [],
  )
  const isShown = ({ schema }: Property) =>
    [
      'examples',
      'default',
      'enum',
      'const',
      'properties',
      'items',
      'anyOf',
      'additionalProperties',
    ].some((key) => key in schema) || schema.type === 'boolean'
  deepEqual(
    properties.filter((each) => isOfKind(each.place) && !isShown(each)).map(({ place }) => place),
    [],
  )
})

/** Below a section of the file, not below a definition of a policy. */
function isOfKind(place: string): boolean {
  return ['gateway', ...kinds.map((kind) => kind.plural)].some((section) =>
    place.startsWith(`.${section}.`),
  )
}

test('every default and example is valid where it stands', () => {
  const ajv = new Ajv({ strict: false, validateFormats: false })
  let count = 0
  for (const { place, schema } of properties) {
    const { examples, default: fallback, $ref, ...rest } = schema
    const values = [
      ...(Array.isArray(examples) ? examples : []),
      ...(fallback === undefined ? [] : [fallback]),
    ]
    if (JSON.stringify(rest).includes('$ref')) continue
    for (const value of values) {
      ok(ajv.validate(rest, value), `${place}: ${JSON.stringify(value)}`)
      count++
    }
  }
  ok(count > 100)
})

test('both drafts describe the same, and say which they are', () => {
  const [seven, twenty] = drafts.map((draft) => configJsonSchema(catalog, { draft }))
  equal(seven?.$schema, 'http://json-schema.org/draft-07/schema#')
  equal(twenty?.$schema, 'https://json-schema.org/draft/2020-12/schema')
  deepEqual(placesIn(twenty), placesIn(seven))
})

function placesIn(schema: unknown): string[] {
  return propertiesOf(schema, '').map(({ place }) => place)
}
