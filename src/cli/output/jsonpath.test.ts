import { equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { evaluateJsonPath } from './jsonpath.ts'

const value = {
  items: [
    { name: 'a', spec: { live: 'v1', 'x-y': { 'k.l': 1 } } },
    { name: 'b', spec: { live: 'v2' } },
  ],
}

test('templates pick, index, list and mix with text', () => {
  equal(evaluateJsonPath('{.items[*].name}', value), 'a b')
  equal(evaluateJsonPath('.items[0].spec.live', value), 'v1')
  equal(evaluateJsonPath('{.items[-1].name}{"\\n"}', value), 'b\n')
  equal(evaluateJsonPath("n={$.items[0].spec['x-y']['k.l']}!", value), 'n=1!')
  equal(evaluateJsonPath('{.items[0].spec.live} {.nothing.there}', value), 'v1 ')
  equal(evaluateJsonPath('{.items[1].spec}', value), '{"live":"v2"}')
})

test('keys of the prototype are not found', () => {
  equal(evaluateJsonPath('{.constructor}{.items.length}', value), '')
})

test('what cannot be read is refused', () => {
  for (const bad of ['{.items', '{..name}', '{.items[?(@.name=="a")]}', '{.a b}']) {
    throws(() => evaluateJsonPath(bad, value), { code: 'cli.usage' })
  }
})
