import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { framingFields } from '../../../base/framing-fields.ts'
import type { FieldLine } from '../define-policy.ts'
import { isFieldValue } from '../field-rules.ts'
import { ask, configProblems, createPolicy } from '../test-context.ts'
import { type TestRequest, testExchange, testResponse } from '../test-exchange.ts'
import { headers } from './headers.ts'

function requestAfter(edits: object, lines: readonly FieldLine[], request: TestRequest = {}) {
  const exchange = testExchange(request)
  exchange.consumer = { app: 'mobile', appSlot: 1, consumer: 'Bücher\r\nGmbH', keyName: 'first' }
  ask(createPolicy(headers, { request: edits }), exchange)
  return exchange.requestFields.applyTo(lines)
}

test('set replaces every line, add keeps them, remove removes them', () => {
  const lines: FieldLine[] = [
    ['a', '1'],
    ['a', '2'],
    ['b', '1'],
    ['c', '1'],
  ]
  const edits = { set: { A: 'new' }, add: { B: '2' }, remove: ['C'] }
  deepEqual(requestAfter(edits, lines), [
    ['b', '1'],
    ['a', 'new'],
    ['b', '2'],
  ])
})

test('placeholders are filled in from the exchange', () => {
  const edits = {
    set: {
      'x-all':
        '{client.address} {client.port} {route.name} {app} {request.id} {request.method} {request.scheme} {request.host} {request.path} {request.header.X-Trace} {request.query.page}',
    },
  }
  const request = {
    target: '/books/7?page=3',
    fields: { 'x-trace': 't1' },
    address: '2001:db8::1',
    requestId: 'r-9',
  }
  deepEqual(requestAfter(edits, [], request), [
    ['x-all', '2001:db8::1 50000 books mobile r-9 GET http api.example.com /books/7 t1 3'],
  ])
})

test('what is absent is empty, and a field that comes out empty is not sent', () => {
  const edits = {
    set: { 'x-trace': '{request.header.x-trace}' },
    add: { 'x-more': '{request.query.q}' },
  }
  deepEqual(requestAfter(edits, [['x-trace', 'forged']]), [])
})

test('doubled braces are braces', () => {
  deepEqual(requestAfter({ set: { a: '{{{app}}}' } }, []), [['a', '{mobile}']])
})

test('a line break or foreign letters in a placeholder are percent-encoded', () => {
  deepEqual(requestAfter({ set: { a: '{consumer}' } }, []), [['a', 'B%C3%BCcher%0D%0AGmbH']])
})

test('no text from outside can break a field value', () => {
  const instance = createPolicy(headers, { request: { set: { a: 'v={request.header.x-in}' } } })
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const exchange = testExchange({ fields: { 'x-in': text } })
      ask(instance, exchange)
      return exchange.requestFields.log.every(([, , value = '']) => isFieldValue(value))
    }),
  )
})

test('response edits are recorded when the response comes, also for one this policy never let through', () => {
  const instance = createPolicy(headers, { response: { set: { 'x-route': '{route.name}' } } })
  equal(instance.onRequest, undefined)
  equal(instance.seesEveryResponse, true)
  const exchange = testExchange()
  instance.onResponse?.(exchange, testResponse(401))
  deepEqual(exchange.responseFields.log, [['set', 'x-route', 'books']])
})

test('fields of the connection and of framing are refused everywhere, Host in requests', () => {
  for (const name of [...framingFields, 'Content-Length', 'TRANSFER-ENCODING']) {
    for (const edits of [{ set: { [name]: 'x' } }, { add: { [name]: 'x' } }, { remove: [name] }]) {
      equal(configProblems(headers, { request: edits }).length, 1, name)
      equal(configProblems(headers, { response: edits }).length, 1, name)
    }
  }
  match(configProblems(headers, { request: { set: { Host: 'x' } } }).join(), /rewrite/)
})

test('a value that would break the head, or a placeholder that there is not, is refused', () => {
  const problems = (value: string) =>
    configProblems(headers, { response: { set: { 'x-a': value } } }).join()
  for (const value of ['a\r\nb', 'a\nb', 'a\0b', ' a', 'a ', 'ü'])
    match(problems(value), /printable/)
  match(problems('{client.adress}'), /unknown placeholder `\{client.adress\}`; there are \{app\}/)
  match(problems('{app'), /`\{` without `\}`/)
  match(problems('app}'), /`\}` without `\{`/)
  match(problems('{constructor}'), /unknown placeholder/)
})

test('names of fields are checked, and something must be there to do', () => {
  match(configProblems(headers, { request: { set: { 'a b': 'x' } } }).join(), /field name/)
  deepEqual(configProblems(headers, {}), [': must have `request`, `response` or both'])
})
