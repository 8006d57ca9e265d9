import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { errorCatalog, HeadgateError, isErrorCode } from './errors.ts'
import { jsonPointer, problemEntriesMax, problemOf, problemTypeOf } from './problem.ts'

const requestId = 'req_1'

test('an error becomes a document with the constants of its code and its own detail', () => {
  const error = new HeadgateError('upstream.no_endpoint', {
    message: 'All endpoints of `books` `v2` are out.',
    detail: { version: 'v2', tried: ['http://127.0.0.1:1'] },
  })
  deepEqual(problemOf(error, { requestId }), {
    type: 'https://headgate.dev/errors/upstream.no_endpoint',
    title: 'No endpoint is available',
    status: 503,
    detail: 'All endpoints of `books` `v2` are out.',
    instance: 'req_1',
    code: 'upstream.no_endpoint',
    version: 'v2',
    tried: ['http://127.0.0.1:1'],
  })
})

test('what is not a HeadgateError shows nothing of itself', () => {
  const document = problemOf(new Error('password=hunter2'), { requestId })
  equal(document.status, 500)
  equal(document.code, 'gateway.internal')
  equal(JSON.stringify(document).includes('hunter2'), false)
})

test('the cause and the stack of an error stay inside', () => {
  const error = new HeadgateError('store.failed', { cause: new Error('hunter2') })
  equal(JSON.stringify(problemOf(error, { requestId })).includes('hunter2'), false)
})

test('the detail cannot replace members of the document, and absent members are left out', () => {
  const detail = { status: 200, code: 'x', empty: null, absent: undefined, limit: 5 }
  const document = problemOf(new HeadgateError('admin.conflict', { detail }), { requestId })
  equal(document.status, 409)
  equal(document.code, 'admin.conflict')
  equal('empty' in document || 'absent' in document, false)
  equal(document.limit, 5)
})

test('problems become entries with pointers, warnings apart', () => {
  const problems = [
    {
      severity: 'error',
      code: 'config.unknown_key',
      path: ['match', 'a/b'],
      message: 'is not known',
      suggestion: 'did you mean `ab`?',
      object: 'Route/books',
      location: { file: 'a.yaml', line: 3, column: 5 },
    },
    { severity: 'warning', code: 'config.route_shadowed', path: [], message: 'can never match' },
  ]
  const document = problemOf(new HeadgateError('config.invalid', { detail: { problems } }), {
    requestId,
  })
  deepEqual(document.errors, [
    {
      pointer: '/match/a~1b',
      code: 'config.unknown_key',
      message: 'is not known',
      suggestion: 'did you mean `ab`?',
      object: 'Route/books',
      location: { file: 'a.yaml', line: 3, column: 5 },
    },
  ])
  deepEqual(document.warnings, [
    { pointer: '', code: 'config.route_shadowed', message: 'can never match' },
  ])
  equal('problems' in document, false)
})

test('a document carries a bounded number of entries and counts the rest', () => {
  const problem = { code: 'config.bad_value', path: ['a'], message: 'm' }
  const withCount = (count: number) =>
    problemOf(
      new HeadgateError('config.invalid', { detail: { problems: Array(count).fill(problem) } }),
      { requestId },
    )
  equal(withCount(problemEntriesMax).errors?.length, problemEntriesMax)
  equal('errorsOmitted' in withCount(problemEntriesMax), false)
  equal(withCount(problemEntriesMax + 7).errors?.length, problemEntriesMax)
  equal(withCount(problemEntriesMax + 7).errorsOmitted, 7)
})

test('operators are told what to do next, consumers are not', () => {
  const error = new HeadgateError('upstream.pool_exhausted')
  equal('todo' in problemOf(error, { requestId }), false)
  equal(
    problemOf(error, { requestId, isForOperator: true }).todo,
    errorCatalog['upstream.pool_exhausted'].todo,
  )
})

test('every code has a type that is a valid URL', () => {
  const codes = Object.keys(errorCatalog).filter(isErrorCode)
  for (const code of codes) equal(new URL(problemTypeOf(code)).pathname, `/errors/${code}`)
})

test('a pointer escapes tilde and slash', () => {
  equal(jsonPointer([]), '')
  equal(jsonPointer(['a', 0, '~/']), '/a/0/~0~1')
})
