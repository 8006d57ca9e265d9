import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { simulatedClock } from '../../base/clock.ts'
import { createThrottle } from './throttle.ts'

const limits = { wrongTokensMax: 3, wrongTokensWindowMs: 60_000, throttledAddressesMax: 2 }

function throttleAfter(addresses: readonly string[]) {
  const clock = simulatedClock()
  const throttle = createThrottle(clock, limits)
  for (const address of addresses) throttle.addWrongToken(address)
  return { clock, throttle }
}

test('an address may try until it has sent the permitted number of wrong tokens', () => {
  const { throttle } = throttleAfter(['10.0.0.1', '10.0.0.1'])
  equal(throttle.waitMs('10.0.0.1'), 0)
  throttle.addWrongToken('10.0.0.1')
  equal(throttle.waitMs('10.0.0.1'), 60_000)
  equal(throttle.waitMs('10.0.0.2'), 0)
})

test('after the window the address may try again, from zero', () => {
  const { clock, throttle } = throttleAfter(['::1', '::1', '::1'])
  clock.advance(59_999)
  equal(throttle.waitMs('::1'), 1)
  clock.advance(1)
  equal(throttle.waitMs('::1'), 0)
  throttle.addWrongToken('::1')
  equal(throttle.waitMs('::1'), 0)
})

test('a right token clears the address', () => {
  const { throttle } = throttleAfter(['::1', '::1', '::1'])
  throttle.clear('::1')
  equal(throttle.waitMs('::1'), 0)
})

test('all addresses of one IPv6 /64 count as one, and an IPv4 address is itself in both notations', () => {
  const six = throttleAfter(['2001:db8::1', '2001:db8::2', '2001:db8::3']).throttle
  equal(six.waitMs('2001:db8::ffff') > 0, true)
  equal(six.waitMs('2001:db8:0:1::1'), 0)
  const four = throttleAfter(['10.0.0.1', '::ffff:10.0.0.1', '10.0.0.1']).throttle
  equal(four.waitMs('10.0.0.1') > 0, true)
  equal(four.waitMs('10.0.0.2'), 0)
})

test('the table is bounded: the address seen longest ago is forgotten', () => {
  const { throttle } = throttleAfter(['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.2', '10.0.0.3'])
  equal(throttle.waitMs('10.0.0.1'), 0)
})
