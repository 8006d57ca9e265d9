/**
 * What authors of policies import as `headgate/policy`: the whole of the public authoring surface.
 * See docs/how-to/write-a-policy.md.
 */
export { s } from './base/schema.ts'
export { parseDuration, parseRate, parseShare, parseSize } from './base/units.ts'
export type {
  ConsumerIdentity,
  FieldEdits,
  FieldLine,
  PolicyContext,
  PolicyDefinition,
  PolicyExchange,
  PolicyInstance,
  RequestView,
  ResponseView,
  Verdict,
} from './proxy/policies/define-policy.ts'
export type { PeerCertificate } from './wire/tls/peer-certificate.ts'
export { definePolicy, deny, proceed, respond } from './proxy/policies/define-policy.ts'
