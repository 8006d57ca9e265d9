import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { s } from './schema.ts'
import { checkValue } from './schema-check.ts'

type Case = {
  readonly schema: s.ZodType
  readonly good: readonly unknown[]
  readonly bad: readonly unknown[]
  /** Every refusal must say it. */
  readonly says: RegExp
}

const long = (count: number) => 'a'.repeat(count)

const cases: Readonly<Record<string, Case>> = {
  name: {
    schema: s.name(),
    good: ['a', 'books-v2', '0', long(63)],
    bad: ['', '-a', 'a-', 'Books', 'a_b', 'a.b', long(64), 5, undefined, 'a\n'],
    says: /^must be (?:a name of lower-case letters|at most 63 characters)/,
  },
  duration: {
    schema: s.duration(),
    good: ['250ms', '1h30m'],
    bad: ['5', '5 s', 30, null, '', `${long(40)}s`],
    says: /such as `250ms`/,
  },
  size: {
    schema: s.size(),
    good: ['512B', '64KiB'],
    bad: ['64', '64kb', 64, ''],
    says: /such as `512B`/,
  },
  rate: {
    schema: s.rate(),
    good: ['10/s', '20/30s'],
    bad: ['10', '10/fortnight', 10],
    says: /such as `10\/s`/,
  },
  share: {
    schema: s.share(),
    good: ['5%', '0.25%', 0, 10_000],
    bad: ['5', '101%', 10_001, -1, 0.5],
    says: /such as `5%`|^must be a whole number from 0 to 10000$/,
  },
  cidr: {
    schema: s.cidr(),
    good: ['10.0.0.0/8', '::1'],
    bad: ['10.0.0.0/33', 'localhost', ''],
    says: /such as `10\.0\.0\.0\/8`/,
  },
  address: {
    schema: s.address(),
    good: ['10.0.0.1', '::1'],
    bad: ['10.0.0.0/8', 'localhost'],
    says: /such as `10\.0\.0\.1`/,
  },
  fieldName: {
    schema: s.fieldName(),
    good: ['x-api-key', 'X-Api-Key', long(128)],
    bad: ['', 'a b', 'a:', 'ä', 'a\r\n', long(129)],
    says: /^must be (?:a header field name such as|at most 128)/,
  },
  fieldValue: {
    schema: s.fieldValue({ charactersMax: 8 }),
    good: ['', 'a', 'a b\tc'],
    bad: [' a', 'a ', 'a\r\nb', 'ä', 'a\u0000', long(9), 5],
    says: /printable ASCII|at most 8 characters|put numbers in quotes/,
  },
  httpUrl: {
    schema: s.httpUrl(),
    good: ['http://127.0.0.1:7001', 'https://books.internal/api', 'http://[::1]:80', 'HTTP://a'],
    bad: [
      'ftp://a',
      'http://',
      'http:///a',
      'http:a',
      'http://user:pw@a',
      'http://a?b',
      'http://a#b',
      ' http://a',
      'http://a b',
      'http://a\n',
      'http:\\\\a',
      'http://a:99999',
      'a',
    ],
    says: /such as `http:\/\/127\.0\.0\.1:7001`|^must not hold a user or password/,
  },
  secretRef: {
    schema: s.secretRef(),
    good: ['env:BOOKS_KEY', 'env:_x1', 'file:/run/secrets/books'],
    bad: ['s3cr3t', 'env:', 'env:1A', 'env:A-B', 'file:', 'env:A\n', 5],
    says: /`env:NAME` or `file:\/path`/,
  },
  map: {
    schema: s.map(s.name(), s.int(), { entriesMax: 2 }),
    good: [{}, { a: 1, b: 2 }],
    bad: [{ a: 1, b: 2, c: 3 }],
    says: /at most 2 entries/,
  },
  json: {
    schema: s.json({ bytesMax: 6 }),
    good: ['four', null, [1, 2], 'ää'],
    bad: ['fives', 'äää', { a: 10 }],
    says: /at most 6 bytes/,
  },
}

for (const [name, { schema, good, bad, says }] of Object.entries(cases)) {
  test(`${name} takes what it should and says what to write instead of the rest`, () => {
    for (const value of good) ok(schema.safeParse(value).success, `refused ${String(value)}`)
    for (const value of bad) {
      const messages = messagesFor(schema, value)
      ok(messages.length > 0, `took ${JSON.stringify(String(value))}`)
      for (const message of messages) match(message, says)
    }
  })
}

/** What is said about a value; nothing when it is taken. */
function messagesFor(schema: s.ZodType, value: unknown): string[] {
  const checked = checkValue(schema, value)
  return checked.ok ? [] : checked.flaws.map(({ message }) => message)
}

test('a message never repeats what was written, which may be a secret', () => {
  for (const { schema } of Object.values(cases)) {
    const messages = messagesFor(schema, 'hunter2 hunter2 hunter2 hunter2')
    ok(!messages.some((message) => message.includes('hunter2')))
  }
})

test('a secret written in clear has a code of its own', () => {
  const [issue] = s.secretRef().safeParse('hunter2').error?.issues ?? []
  deepEqual(issue?.code === 'custom' && issue.params, { code: 'config.secret_inline' })
})

test('field names are kept in lower case', () => {
  equal(s.fieldName().parse('X-Api-Key'), 'x-api-key')
})

test('the limit of a map is part of its JSON Schema', () => {
  const { maxProperties } = s.toJSONSchema(s.map(s.name(), s.int(), { entriesMax: 2 }))
  equal(maxProperties, 2)
})
