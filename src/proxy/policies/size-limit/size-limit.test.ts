import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { ask, configProblems, createPolicy, outcome } from '../test-context.ts'
import { type TestRequest, testExchange } from '../test-exchange.ts'
import { sizeLimit } from './size-limit.ts'

function send(config: unknown, request: TestRequest) {
  const exchange = testExchange(request)
  return { exchange, code: outcome(ask(createPolicy(sizeLimit, config), exchange)) }
}

test('a body is refused by its Content-Length before it is read, at one byte too many', () => {
  const config = { bodyBytes: '1KiB' }
  equal(send(config, { contentLength: 1_024 }).code, 'proceed')
  equal(send(config, { contentLength: 1_025 }).code, 'client.body_too_large')
})

test('a body of unknown length is limited while it arrives', () => {
  const { exchange, code } = send({ bodyBytes: '1KiB' }, { contentLength: undefined })
  equal(code, 'proceed')
  equal(exchange.bodyBytesMax(), 1_024)
})

test('without `bodyBytes` the body is left alone', () => {
  const { exchange } = send({ headBytes: '1KiB' }, { contentLength: 1_000_000 })
  equal(exchange.bodyBytesMax(), undefined)
})

test('a head is refused at one byte too many', () => {
  const config = { headBytes: '512B' }
  equal(send(config, { headBytes: 512 }).code, 'proceed')
  equal(send(config, { headBytes: 513 }).code, 'client.headers_too_large')
})

test('a target counts path, question mark and query', () => {
  const config = { targetBytes: '10B' }
  equal(send(config, { target: '/345?78910' }).code, 'proceed')
  equal(send(config, { target: '/345?7891011' }).code, 'client.uri_too_long')
  equal(send(config, { target: '/2345678910' }).code, 'client.uri_too_long')
})

test('a limit of nothing and a size that is none are refused', () => {
  deepEqual(configProblems(sizeLimit, {}), [
    ': must have at least one of `bodyBytes`, `headBytes` and `targetBytes`',
  ])
  equal(configProblems(sizeLimit, { bodyBytes: '10 apples' }).length, 1)
})
