import { equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { explainTlsFailure, isTlsError } from './explain-failure.ts'
import { handshakeRefusalOf } from './handshake-refusals.ts'
import { alternativeNames } from './peer-certificate.ts'
import { serverNames } from './server-names.ts'

const failure = (code: string, more: object = {}) =>
  Object.assign(new Error('words of OpenSSL'), { code, ...more })

test('failures towards endpoints say what to do; what is unknown stays as it is', () => {
  const cases: [string, RegExp][] = [
    ['CERT_HAS_EXPIRED', /has expired/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /issuer that is not trusted.*tls\.caFile/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /self-signed/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak TLS/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /tls\.clientCertificateRef/],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', /refused our client certificate/],
    ['ERR_SSL_SOMETHING_NEW', /^words of OpenSSL$/],
  ]
  for (const [code, message] of cases) {
    const explained = explainTlsFailure(failure(code))
    equal(explained.code, code)
    match(explained.message, message)
  }
})

test('a wrong name is told with the names that would be right', () => {
  const cert = { subjectaltname: 'DNS:a.example' }
  const { message } = explainTlsFailure(
    failure('ERR_TLS_CERT_ALTNAME_INVALID', { host: 'b.example', cert }),
  )
  match(message, /not for `b\.example` \(it is for DNS:a\.example\); set `tls\.serverName`/)
})

test('an error of the network is no error of TLS', () => {
  equal(isTlsError(failure('ECONNRESET')), false)
  equal(isTlsError(failure('ERR_SSL_BAD_DECRYPT')), true)
})

test('alerts and unknown errors of clients have a reason of their own', () => {
  equal(handshakeRefusalOf('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'), 'refused_by_client')
  equal(handshakeRefusalOf('ERR_SSL_SOMETHING_NEW'), 'other')
  equal(handshakeRefusalOf(undefined), 'other')
})

test('a name with a comma inside is one name, not two', () => {
  const names = alternativeNames(
    'DNS:a.example, URI:"http://x/, DNS:evil.example", IP Address:10.0.0.1',
  )
  equal(names.join(' | '), 'DNS:a.example | URI:http://x/, DNS:evil.example | IP Address:10.0.0.1')
})

test('of two entries with one name the first has it; a wildcard does not stand for its own domain', () => {
  const names = serverNames([
    { hosts: ['a.example'], value: 1 },
    { hosts: ['A.example', '*.b.example'], value: 2 },
  ])
  equal(names.find('a.example'), 1)
  equal(names.find('x.b.example.'), 2)
  equal(names.find('b.example'), undefined)
  equal(names.find('.b.example'), undefined)
  equal(names.find(''), undefined)
})
