import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { formatPlace, sentenceFor } from '../problem.ts'
import { aliasedValuesMax, fileBytesMax, fileCountMax, nestingMax } from './limits.ts'
import { configForUpstream, parseConfig } from './parse.ts'

function parse(text: string, env: Record<string, string> = {}) {
  return parseConfig([{ name: 'a.yaml', text }], env)
}

function said(parsed: ReturnType<typeof parseConfig>): string[] {
  return parsed.problems.map(
    (problem) =>
      `${problem.location === undefined ? '' : `${formatPlace(problem.location)} `}${sentenceFor(problem)}`,
  )
}

/** What each document holds, without the way back to its place. */
function plain(parsed: ReturnType<typeof parseConfig>) {
  return parsed.documents.map(({ locate, ...document }) => document)
}

test('items hold metadata beside the spec, and come back apart', () => {
  const parsed = parse(`
version: 1
routes:
  - name: books
    labels: { team: catalog }
    description: All of them
    owner: ada
    match: { path: /books/** }
    to: books
`)
  deepEqual(parsed.problems, [])
  deepEqual(plain(parsed), [
    {
      kind: 'Route',
      name: 'books',
      labels: { team: 'catalog' },
      description: 'All of them',
      owner: 'ada',
      spec: { match: { path: '/books/**' }, to: 'books' },
    },
  ])
})

test('JSON is read as well, tabs and all', () => {
  const text = JSON.stringify({ version: 1, apps: [{ name: 'mobile', keys: [] }] }, null, '\t')
  deepEqual(plain(parse(text)), [{ kind: 'App', name: 'mobile', spec: { keys: [] } }])
})

test('an empty file, an empty section and a file of comments hold nothing and are fine', () => {
  for (const text of [
    '',
    '# nothing yet\n',
    'version: 1\n',
    'routes:\nupstreams:\ngateway:\n',
    '---\n---\n',
  ])
    deepEqual([plain(parse(text)), said(parse(text))], [[], []], text)
})

test('the short form of a file is an upstream and a route for everything', () => {
  const documents = [
    { kind: 'Upstream', name: 'default', spec: { url: 'http://127.0.0.1:7001' } },
    { kind: 'Route', name: 'default', spec: { match: { path: '/**' }, to: 'default' } },
  ]
  deepEqual(plain(parse('upstream: http://127.0.0.1:7001\n')), documents)
  deepEqual(plain(parseConfig([configForUpstream('http://127.0.0.1:7001')], {})), documents)
})

test('an address on the command line cannot smuggle in more configuration', () => {
  const parsed = parseConfig([configForUpstream('x"\nroutes: []\n#')], {})
  deepEqual(parsed.documents[0]?.spec, { url: 'x"\nroutes: []\n#' })
})

test('keys that begin with x- are ignored at the top, and can hold anchors for other places', () => {
  const parsed = parse(`
x-slow: &slow { total: 60s }
x-base: &base { balance: RoundRobin, url: http://a }
upstreams:
  - name: books
    versions:
      v1: { <<: *base, url: http://b, timeouts: *slow }
      v2: { <<: [{ url: http://c }, *base] }
`)
  deepEqual(said(parsed), [])
  deepEqual(parsed.documents[0]?.spec, {
    versions: {
      v1: { url: 'http://b', timeouts: { total: '60s' }, balance: 'RoundRobin' },
      v2: { url: 'http://c', balance: 'RoundRobin' },
    },
  })
})

test('several files, and several documents in one file, are one configuration', () => {
  const parsed = parseConfig(
    [
      { name: 'a.yaml', text: 'routes: [{ name: a }]\n---\nroutes: [{ name: b }]\n' },
      { name: 'b.yaml', text: 'version: 1\nroutes: [{ name: c }]\n' },
    ],
    {},
  )
  deepEqual(said(parsed), [])
  deepEqual(
    parsed.documents.map(({ name }) => name),
    ['a', 'b', 'c'],
  )
  deepEqual(parsed.documents[2]?.locate(['name']), { file: 'b.yaml', line: 2, column: 18 })
})

test('maps of several files merge, lists append, and a scalar set twice names both places', () => {
  const parsed = parseConfig(
    [
      {
        name: 'a.yaml',
        text: 'gateway:\n  trustedProxies: [10.0.0.0/8]\n  limits: { fieldCount: 50 }\n',
      },
      {
        name: 'b.yaml',
        text: 'gateway:\n  trustedProxies: [::1]\n  limits: { fieldCount: 60, headBytes: 1KiB }\n',
      },
    ],
    {},
  )
  deepEqual(plain(parsed), [
    {
      kind: 'Gateway',
      name: 'default',
      spec: {
        trustedProxies: ['10.0.0.0/8', '::1'],
        limits: { fieldCount: 50, headBytes: '1KiB' },
      },
    },
  ])
  deepEqual(said(parsed), [
    'b.yaml:3:13 `limits.fieldCount` of Gateway/default is set here and at a.yaml:3:13; keep one of the two',
  ])
  const [gateway] = parsed.documents
  equal(gateway?.locate(['trustedProxies', 1])?.file, 'b.yaml')
  equal(gateway?.locate(['trustedProxies', 0])?.file, 'a.yaml')
  deepEqual(gateway?.locate(['limits', 'headBytes']), { file: 'b.yaml', line: 3, column: 40 })
})

test('the short form may be given once only', () => {
  const parsed = parseConfig(
    [
      { name: 'a.yaml', text: 'upstream: http://a\n' },
      { name: 'b.yaml', text: '\nupstream: http://b\n' },
    ],
    {},
  )
  deepEqual(said(parsed), [
    'b.yaml:2:11 `upstream` is set here and at a.yaml:1:11; use the list `upstreams` for several',
  ])
})

test('places are those of keys, of values, and of the key above a map', () => {
  const [route] = parse(
    'routes:\n  - name: a\n    match:\n      path: /a\n    respond: { status: 1 }\n',
  ).documents
  const at = (path: string[], kind?: 'key' | 'value') => {
    const place = route?.locate(path, kind)
    return `${place?.line}:${place?.column}`
  }
  equal(at([]), '2:5')
  equal(at(['match']), '3:5')
  equal(at(['match', 'path']), '4:13')
  equal(at(['match', 'path'], 'key'), '4:7')
  equal(at(['match', 'missing']), '3:5')
  equal(at(['respond', 'status']), '5:24')
  equal(at(['nothing', 'like', 'this']), '2:5')
})

test('a place is found through an alias and a merge', () => {
  const [upstream] = parse(
    'x-a: &a { url: http://a }\nupstreams:\n  - name: b\n    versions: { v1: { <<: *a }, v2: *a }\n',
  ).documents
  deepEqual(upstream?.locate(['versions', 'v1', 'url']), { file: 'a.yaml', line: 1, column: 16 })
  deepEqual(upstream?.locate(['versions', 'v2', 'url']), { file: 'a.yaml', line: 1, column: 16 })
})

test('variables are filled in; unquoted text is read again, quoted text stays text', () => {
  const env = { COUNT: '50', HOST: 'a.example', EMPTY: '' }
  const parsed = parse(
    'routes:\n  - name: a\n    a: ${COUNT}\n    b: "${COUNT}"\n    c: http://${HOST}:${PORT:-80}/\n    d: ${EMPTY:-none}\n    e: "$$${HOST} costs 5$"\n    f: ${FLAG:-true}\n    ${COUNT}: g\n',
    env,
  )
  deepEqual(said(parsed), [])
  deepEqual(parsed.documents[0]?.spec, {
    a: 50,
    b: '50',
    c: 'http://a.example:80/',
    d: 'none',
    e: '$a.example costs 5$',
    f: true,
    '${COUNT}': 'g',
  })
})

test('a variable that is not set, or not well written, is an error at its place', () => {
  const parsed = parse('routes:\n  - name: a\n    b: http://${HOST}\n    c: "${1}"\n')
  deepEqual(said(parsed), [
    'a.yaml:3:15 `HOST` is not set; set it, or write a default: `${HOST:-default}`',
    'a.yaml:4:9 `${` must be followed by a name and `}`, as in `${HOME}`; a literal dollar sign is `$$`',
  ])
  // The environment is a record from outside: what every object has is not a variable.
  equal(parse('routes: [{ name: a, b: "${constructor}" }]').problems.length, 1)
})

test('a value of a variable never becomes structure', () => {
  const parsed = parse('routes:\n  - name: a\n    b: ${EVIL}\n', { EVIL: 'x\nc: d\n- [e]' })
  deepEqual(parsed.documents[0]?.spec, { b: 'x\nc: d\n- [e]' })
})

test('keys are text as written, so that versions may look like numbers', () => {
  const [upstream] = parse(
    'upstreams: [{ name: 404, versions: { 1.0: {}, 2: {}, true: {} } }]',
  ).documents
  equal(upstream?.name, '404')
  deepEqual(upstream?.spec, { versions: { '2': {}, '1.0': {}, true: {} } })
})

test('keys that are no words, or would reach into objects, are refused', () => {
  deepEqual(said(parse('apps: [{ name: a, ? [b] : c, __proto__: {} }]\n')), [
    'a.yaml:1:21 a key must be a word or text in quotes',
    'a.yaml:1:30 the key `__proto__` is not allowed',
  ])
})

test('tags, other versions of YAML and numbers without end are refused', () => {
  deepEqual(said(parse('apps: [{ name: a, b: !secret c }]\n')), [
    'a.yaml:1:22 the tag is not supported; remove it',
  ])
  deepEqual(said(parse('%YAML 1.1\n---\napps: []\n')), [
    'a.yaml:2:1 `%YAML 1.1` is not supported: files are YAML 1.2',
  ])
  deepEqual(said(parse('apps: [{ name: a, b: .inf, c: -0 }]\n')), [
    'a.yaml:1:22 the number must be finite',
  ])
})

test('an alias that holds itself is refused', () => {
  deepEqual(said(parse('apps:\n  - &a { name: a, b: *a }\n')), [
    'a.yaml:2:22 the alias `*a` holds itself',
  ])
  deepEqual(said(parse('apps: [{ name: a, b: &b [*b] }]\n')), [
    'a.yaml:1:26 the alias `*b` holds itself',
  ])
  deepEqual(said(parse('apps: [{ name: a, b: &b { <<: *b } }]\n')), [
    'a.yaml:1:25 the map is merged into itself',
  ])
})

test('aliases that multiply are stopped at the limit', () => {
  const lines = ['x-0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]']
  for (let level = 1; level < 12; level++)
    lines.push(
      `x-${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    )
  const parsed = parse(`${lines.join('\n')}\napps: [{ name: a, b: *a11 }]\n`)
  deepEqual(
    parsed.problems.map(({ code, message }) => [code, message]),
    [
      [
        'config.too_large',
        `the aliases of this file stand for more than ${aliasedValuesMax} values`,
      ],
    ],
  )
})

test('nesting is bounded, and the deepest that is allowed works', () => {
  const nested = (depth: number) =>
    `apps: [{ name: a, b: ${'['.repeat(depth)}${']'.repeat(depth)} }]`
  deepEqual(said(parse(nested(nestingMax))), [])
  deepEqual(said(parse(nested(nestingMax + 1))), [
    `a.yaml:1:${22 + nestingMax} maps and lists must not be nested deeper than ${nestingMax} levels`,
  ])
  const [first, ...rest] = said(parse('['.repeat(100_000)))
  ok(first?.endsWith('maps and lists are nested too deeply'))
  deepEqual(rest, [])
})

test('merges that lead from map to map are bounded like nesting', () => {
  const lines = ['x-0: &a0 { k0: 1 }']
  for (let level = 1; level <= 10_000; level++)
    lines.push(`x-${level}: &a${level} { <<: *a${level - 1}, k${level}: 1 }`)
  const file = (level: number) => `${lines.join('\n')}\napps: [{ <<: *a${level}, name: a }]\n`
  deepEqual(said(parse(file(60))), [])
  deepEqual(
    parse(file(10_000)).problems.map(({ code }) => code),
    ['config.too_large'],
  )
  equal(parse(file(10_000)).documents[0]?.locate(['k0'])?.line, 10_002)
})

test('files that are too large or too many are refused before they are read', () => {
  const comment = (bytes: number) => `#${'x'.repeat(bytes - 1)}`
  deepEqual(said(parse(comment(fileBytesMax))), [])
  deepEqual(said(parse(comment(fileBytesMax + 1))), ['a.yaml:1:1 the file is larger than 8 MiB'])
  const files = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `${index}.yaml`, text: '' }))
  deepEqual(said(parseConfig(files(fileCountMax), {})), [])
  deepEqual(said(parseConfig(files(fileCountMax + 1), {})), ['there are more than 1000 files'])
  const large = { name: 'a', text: comment(fileBytesMax) }
  deepEqual(said(parseConfig(Array(5).fill(large), {})), [
    'the files are larger than 32 MiB together',
  ])
})

test('only the first errors of broken syntax are told, and nothing of the file is used', () => {
  const parsed = parse(`${'a: [\n'.repeat(30)}`)
  ok(parsed.problems.length >= 1 && parsed.problems.length <= 5)
  deepEqual(parsed.documents, [])
})
