import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { ask, configProblems, createPolicy, outcome } from '../test-context.ts'
import { testExchange } from '../test-exchange.ts'
import { addressesCachedMax, ipFilter } from './ip-filter.ts'

function judge(config: unknown, addresses: readonly string[]): string[] {
  const instance = createPolicy(ipFilter, config)
  return addresses.map((address) => outcome(ask(instance, testExchange({ address }))))
}

test('with `allow` only the listed networks pass, IPv4 and IPv6', () => {
  const config = { allow: ['10.0.0.0/8', '2001:db8::/32'] }
  deepEqual(judge(config, ['10.255.0.1', '11.0.0.1', '2001:db8::1', '2001:db9::1']), [
    'proceed',
    'client.address_denied',
    'proceed',
    'client.address_denied',
  ])
})

test('with `deny` alone everybody else passes', () => {
  deepEqual(judge({ deny: ['192.0.2.7'] }, ['192.0.2.7', '192.0.2.8']), [
    'client.address_denied',
    'proceed',
  ])
})

test('`deny` wins over `allow`', () => {
  const config = { allow: ['192.0.2.0/24'], deny: ['192.0.2.128/25'] }
  deepEqual(judge(config, ['192.0.2.1', '192.0.2.200']), ['proceed', 'client.address_denied'])
})

test('an IPv4 address written as IPv6 is the same address', () => {
  deepEqual(judge({ deny: ['192.0.2.0/24'] }, ['::ffff:192.0.2.1']), ['client.address_denied'])
})

test('what is no address passes no `allow` list', () => {
  deepEqual(judge({ allow: ['0.0.0.0/0', '::/0'] }, ['']), ['client.address_denied'])
})

test('the answer stays right when more addresses come than are remembered', () => {
  const instance = createPolicy(ipFilter, { deny: ['10.0.0.0/16'] })
  for (let index = 0; index < addressesCachedMax * 2; index++) {
    const address = `10.${index % 2}.${(index >> 8) & 255}.${index & 255}`
    const expected = index % 2 === 0 ? 'client.address_denied' : 'proceed'
    equal(outcome(ask(instance, testExchange({ address }))), expected)
  }
})

test('a filter without lists, or with something that is no network, is refused', () => {
  deepEqual(configProblems(ipFilter, {}), [': must have `allow`, `deny` or both'])
  equal(configProblems(ipFilter, { allow: ['10.0.0.0/33'] }).length, 1)
  equal(configProblems(ipFilter, { allow: [] }).length, 1)
})
