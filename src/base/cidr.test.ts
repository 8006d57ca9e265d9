import { equal, notEqual, ok } from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { cidrTable, isCidr, isIpAddress, networkKey, parseCidr } from './cidr.ts'

test('addresses and networks are told from other text', () => {
  for (const text of ['192.0.2.1', '::1', '2001:db8::1', '::ffff:192.0.2.1', '::'])
    ok(isIpAddress(text), text)
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1::2::3',
    '12345::',
    'fe80::1%eth0',
    ':::',
  ])
    ok(!isIpAddress(text), text)
  for (const text of ['10.0.0.0/8', '0.0.0.0/0', '::/0', '2001:db8::/128', '10.1.2.3'])
    ok(isCidr(text), text)
  for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/08', '/8'])
    ok(!isCidr(text), text)
})

test('a table has the addresses of its networks, in either notation of IPv4', () => {
  const table = cidrTable(['10.0.0.0/8', '192.0.2.7', '2001:db8::/33'])
  for (const address of ['10.255.0.1', '192.0.2.7', '::ffff:10.0.0.1', '2001:db8:7fff::1'])
    ok(table.has(address), address)
  for (const address of ['11.0.0.1', '192.0.2.8', '2001:db8:8000::1', 'nonsense', ''])
    ok(!table.has(address), address)
})

function network(text: string) {
  const parsed = parseCidr(text)
  ok(parsed !== undefined)
  return parsed
}

test('a table covers networks that lie in one of its own', () => {
  const table = cidrTable(['10.0.0.0/8', '2001:db8::/32'])
  for (const text of ['10.0.0.0/8', '10.2.0.0/16', '10.1.2.3', '2001:db8:1::/48'])
    ok(table.covers(network(text)), text)
  for (const text of ['0.0.0.0/0', '10.0.0.0/7', '11.0.0.0/16', '2001:db8::/31'])
    ok(!table.covers(network(text)), text)
})

test('one network has one key, however it is written', () => {
  equal(networkKey(network('10.0.0.0/8')), networkKey(network('10.9.8.7/8')))
  equal(networkKey(network('10.0.0.1')), networkKey(network('10.0.0.1/32')))
  notEqual(networkKey(network('10.0.0.0/8')), networkKey(network('10.0.0.0/9')))
})

test('IPv4 may only stand at the very end of an IPv6 address', () => {
  ok(isIpAddress('1:2:3:4:5:6:192.0.2.1'))
  ok(isIpAddress('1::192.0.2.1'))
  for (const text of ['192.0.2.1::', '192.0.2.1::1', '1:192.0.2.1::1', '192.0.2.1:1::']) {
    ok(!isIpAddress(text), text)
  }
})

test('the same texts are addresses as for the platform', () => {
  const part = fc.oneof(
    fc.constantFrom('', ':', '::', '.', '0', '1', '255', '256', '01', 'ffff', 'fffff', 'g'),
    fc.ipV4(),
    fc.ipV6(),
  )
  const text = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6()), (address) => {
      equal(isIpAddress(address), isIP(address) !== 0, address)
    }),
    { numRuns: 2_000 },
  )
})

test('a table agrees with the block list of the platform', () => {
  const network = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.constant('ipv4' as const)),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.constant('ipv6' as const)),
  )
  const probe = fc.oneof(fc.ipV4(), fc.ipV6())
  fc.assert(
    fc.property(fc.array(network, { maxLength: 4 }), probe, (networks, address) => {
      // The platform's list also matches IPv4 against mapped networks, as ours does not for `::/0`.
      const sameFamily = networks.filter(([, , family]) => family === `ipv${isIP(address)}`)
      const list = new BlockList()
      for (const [start, bits, family] of sameFamily) list.addSubnet(start, bits, family)
      const table = cidrTable(sameFamily.map(([start, bits]) => `${start}/${bits}`))
      const isMapped = /^::ffff:/i.test(address)
      if (!isMapped)
        equal(table.has(address), list.check(address, `ipv${isIP(address) === 4 ? 4 : 6}`))
    }),
    { numRuns: 1_000 },
  )
})
