import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { s } from './schema.ts'
import { checkValue, type Flaw, valueAt } from './schema-check.ts'
import { unboundedPlaces, withoutExtensions } from './schema-walk.ts'

function flaws(schema: s.ZodType, value: unknown): readonly Flaw[] {
  const checked = checkValue(schema, value)
  return checked.ok ? [] : checked.flaws
}

/** `path: message (suggestion)` of each flaw. */
function said(schema: s.ZodType, value: unknown): string[] {
  return flaws(schema, value).map(
    ({ path, message, suggestion }) =>
      `${path.join('.')}: ${message}${suggestion === undefined ? '' : ` (${suggestion})`}`,
  )
}

const person = s.strictObject({
  name: s.name(),
  age: s.int().min(0).max(150).optional(),
  state: s.enum(['Active', 'Suspended']).optional(),
  isAdmin: s.boolean().optional(),
  tags: s.array(s.string().max(8)).min(1).max(2).optional(),
  wait: s.duration().optional(),
  fields: s.map(s.fieldName(), s.string().max(9), { entriesMax: 2 }).optional(),
  at: s.iso.datetime().optional(),
})

test('a valid value comes back parsed', () => {
  deepEqual(checkValue(person, { name: 'ada', fields: { 'X-A': 'b' } }), {
    ok: true,
    value: { name: 'ada', fields: { 'x-a': 'b' } },
  })
})

test('everything that is wrong is said at once, each with its place', () => {
  deepEqual(said(person, { name: 'Ada', age: 151, state: 'active', isAdmin: 'yes', tags: [] }), [
    'name: must be a name of lower-case letters, digits and hyphens, as in `books-v2`',
    'age: must be a whole number from 0 to 150',
    'state: must be `Active` or `Suspended` (did you mean `Active`?)',
    'isAdmin: must be `true` or `false` (did you mean `true`?)',
    'tags: must have at least 1 entry',
  ])
})

test('a missing key is called missing, with what it should hold', () => {
  const [flaw] = flaws(person, {})
  equal(flaw?.code, 'config.missing_key')
  deepEqual(said(person, {}), [
    'name: is missing; it must be a name of lower-case letters, digits and hyphens, as in `books-v2`',
  ])
})

test('a value of the wrong type is told what is wanted, and never repeated', () => {
  deepEqual(
    said(person, {
      name: 7,
      age: 'secret',
      isAdmin: 1,
      tags: 'secret',
      wait: 30,
      fields: [],
      at: 'x',
    }),
    [
      'name: must be a name of lower-case letters, digits and hyphens, as in `books-v2`',
      'age: must be a whole number from 0 to 150, not text',
      'isAdmin: must be `true` or `false`',
      'tags: must be a list, not text (put it in brackets: `[…]`)',
      'wait: must be a duration such as `250ms`, `30s` or `1h30m`',
      'fields: must be a map of keys and values, not a list',
      'at: must be a time such as `2026-01-31T12:00:00Z` (RFC 3339)',
    ],
  )
})

test('a number in quotes is told to lose them, text that looks like a number to get them', () => {
  deepEqual(said(person, { name: 'a', age: '7' }), [
    'age: must be a whole number from 0 to 150, not text (remove the quotes)',
  ])
  deepEqual(said(person, { name: 'a', tags: [7] }), ['tags.0: must be text: put it in quotes'])
})

test('both sides of each limit are judged right', () => {
  deepEqual(said(person, { name: 'a', tags: ['12345678', 'b'], fields: { a: '1', b: '2' } }), [])
  deepEqual(
    said(person, { name: 'a', tags: ['1', 'b', 'c'], fields: { a: '1', b: '2', c: '3' } }),
    ['tags: must have at most 2 entries', 'fields: must have at most 2 entries'],
  )
})

test('a text that is too long is told so where it stands', () => {
  deepEqual(said(person, { name: 'a', tags: ['a', '123456789'] }), [
    'tags.1: must be at most 8 characters long',
  ])
})

test('an unknown key is pointed at itself, with the nearest known one', () => {
  const [flaw] = flaws(person, { name: 'a', stat: 'Active' })
  deepEqual(flaw, {
    path: ['stat'],
    at: 'key',
    code: 'config.unknown_key',
    message: 'is not a known key',
    suggestion: 'did you mean `state`?',
  })
})

test('without a near one the known keys are listed', () => {
  const small = s.strictObject({ url: s.httpUrl(), weight: s.int().optional() })
  deepEqual(said(small, { url: 'http://a', colour: 1 }), [
    'colour: is not a known key; known here: `url`, `weight`',
  ])
})

test('keys that begin with x- are ignored where keys are fixed, and kept in free maps', () => {
  const schema = s.strictObject({
    inner: s.array(person).max(3).optional(),
    free: s.map(s.string().max(9), s.unknown(), { entriesMax: 9 }).optional(),
  })
  const value = { 'x-a': 1, inner: [{ name: 'a', 'x-b': 2 }], free: { 'x-c': { 'x-d': 3 } } }
  deepEqual(withoutExtensions(schema, value), {
    inner: [{ name: 'a' }],
    free: { 'x-c': { 'x-d': 3 } },
  })
  deepEqual(said(schema, value), [])
})

test('a misspelt key hides the rules that it breaks besides', () => {
  const either = s
    .strictObject({ exact: s.string().optional(), prefix: s.string().optional() })
    .refine((value) => Object.keys(value).length === 1, 'must have exactly one')
  deepEqual(said(either, { exct: 'a' }), ['exct: is not a known key (did you mean `exact`?)'])
  deepEqual(said(either, {}), [': must have exactly one'])
})

const target = s.union([
  s.strictObject({ upstreamRef: s.name() }),
  s.strictObject({ url: s.httpUrl(), weight: s.int().min(1).max(5).optional() }),
])

test('of a union only the branch that was meant is explained', () => {
  deepEqual(said(target, { url: 'http://a', weight: 9 }), [
    'weight: must be a whole number from 1 to 5',
  ])
  deepEqual(said(s.union([s.string().max(3), person]), { nam: 'a' }), [
    'name: is missing; it must be a name of lower-case letters, digits and hyphens, as in `books-v2`',
    'nam: is not a known key (did you mean `name`?)',
  ])
})

test('when no branch fits, all forms are named', () => {
  deepEqual(said(s.union([s.string(), s.int().min(1).max(5)]), true), [
    ': must be text: put it in quotes or a whole number from 1 to 5, not `true` or `false`',
  ])
})

test('a union with words of its own uses them', () => {
  deepEqual(said(s.strictObject({ share: s.share() }), { share: '101%' }), [
    'share: must be a share such as `5%` or `0.25%`, at most `100%`, or a whole number of basis points from 0 to 10000',
  ])
  deepEqual(said(s.strictObject({ share: s.share() }), {}), [
    'share: is missing; it must be a share such as `5%` or `0.25%`, at most `100%`, or a whole number of basis points from 0 to 10000',
  ])
})

test('a secret written in clear has a code of its own', () => {
  const schema = s.strictObject({ secret: s.secretRef() })
  equal(flaws(schema, { secret: 'hunter2' })[0]?.code, 'config.secret_inline')
  ok(!JSON.stringify(flaws(schema, { secret: 'hunter2' })).includes('hunter2'))
  deepEqual(flaws(schema, { secret: 'env:BOOKS_KEY' }), [])
})

test('an address is taken literally, not repaired', () => {
  const accepts = (url: string) => s.httpUrl().safeParse(url).success
  for (const url of ['http://a', 'https://a:8443/x/', 'http://[::1]:80', 'HTTP://a'])
    equal(accepts(url), true, url)
  for (const url of [
    'ftp://a',
    'a:80',
    'http:/a',
    'http:///a',
    'http://u:p@a',
    'http://a?b',
    'http://a#b',
    'http://a\\b',
    ' http://a',
    'http://a b',
    'http://a\n',
    'http://a:99999',
  ])
    equal(accepts(url), false, url)
})

test('a JSON value is bounded by the bytes it takes', () => {
  const schema = s.json({ bytesMax: 5 })
  equal(schema.safeParse('abc').success, true)
  equal(schema.safeParse('abcd').success, false)
  equal(schema.safeParse('éé').success, false)
})

test('a walk finds every place without a limit', () => {
  const schema = s.strictObject({
    fine: s.string().max(3),
    text: s.string().optional(),
    list: s.array(s.string().max(3)),
    deep: s.array(s.strictObject({ any: s.unknown() })).max(3),
    free: s.record(s.string(), s.int()),
    either: s.union([s.string(), s.int()]),
    open: s.looseObject({}),
  })
  deepEqual(unboundedPlaces(schema), [
    'text',
    'list',
    'deep[].any',
    'free',
    'free{key}',
    'either',
    'open',
  ])
})

test('a path is followed through maps and lists only as far as they own it', () => {
  equal(valueAt({ a: [{ b: 1 }] }, ['a', 0, 'b']), 1)
  equal(valueAt({ a: 'text' }, ['a', 'length']), undefined)
  equal(valueAt({}, ['constructor']), undefined)
  equal(valueAt(undefined, ['a']), undefined)
})
