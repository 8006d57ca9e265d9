import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { pathPatternProblem, splitTemplate, templateProblem } from './route-patterns.ts'

test('a template falls into literal text and what it inserts', () => {
  deepEqual(splitTemplate('/v2/{id}/{**}?x'), [
    '/v2/',
    { insert: 'id' },
    '/',
    { insert: '**' },
    '?x',
  ])
  deepEqual(splitTemplate(''), [])
  for (const text of ['/{', '/}', '/{}', '/{a b}', '/{*}', '/{{a}}'])
    equal(splitTemplate(text), undefined, text)
})

test('a template may insert only what every path of the route has', () => {
  const check = (text: string, patterns: string[]) =>
    templateProblem(text, { patterns, place: 'path' })
  equal(check('/x/{id}', ['/a/{id}', '/b/{id}/c']), undefined)
  match(check('/x/{id}', ['/a/{id}', '/b/{key}']) ?? '', /not a parameter of every path/)
  match(check('/x/{id}', []) ?? '', /not a parameter of every path/)
  equal(check('/x/{**}', []), undefined)
  equal(check('/x/{**}', ['/a/**']), undefined)
  match(check('/x/{**}', ['/a/**', '/b']) ?? '', /not every path of the route ends in/)
  match(check('/x/{id', ['/a/{id}']) ?? '', /brace/)
  match(check('/x?id={id}', ['/a/{id}']) ?? '', /without query/)
})

test('what a redirect inserts cannot become its host or scheme', () => {
  const check = (text: string) =>
    templateProblem(text, { patterns: ['/{x}/**'], place: 'location' })
  for (const text of [
    'https://example.com/{**}',
    'HTTPS://example.com/{x}',
    '//cdn.example.com/{x}',
    'https://example.com?next={x}',
    '/{**}',
    '/a/{x}',
    'mailto:nobody@example.com',
  ])
    equal(check(text), undefined, text)
  for (const text of [
    '{**}',
    '{x}://example.com/',
    'https://{x}.example.com/',
    'https://example.com{**}',
    'https://example.com:{x}/',
    '//{x}/',
    '/\\{x}',
    'a{**}',
    'javascript:{**}',
  ])
    match(check(text) ?? '', /must begin with `\/`/, text)
})

test('a pattern that no request can reach is refused', () => {
  for (const pattern of [
    '/a/..',
    '/%2e%2E/b',
    '/a/.;x',
    '/a\\b',
    '/a%5Cb',
    '/a%00',
    '/a%7f',
    '/100%',
  ])
    match(pathPatternProblem(pattern) ?? '', /^must not have/, pattern)
  for (const pattern of ['/', '/**', '/.well-known/x', '/a%20b', '/caf%C3%A9', '/café/{id}', '/a/'])
    equal(pathPatternProblem(pattern), undefined, pattern)
})
