import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { HeadgateError } from '../../base/errors.ts'
import { formatConfig } from './format.ts'

test('comments and blank lines stay, keys come in the order of the reference', () => {
  const text = `# yaml-language-server: $schema=./headgate.schema.json
routes:
  # the shop
  - to: books   # for now
    match: {methods: [GET], path: /books/**}
    # found by this
    name: books
    x-note: kept
    labels: {team: 'catalog'}

  - {to: other, name: other}
version: 1
`
  const formatted = `version: 1
# yaml-language-server: $schema=./headgate.schema.json
routes:
  # the shop
  # found by this
  - name: books
    labels: { team: "catalog" }
    match: { path: /books/**, methods: [GET] }
    to: books # for now
    x-note: kept

  - { name: other, to: other }
`
  equal(formatConfig(text).replace(/^# yaml.*\n/m, ''), formatted.replace(/^# yaml.*\n/m, ''))
  equal(formatConfig(formatted), formatted)
})

test('the modeline for editors stays the first line', () => {
  const text = '# yaml-language-server: $schema=x\n\nroutes: []\nversion: 1\n'
  equal(formatConfig(text), '# yaml-language-server: $schema=x\n\nversion: 1\nroutes: []\n')
})

test('anchors and aliases survive, and their order too where one depends on the other', () => {
  const text = `x-t: &t { total: 5s }
routes:
  - timeouts: &own { <<: *t, idle: 1s }
    name: a
    to: b
upstreams:
  - versions: { v1: { timeouts: *own, url: http://a } }
    name: b
`
  equal(
    formatConfig(text),
    `x-t: &t { total: 5s }
routes:
  - name: a
    to: b
    timeouts: &own { <<: *t, idle: 1s }
upstreams:
  - name: b
    versions: { v1: { url: http://a, timeouts: *own } }
`,
  )
  const bound = `apps:
  - keys: [{ secret: &s env:A, name: a }]
    description: *s
    name: b
`
  // Sorted, the alias would stand before its anchor; so nothing is moved.
  equal(formatConfig(bound), bound)
})

test('several documents in one file stay apart', () => {
  const text = 'routes: [ { to: b, name: a }]\n---\nversion: 1\n'
  equal(formatConfig(text), 'routes: [{ name: a, to: b }]\n---\nversion: 1\n')
})

test('JSON stays JSON', () => {
  equal(
    formatConfig('{"routes":[{"to":"b","name":"a"}],"version":1}'),
    `{
  "version": 1,
  "routes": [
    {
      "name": "a",
      "to": "b"
    }
  ]
}
`,
  )
})

test('what is not YAML is refused with its problems', () => {
  throws(
    () => formatConfig('a: [\n'),
    (thrown) => {
      ok(thrown instanceof HeadgateError)
      equal(thrown.code, 'config.syntax')
      equal(thrown.message, 'line 1: the list that opens here is not closed with `]`')
      ok(Array.isArray(thrown.detail.problems) && thrown.detail.problems.length > 0)
      return true
    },
  )
})

test('configuration that is wrong in other ways is formatted all the same', () => {
  equal(formatConfig('routes: {a: 1}\nfoo: 2\n'), 'routes: { a: 1 }\nfoo: 2\n')
  equal(formatConfig('routes: {a: 1}\nfoo: 2\n', { expand: true }), 'routes: { a: 1 }\nfoo: 2\n')
  deepEqual(
    [formatConfig(''), formatConfig('# nothing\n'), formatConfig('7\n')],
    ['', '# nothing\n', '7\n'],
  )
})

test('expanding writes the long form and keeps what was said about the short one', () => {
  const text = `upstreams:
  - name: books
    url: http://a # the first
routes:
  - name: r
    to: books # the shop
    priority: 3 # high
    match:
      path: /a # all
    policies:
      - size-limit: { bodyBytes: 1MiB }
`
  equal(
    formatConfig(text, { expand: true }),
    `upstreams:
  - name: books
    # the first
    versions:
      v1:
        endpoints:
          - url: http://a
            weight: 1
        balance: PeakEwma
        connectionsMax: 1024
    live: v1
routes:
  - name: r
    match:
      hosts: []
      # all
      paths:
        - /a
      methods: []
      headers: {}
      query: {}
      cookies: {}
      addresses: []
    priority: 3 # high
    # the shop
    target:
      upstreamRef: books
    policies:
      - policy: size-limit
        config:
          bodyBytes: 1MiB
`,
  )
})

test('the short form of a whole file expands to entries', () => {
  const expanded = formatConfig('version: 1\nupstream: http://a\n', { expand: true })
  ok(expanded.includes('upstreams:\n  - name: default\n'))
  ok(expanded.includes('routes:\n  - name: default\n'))
  ok(!/^upstream:/m.test(expanded))
})

test('an entry whose short form depends on a variable is left as it is', () => {
  const text = 'upstreams:\n  - name: books\n    url: "${BOOKS_URL}"\n'
  equal(formatConfig(text, { expand: true }), text)
})

test('long text is not broken into lines', () => {
  const text = `apps:\n  - name: a\n    description: ${'word '.repeat(60).trim()}\n`
  equal(formatConfig(text), text)
})

test('what does not fit on a line is opened, and nothing else', () => {
  const text = `routes:
  - { name: books, to: books, match: { hosts: [a.example.com, b.example.com, c.example.com], path: /x } }
  - { name: b, to: books }
`
  equal(
    formatConfig(text),
    `routes:
  - name: books
    match: { hosts: [a.example.com, b.example.com, c.example.com], path: /x }
    to: books
  - { name: b, to: books }
`,
  )
})
