import { equal, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
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
