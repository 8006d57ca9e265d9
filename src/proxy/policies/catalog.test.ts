import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { s } from '../../base/schema.ts'
import { expandPolicies, policyListSchema } from '../../kinds/policy-list.ts'
import { checkPolicyConfig, policyCatalog } from './catalog.ts'
import { definePolicy, policyPhases } from './define-policy.ts'
import { builtInPolicies } from './index.ts'

test('the first policies are there, sorted and in known phases', () => {
  const names = [...policyCatalog().keys()]
  deepEqual(names, ['api-key', 'cors', 'fault', 'headers', 'ip-filter', 'rate-limit', 'size-limit'])
  for (const { phase } of builtInPolicies) ok(policyPhases.includes(phase))
})

test('every example of every policy is valid', () => {
  for (const definition of builtInPolicies) {
    ok((definition.examples ?? []).length > 0, `${definition.name} has no example`)
    for (const { title, yaml } of definition.examples ?? []) {
      const [entry] = expandPolicies(policyListSchema.parse([parse(yaml)]))
      ok(entry !== undefined && 'policy' in entry, title)
      equal(entry.policy, definition.name)
      const check = checkPolicyConfig(definition, entry.config)
      ok(check.ok, `${definition.name}: ${title}: ${JSON.stringify(check)}`)
    }
  }
})

test('every schema becomes JSON Schema, and describes each of its keys', () => {
  for (const { name, config } of builtInPolicies) {
    const schema: unknown = s.toJSONSchema(config, { io: 'input' })
    const properties = s
      .object({ properties: s.record(s.string(), s.looseObject({})) })
      .parse(schema).properties
    for (const [key, property] of Object.entries(properties)) {
      ok('description' in property, `${name}.${key} has no description`)
    }
  }
})

test('what passes a schema passes it again unchanged, as a re-read configuration would', () => {
  for (const definition of builtInPolicies) {
    for (const { yaml } of definition.examples ?? []) {
      const written: unknown = Object.values(Object(parse(yaml)))[0]
      const once = checkPolicyConfig(definition, written)
      ok(once.ok)
      deepEqual(checkPolicyConfig(definition, once.value), once)
    }
  }
})

test('two policies of one name are refused', () => {
  const twin = definePolicy({
    name: 'cors',
    summary: 'Another.',
    phase: 'access',
    config: s.object({}),
    create: () => ({}),
  })
  throws(() => policyCatalog([twin]), /two policies named `cors`/)
})

test('a schema that makes something a worker cannot be sent is refused', () => {
  const text = s.string()
  const schemas: readonly s.ZodType[] = [
    s.object({ a: text.transform((each) => new RegExp(each)) }),
    s.object({ a: text.transform((each) => () => each) }),
    s.object({ a: text.transform((each) => [new Map([[each, each]])]) }),
    s.object({ a: text.transform((each) => BigInt(each.length)) }),
    s.object({ a: text }).transform(({ a }) => a),
  ]
  for (const config of schemas) {
    const definition = definePolicy({
      name: 'odd',
      summary: 'Odd.',
      phase: 'admit',
      config,
      create: () => ({}),
    })
    const check = checkPolicyConfig(definition, { a: 'x' })
    ok(!check.ok)
    match(check.flaws.map(({ message }) => message).join(), /plain data/)
  }
})

test('what is wrong with a configuration names its place, with a suggestion for a slip', () => {
  const rateLimit = policyCatalog().get('rate-limit')
  ok(rateLimit)
  const check = checkPolicyConfig(rateLimit, { limit: 'x', burts: 1 })
  ok(!check.ok)
  deepEqual(
    check.flaws.map(({ path, suggestion }) => [path.join('.'), suggestion]),
    [
      ['limit', undefined],
      ['burts', 'did you mean `burst`?'],
    ],
  )
})
