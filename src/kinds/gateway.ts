import { s } from '../base/schema.ts'
import { defineKind } from './define-kind.ts'
import { gatewayTlsSchema } from './gateway-tls.ts'
import { timeoutsSchema } from './timeouts.ts'

const limitsSchema = s
  .strictObject({
    headBytes: s
      .size()
      .optional()
      .meta({ description: 'Request line and header fields together.', default: '32KiB' }),
    fieldCount: s
      .int()
      .min(1)
      .max(1_000)
      .optional()
      .meta({ description: 'Header fields of a request.', default: 100 }),
    targetBytes: s
      .size()
      .optional()
      .meta({ description: 'Request target (path and query).', default: '8KiB' }),
    bodyBytes: s.size().optional().describe('Request body. Without it there is no limit.'),
    connections: s
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .meta({ description: 'Client connections per worker.', default: 20_000 }),
    handshakes: s
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .meta({ description: 'TLS handshakes that run at a time, per worker.', default: 1_000 }),
    requestsPerConnection: s
      .int()
      .min(1)
      .max(1_000_000_000)
      .optional()
      .meta({
        description: 'Then the connection is closed. Without it there is no limit.',
        examples: [10_000],
      }),
  })
  .describe('What a client may send and hold open.')

const accessLogSchema = s
  .strictObject({
    output: s
      .enum(['Off', 'Stdout', 'File'])
      .optional()
      .meta({ description: 'Where call records go as JSON lines.', default: 'Off' }),
    path: s
      .string()
      .min(1)
      .max(1_024)
      .optional()
      .meta({
        description: 'File to append to, with `output: File`.',
        examples: ['/var/log/headgate/access.log'],
      }),
  })
  .superRefine((log, context) => {
    if (log.output === 'File' && log.path === undefined)
      context.addIssue({ code: 'custom', path: [], message: 'needs a `path` with `output: File`' })
    if (log.output !== 'File' && log.path !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['path'],
        message: 'is written only with `output: File`',
      })
  })
  .describe('A line for every exchange.')

const requestIdSchema = s
  .strictObject({
    header: s
      .fieldName()
      .optional()
      .meta({ description: 'Field that carries the id.', default: 'x-request-id' }),
    accept: s
      .enum(['Never', 'FromTrusted', 'Always'])
      .optional()
      .meta({ description: 'Whose request id is kept.', default: 'FromTrusted' }),
  })
  .describe('The id that follows a request through all systems.')

const clientTimeoutsSchema = s
  .strictObject({
    handshake: s.duration().optional().meta({
      description: 'From the connection to the end of its TLS handshake.',
      default: '10s',
    }),
    head: s.duration().optional().meta({
      description: 'From the first byte of a request to the end of its head.',
      default: '10s',
    }),
    body: s
      .duration()
      .optional()
      .meta({ description: 'Longest pause between two parts of a request body.', default: '60s' }),
    idle: s
      .duration()
      .optional()
      .meta({ description: 'Kept open without a request.', default: '75s' }),
  })
  .describe('Time limits towards clients.')

const gatewaySpec = s.strictObject({
  trustedProxies: s
    .array(s.cidr())
    .max(1_000)
    .optional()
    .describe('Networks whose `X-Forwarded-*` fields are believed. Without it: none.'),
  policiesFolder: s
    .string()
    .min(1)
    .max(1_024)
    .optional()
    .meta({
      description: 'Folder with your own policies, one TypeScript or JavaScript file each.',
      examples: ['./policies'],
    }),
  requestId: requestIdSchema.optional(),
  timeouts: timeoutsSchema.optional(),
  clientTimeouts: clientTimeoutsSchema.optional(),
  limits: limitsSchema.optional(),
  accessLog: accessLogSchema.optional(),
  tls: gatewayTlsSchema.optional(),
})

export type GatewaySpec = s.infer<typeof gatewaySpec>

/** Settings of the gateway as a whole. In files it is the one map `gateway:`. */
export const gateway = defineKind<GatewaySpec, GatewaySpec>({
  kind: 'Gateway',
  plural: 'gateways',
  summary:
    'Settings of the gateway as a whole: trusted proxies, limits, client timeouts, access log.',
  description:
    'There is exactly one, named `default`. In a file it is the map `gateway:`; every key has a default.',
  isSingleton: true,
  spec: gatewaySpec,
  expand: (input) => input,
  references: ({ tls }) =>
    tls?.defaultCertificateRef === undefined
      ? []
      : [
          {
            kind: 'Certificate',
            name: tls.defaultCertificateRef,
            path: ['tls', 'defaultCertificateRef'],
          },
        ],
  columns: [
    { title: 'ACCESS LOG', value: (spec) => spec.accessLog?.output ?? 'Off' },
    { title: 'TRUSTED PROXIES', value: (spec) => String(spec.trustedProxies?.length ?? 0) },
  ],
  actions: [],
  examples: [
    {
      title: 'Behind a load balancer, with an access log',
      yaml: 'gateway:\n  trustedProxies: [10.0.0.0/8]\n  accessLog: { output: Stdout }\n',
    },
    {
      title: 'TLS on port 443, for clients that have a certificate of ours',
      yaml: 'gateway:\n  tls:\n    listen: 443\n    clientCertificates: { mode: Required, caFile: tls/clients-ca.pem }\n',
    },
  ],
})
