/** Whatever stands in a file or an admin call ends in problems, never in an exception. */
import { ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { HeadgateError } from '../../base/errors.ts'
import { alternativesOf, knownKeysOf } from '../../base/schema-walk.ts'
import { kinds } from '../../kinds/index.ts'
import { policyCatalog } from '../../proxy/policies/catalog.ts'
import { formatConfig } from '../files/format.ts'
import { parseConfig } from '../files/parse.ts'
import { renderProblems } from '../files/render.ts'
import { topLevelKeys } from '../files/sections.ts'
import { arbitraryConfig } from '../files/testing/arbitrary-config.ts'
import { toYaml } from '../files/to-yaml.ts'
import { admit, admitParsed } from './admit.ts'

const catalog = policyCatalog()
const keys = [
  ...topLevelKeys,
  ...kinds.flatMap((kind) => knownKeysOf(alternativesOf(kind.spec))),
  ...[
    'name',
    'labels',
    'path',
    'hosts',
    'weights',
    'by',
    'set',
    'policy',
    'config',
    'v1',
    'secret',
  ],
  ...['rate-limit', 'limit', 'x-a', '<<', '__proto__', 'constructor', 'toString', ''],
]

/** Values that look like configuration from afar: real keys, wrong things below them. */
const nearlyConfig = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(
        'books',
        'http://a',
        '5%',
        '30s',
        '${A}',
        '${',
        '$$',
        'env:A',
        '/a/{b}/**',
        '*',
      ),
      fc.string(),
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value

const file = fc.dictionary(
  fc.constantFrom(...topLevelKeys),
  fc.array(nearlyConfig, { maxLength: 3 }),
)

/** Everything that happens to the text of a file; fails by throwing. */
function run(text: string): void {
  const files = [{ name: 'fuzz.yaml', text }]
  const parsed = parseConfig(files, { A: 'a' })
  const admission = admitParsed(parsed, catalog)
  const problems = admission.ok ? admission.warnings : admission.problems
  ok(admission.ok || problems.some(({ severity }) => severity === 'error'))
  for (const { location, message } of problems) {
    ok(message !== '')
    ok(location === undefined || (location.line >= 1 && location.column >= 1))
  }
  renderProblems(problems, files)
  if (admission.ok) toYaml(admission.resources)
  for (const expand of [false, true]) formatOrRefuse(text, expand)
}

function formatOrRefuse(text: string, expand: boolean): void {
  try {
    formatConfig(text, { expand })
  } catch (thrown) {
    ok(thrown instanceof HeadgateError && thrown.code === 'config.syntax', String(thrown))
  }
}

test('arbitrary text never throws', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), run), { numRuns: 300 })
})

test('text made of the signs of YAML never throws', () => {
  const sign = fc.constantFrom(
    ...[
      'a',
      ': ',
      '- ',
      '\n',
      '\n  ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '&x ',
      '*x',
      '"',
      "'",
      '|\n',
      '>',
      '#',
    ],
    ...[
      '? ',
      '!t ',
      '%YAML 1.1\n',
      '---\n',
      '...\n',
      '\t',
      '<<',
      '${A}',
      'routes:\n',
      '- name: b\n',
    ],
  )
  const text = fc.array(sign, { maxLength: 30 }).map((signs) => signs.join(''))
  fc.assert(fc.property(text, run), { numRuns: 500 })
})

test('files with real keys and wrong values never throw', () => {
  fc.assert(
    fc.property(file, (content) => run(stringify(content, { aliasDuplicateObjects: false }))),
    { numRuns: 300 },
  )
})

test('a valid file with one character changed never throws', () => {
  const mutation = fc.record({
    at: fc.nat(),
    sign: fc.constantFrom(...' \n:-[]{}"\'*&!#%0a\t', ''),
  })
  fc.assert(
    fc.property(arbitraryConfig, mutation, (documents, { at, sign }) => {
      const admission = admit(documents, catalog)
      const text = admission.ok ? toYaml(admission.resources) : ''
      const index = at % (text.length + 1)
      run(text.slice(0, index) + sign + text.slice(index + 1))
    }),
    { numRuns: 60 },
  )
})

test('documents of an admin call with anything in them never throw', () => {
  const document = fc.record({
    kind: fc.constantFrom(...kinds.map((kind) => kind.kind), 'Nothing', '__proto__'),
    name: fc.constantFrom('a', 'books', 'default', '', 'Not A Name'),
    labels: nearlyConfig,
    spec: nearlyConfig,
  })
  fc.assert(
    fc.property(fc.array(document, { maxLength: 4 }), (documents) => {
      const admission = admit(documents, catalog)
      renderProblems(admission.ok ? admission.warnings : admission.problems, [])
    }),
    { numRuns: 300 },
  )
})
