import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import type { KindDefinition } from './define-kind.ts'
import { kinds } from './index.ts'

/** The specs of a kind that its examples hold, as written. */
function exampleSpecs(kind: KindDefinition): unknown[] {
  return kind.examples.flatMap(({ yaml }) => {
    const document: Record<string, unknown> = parse(yaml)
    const list =
      kind.isSingleton === true ? [document[kind.kind.toLowerCase()]] : document[kind.plural]
    return (Array.isArray(list) ? list : []).map(
      ({ name, labels, description, owner, ...spec }) => spec,
    )
  })
}

for (const kind of kinds) {
  test(`${kind.kind}: the canonical form is accepted and expands to itself`, () => {
    const specs = exampleSpecs(kind)
    ok(specs.length > 0)
    for (const spec of specs) {
      const canonical = kind.expand(kind.spec.parse(spec))
      deepEqual(kind.expand(kind.spec.parse(canonical)), canonical)
    }
  })
}
