import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { formatHostPort, parseHostPort } from './host-port.ts'

test('addresses of every form parse and print back', () => {
  deepEqual(parseHostPort('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 })
  deepEqual(parseHostPort('[::1]:0'), { host: '::1', port: 0 })
  deepEqual(parseHostPort(':9090'), { host: '0.0.0.0', port: 9090 })
  equal(formatHostPort(parseHostPort('[::1]:8080')), '[::1]:8080')
  equal(formatHostPort(parseHostPort('localhost:65535')), 'localhost:65535')
})

test('what is not HOST:PORT is refused with its code', () => {
  for (const text of ['8080', 'localhost', '::1:80', 'a:65536', 'a:', 'http://a:80', '']) {
    throws(() => parseHostPort(text), { code: 'run.address_invalid' })
  }
})
