import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { adminErrors } from './errors/admin.ts'
import { configErrors } from './errors/config.ts'
import { exchangeErrors } from './errors/exchange.ts'
import { runtimeErrors } from './errors/runtime.ts'
import { wireErrors } from './errors/wire.ts'
import {
  assert,
  type ErrorDefinition,
  errorCatalog,
  HeadgateError,
  isErrorCode,
  messageOf,
  unreachable,
} from './errors.ts'

const entries = Object.entries<ErrorDefinition>(errorCatalog)

test('no code stands in two tables, where one would hide the other', () => {
  const tables = [adminErrors, configErrors, exchangeErrors, runtimeErrors, wireErrors]
  equal(
    entries.length,
    tables.reduce((sum, table) => sum + Object.keys(table).length, 0),
  )
})

test('every code is an area and a name, and has an HTTP status of an error', () => {
  for (const [code, { status }] of entries) {
    match(code, /^[a-z]+\.[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/)
    ok(status >= 400 && status <= 599, code)
  }
})

test('every title is one clause and every code says in sentences what to do next', () => {
  for (const [code, { title, todo }] of entries) {
    match(title, /^[A-Z`].*[^.]$/, code)
    match(todo, /^[A-Z`].*[.:`]$/, code)
  }
})

test('an error carries its code, detail and cause, and the title without a message', () => {
  const cause = new Error('inner')
  const error = new HeadgateError('upstream.connect_failed', { cause, detail: { tried: 2 } })
  equal(error.message, errorCatalog['upstream.connect_failed'].title)
  equal(error.code, 'upstream.connect_failed')
  equal(error.cause, cause)
  equal(error.definition.status, 502)
  deepEqual(error.detail, { tried: 2 })
  ok(error instanceof Error)
  equal(new HeadgateError('cli.usage', { message: 'write more' }).message, 'write more')
})

test('codes are told from other text, names of object members included', () => {
  ok(isErrorCode('route.not_found'))
  for (const text of ['', 'route.', 'toString', '__proto__', 'constructor']) {
    ok(!isErrorCode(text), text)
  }
})

test('whatever is thrown has a message of one line', () => {
  equal(messageOf(new Error('no\n  way')), 'no way')
  equal(messageOf('text'), 'text')
  equal(messageOf(undefined), 'undefined')
  equal(messageOf(new TypeError('')), 'TypeError')
  equal(messageOf(Object.create(null)), '[object Object]')
  const parts = [new Error('connect ::1'), new Error('connect 127.0.0.1')]
  equal(messageOf(new AggregateError(parts)), 'connect ::1; connect 127.0.0.1')
})

test('a broken claim and an impossible value are bugs, and say so', () => {
  assert(true, 'holds')
  throws(() => assert(false, 'the pool is empty'), /^Error: bug: the pool is empty$/)
  // A value that the types rule out, as it would come from a store written by another version.
  throws(() => unreachable('Purple' as never), /^Error: bug: unexpected value "Purple"$/)
})
