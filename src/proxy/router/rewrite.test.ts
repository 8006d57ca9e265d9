import { deepEqual, equal, match, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Rewrite } from '../snapshot.ts'
import {
  canonicalPrefix,
  expandTemplate,
  isIdentityRewrite,
  parseTemplate,
  type RedirectAction,
  redirectLocation,
  rewriteTarget,
  upstreamHost,
} from './rewrite.ts'

const asIs: Rewrite = {
  path: undefined,
  stripPrefix: undefined,
  addPrefix: undefined,
  host: { mode: 'Upstream' },
}
const nothing = { captures: [], rest: '' }

function target(
  rewrite: Partial<Rewrite>,
  path: string,
  {
    query = '',
    captures = [],
    rest = '',
    pathPrefix = '',
  }: {
    query?: string
    captures?: string[]
    rest?: string
    pathPrefix?: string
  } = {},
) {
  return rewriteTarget({ ...asIs, ...rewrite }, { path, query }, { captures, rest }, pathPrefix)
}

test('a template numbers its parameters and takes `{**}` for the rest', () => {
  deepEqual(parseTemplate('/v2/{b}/{a}/{**}', ['a', 'b']), ['/v2/', 1, '/', 0, '/', -1])
  equal(expandTemplate(['/v2/', 1, '/', 0, '/', -1], ['x', 'y'], 'p/q'), '/v2/y/x/p/q')
  deepEqual(parseTemplate('/a b/é"', []), ['/a%20b/%C3%A9%22'])
})

test('a template with an unknown parameter or a lone brace is refused', () => {
  throws(() => parseTemplate('/{isbn}', ['id']), { code: 'config.bad_value' })
  throws(() => parseTemplate('/{id', ['id']), { code: 'config.bad_value' })
})

test('without a rewrite the target stays byte for byte what the client sent', () => {
  equal(isIdentityRewrite(asIs), true)
  equal(target({}, '//a/%7e//b', { query: 'q=%20&&x' }), '//a/%7e//b?q=%20&&x')
})

test('the prefix of the endpoint goes before the path', () => {
  equal(target({}, '/books', { pathPrefix: '/api/v1', query: 'x=1' }), '/api/v1/books?x=1')
})

test('a prefix is cut off at the border of a segment only, in any spelling', () => {
  for (const [path, expected] of [
    ['/api/books', '/books'],
    ['/api', '/'],
    ['/api/', '/'],
    ['/apix/books', '/apix/books'],
    ['/ap', '/ap'],
    ['/', '/'],
    ['//api/books', '/books'],
    ['/%61p%69/books', '/books'],
    ['/api//evil.example', '/evil.example'],
    ['/api/a//b', '/a//b'],
  ] as const)
    equal(target({ stripPrefix: '/api' }, path), expected, path)
  equal(target({ stripPrefix: '/api/v1' }, '/api//v1/x'), '/x')
  equal(target({ stripPrefix: '/api/v1' }, '/api/v2/x'), '/api/v2/x')
  equal(target({ stripPrefix: '/api', addPrefix: '/internal' }, '/api/x'), '/internal/x')
})

test('a configured prefix is brought to its canonical spelling', () => {
  equal(canonicalPrefix('/api/'), '/api')
  equal(canonicalPrefix('//%61pi//v1'), '/api/v1')
  equal(canonicalPrefix('//'), undefined)
})

test('a rewritten path keeps the query and inserts captures as they came', () => {
  const path = parseTemplate('/v2/{id}/{**}', ['id'])
  equal(
    target({ path }, '/x/%2F/a', { captures: ['%2F'], rest: 'a', query: 'q=1' }),
    '/v2/%2F/a?q=1',
  )
})

test('`/**` that matched nothing adds no slash that was not there', () => {
  const path = parseTemplate('/v2/{**}', [])
  equal(target({ path }, '/books'), '/v2')
  equal(target({ path }, '/books/'), '/v2/')
  equal(target({ path: parseTemplate('/{**}', []) }, '/books'), '/')
})

test('the host towards the upstream is the endpoint’s, the client’s or a fixed one', () => {
  const hosts = { client: 'api.example.com', endpoint: '10.0.0.1:7001' }
  equal(upstreamHost(asIs, hosts), '10.0.0.1:7001')
  equal(upstreamHost({ ...asIs, host: { mode: 'Preserve' } }, hosts), 'api.example.com')
  equal(upstreamHost({ ...asIs, host: { mode: 'Literal', value: 'b' } }, hosts), 'b')
})

function redirect(
  action: Partial<Omit<RedirectAction, 'location' | 'path'>> & {
    location?: string
    path?: string
  },
): RedirectAction {
  const { location, path, ...others } = action
  return {
    type: 'redirect',
    status: 308,
    scheme: undefined,
    host: undefined,
    ...others,
    location: location === undefined ? undefined : parseTemplate(location, ['id']),
    path: path === undefined ? undefined : parseTemplate(path, ['id']),
  }
}

const request = { path: '/old/7', query: 'q=1', host: 'api.example.com', scheme: 'http' }

test('a redirect by scheme, host or path keeps everything else of the address', () => {
  const matched = { captures: ['7'], rest: '' }
  equal(
    redirectLocation(redirect({ scheme: 'https' }), request, matched),
    'https://api.example.com/old/7?q=1',
  )
  equal(
    redirectLocation(redirect({ host: 'b.example:8443' }), request, matched),
    'http://b.example:8443/old/7?q=1',
  )
  equal(redirectLocation(redirect({ path: '/new/{id}' }), request, matched), '/new/7?q=1')
})

test('a redirect to a location says exactly what it says', () => {
  const matched = { captures: ['7'], rest: 'a/b' }
  equal(
    redirectLocation(redirect({ location: 'https://x.example/{id}?from=old' }), request, matched),
    'https://x.example/7?from=old',
  )
  equal(
    redirectLocation(redirect({ location: '//cdn.example/{**}' }), request, matched),
    '//cdn.example/a/b',
  )
  equal(
    redirectLocation(redirect({ location: 'mailto:x@example.com' }), request, matched),
    'mailto:x@example.com',
  )
})

test('what a redirect inserts cannot end its path or add parameters', () => {
  const matched = { captures: ['1&admin=true;x=2#f'], rest: '"<>\\' }
  equal(
    redirectLocation(redirect({ location: '/find?id={id}' }), request, matched),
    '/find?id=1%26admin%3Dtrue%3Bx%3D2%23f',
  )
  equal(redirectLocation(redirect({ location: '/x/{**}' }), request, matched), '/x/%22%3C%3E%5C')
})

test('no path can lead a redirect to another host', () => {
  const piece = fc
    .array(fc.constantFrom('/', '\\', 'evil.example', ':', '@', '.', '?', '#', '\t', '%2F', 'a'))
    .map((parts) => parts.join(''))
  const locations = [
    '/{**}',
    '/{id}',
    '/{id}/{**}',
    '/go?to={**}',
    'https://safe.example/{**}',
    'https://safe.example?{id}',
  ]
  fc.assert(
    fc.property(piece, piece, fc.constantFrom(...locations), (id, rest, location) => {
      const text = redirectLocation(
        redirect({ location }),
        { ...request, path: `/${rest}` },
        { captures: [id], rest },
      )
      const host = new URL(text, 'https://safe.example').hostname
      equal(host, 'safe.example', text)
    }),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(piece, (path) => {
      const raw = { ...request, path: `/${path}` }
      const byScheme = redirectLocation(redirect({ scheme: 'https' }), raw, nothing)
      equal(new URL(byScheme).hostname, 'api.example.com', byScheme)
    }),
  )
  match(
    redirectLocation(redirect({ path: '/{**}' }), request, { captures: [], rest: '/evil.example' }),
    /^\/evil/,
  )
})
