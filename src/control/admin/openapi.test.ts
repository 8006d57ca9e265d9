import { deepEqual, equal, fail, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { s } from '../../base/schema.ts'
import { kinds } from '../../kinds/index.ts'
import { builtInPolicies } from '../../proxy/policies/index.ts'
import { openTestAdmin } from './testing/admin.ts'

const operation = s.looseObject({
  operationId: s.string(),
  summary: s.string().min(1),
  security: s.array(s.record(s.string(), s.array(s.string()))).optional(),
  parameters: s.array(
    s.strictObject({
      name: s.string(),
      in: s.enum(['path', 'query', 'header']),
      required: s.boolean(),
      description: s.string().min(1).optional(),
      schema: s.record(s.string(), s.unknown()),
    }),
  ),
  responses: s.record(s.string(), s.looseObject({})),
})

const documentSchema = s.looseObject({
  openapi: s.literal('3.1.0'),
  info: s.looseObject({ title: s.string(), version: s.string() }),
  tags: s.array(s.looseObject({ name: s.string() })),
  paths: s.record(s.string().startsWith('/'), s.record(s.string(), operation)),
  components: s.looseObject({ schemas: s.record(s.string(), s.record(s.string(), s.unknown())) }),
})

async function openDocument() {
  const { call } = await openTestAdmin()
  return documentSchema.parse((await call('GET', '/api/openapi.json', { token: '' })).body)
}

function ajvWith(document: object) {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  return ajv.addSchema({ $id: 'http://x/doc', ...document })
}

/** Every `$ref` anywhere below. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) =>
    key === '$ref' && typeof child === 'string' ? [child] : referencesIn(child),
  )
}

function resolve(document: object, reference: string): unknown {
  let found: unknown = document
  for (const key of reference.replace(/^#\//, '').split('/')) {
    found = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined
  }
  return found
}

test('every reference leads somewhere, and every component is referred to', async () => {
  const document = await openDocument()
  const references = new Set(referencesIn(document))
  for (const reference of references) {
    ok(reference.startsWith('#/'), reference)
    ok(resolve(document, reference) !== undefined, reference)
  }
  const unused = Object.keys(document.components.schemas).filter(
    (name) => !references.has(`#/components/schemas/${name}`),
  )
  // Events travel inside a stream, whose type cannot refer to a schema.
  deepEqual(unused, ['Event'])
})

test('every component is a valid JSON Schema of the draft that OpenAPI 3.1 uses', async () => {
  const document = await openDocument()
  const ajv = ajvWith(document)
  for (const name of Object.keys(document.components.schemas)) {
    ok(ajv.getSchema(`http://x/doc#/components/schemas/${name}`), name)
  }
})

test('operation ids are unique and parameters of a path are exactly those it declares', async () => {
  const { paths } = await openDocument()
  const ids: string[] = []
  for (const [path, item] of Object.entries(paths)) {
    for (const { operationId, parameters } of Object.values(item)) {
      ids.push(operationId)
      const declared = parameters.filter((each) => each.in === 'path')
      deepEqual(
        declared.map(({ name }) => `{${name}}`),
        path.match(/\{\w+\}/g) ?? [],
        operationId,
      )
      ok(declared.every(({ required }) => required))
      const keys = parameters.map((each) => `${each.in} ${each.name}`)
      equal(new Set(keys).size, keys.length, operationId)
    }
  }
  equal(new Set(ids).size, ids.length)
})

test('every operation of every kind and its actions is there', async () => {
  const { paths, tags } = await openDocument()
  for (const { plural, actions } of kinds) {
    deepEqual(Object.keys(paths[`/api/v1/${plural}`] ?? {}), ['get'])
    const one = Object.keys(paths[`/api/v1/${plural}/{name}`] ?? {})
    deepEqual(one, ['get', 'put', 'patch', 'delete'])
    for (const { verb } of actions) ok(paths[`/api/v1/${plural}/{name}:${verb}`]?.post, verb)
    ok(tags.some(({ name }) => name === plural))
  }
})

test('what is described is bound, and without a token only what is marked so answers', async () => {
  const document = await openDocument()
  const { app } = await openTestAdmin()
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, { security }] of Object.entries(item)) {
      const url = path.replaceAll(/\{\w+\}/g, '1')
      const response = await app.request(url, { method: method.toUpperCase() })
      const isPublic = security?.some((each) => Object.keys(each).length === 0) === true
      equal(response.status, isPublic ? 200 : 401, `${method} ${path}`)
      if (!isPublic) equal(JSON.parse(await response.text()).code, 'admin.unauthenticated')
    }
  }
})

test('the description of a body takes short and long forms, and refuses what admission refuses', async () => {
  const ajv = ajvWith(await openDocument())
  const takes = (name: string, body: unknown) =>
    ajv.validate({ $ref: `http://x/doc#/components/schemas/${name}` }, body)
  const route = (spec: object) => takes('RouteInput', { spec })
  equal(route({ to: 'books' }), true)
  equal(route({ target: { upstreamRef: 'books' } }), true)
  equal(route({ to: 'books', polices: [] }), false)
  equal(
    route({ to: 'books', policies: [{ 'rate-limit': { limit: '100/min' } }, { set: 'x' }] }),
    true,
  )
  equal(route({ to: 'books', policies: ['api-key'] }), true)
  equal(route({ to: 'books', policies: [{ 'rate-limti': {} }] }), false)
  equal(
    route({ to: 'books', policies: [{ policy: 'rate-limit', config: { limit: '1/s' } }] }),
    true,
  )
  equal(takes('RouteInput', { spec: {}, labels: { a: 'b' }, nope: 1 }), false)
  const change = (put: object) => takes('ChangeRequest', { puts: [put] })
  equal(change({ kind: 'Upstream', name: 'a', spec: { url: 'http://h' } }), true)
  equal(change({ kind: 'Upstream', name: 'A', spec: { url: 'http://h' } }), false)
  equal(change({ kind: 'Route', name: 'a', spec: { url: 'http://h' } }), false)
})

test('the schema of configuration files is served for editors', async () => {
  const { call } = await openTestAdmin()
  const { headers, body } = await call('GET', '/schema/v1.json', { token: '' })
  equal(headers.get('content-type'), 'application/schema+json; charset=utf-8')
  equal(body.$schema, 'http://json-schema.org/draft-07/schema#')
  ok(JSON.stringify(body).includes('rate-limit'))
})

test('policies of the catalog are described by their own settings', async () => {
  const { components } = await openDocument()
  const text = JSON.stringify(components.schemas.PolicyEntry ?? fail('no PolicyEntry'))
  for (const { name } of builtInPolicies) ok(text.includes(`"const":"${name}"`), name)
})

test('the document follows the catalog when users bring another policy', async () => {
  const catalog = new Map(builtInPolicies.map((policy) => [policy.name, policy]))
  const deps = { catalog }
  const { app } = await openTestAdmin({
    get catalog() {
      return deps.catalog
    },
  })
  const namesOwn = async () =>
    JSON.stringify(await (await app.request('/api/openapi.json')).json()).includes('my-policy')
  equal(await namesOwn(), false)
  const [first = fail('no policies')] = builtInPolicies
  deps.catalog = new Map([...catalog, ['my-policy', { ...first, name: 'my-policy' }]])
  equal(await namesOwn(), true)
})
