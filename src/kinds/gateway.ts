import { s } from '../base/schema.ts'
import { defineKind } from './define-kind.ts'

export const timeoutsSchema = s
  .strictObject({
    connect: s
      .duration()
      .optional()
      .describe('Until the connection to an endpoint stands. Default 5s.'),
    firstByte: s
      .duration()
      .optional()
      .describe('From the request sent to the first byte of the answer. Default 60s.'),
    idle: s
      .duration()
      .optional()
      .describe('Longest pause between two bytes of the answer. Default 60s.'),
    total: s.duration().optional().describe('Whole exchange. Default: no limit.'),
  })
  .describe(
    'Time limits towards the upstream. A route overrides its upstream version, that the gateway.',
  )

export type TimeoutsSpec = s.infer<typeof timeoutsSchema>

const limitsSchema = s.strictObject({
  headBytes: s
    .size()
    .optional()
    .describe('Request line and header fields together. Default 32KiB.'),
  fieldCount: s
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .describe('Header fields of a request. Default 100.'),
  targetBytes: s.size().optional().describe('Request target (path and query). Default 8KiB.'),
  bodyBytes: s.size().optional().describe('Request body. Default: no limit.'),
  connections: s
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('Client connections per worker. Default 20000.'),
  requestsPerConnection: s
    .int()
    .min(1)
    .max(1_000_000_000)
    .optional()
    .describe('Then the connection is closed. Default: no limit.'),
})

const accessLogSchema = s.strictObject({
  output: s
    .enum(['Off', 'Stdout', 'File'])
    .optional()
    .describe('Where call records go as JSON lines. Default Off.'),
  path: s.string().min(1).max(1_024).optional().describe('File to append to, with `output: File`.'),
})

const gatewaySpec = s.strictObject({
  trustedProxies: s
    .array(s.cidr())
    .max(1_000)
    .optional()
    .describe('Networks whose `X-Forwarded-*` fields are believed. Default: none.'),
  policiesFolder: s
    .string()
    .min(1)
    .max(1_024)
    .optional()
    .describe('Folder with your own policies, one TypeScript or JavaScript file each.'),
  requestId: s
    .strictObject({
      header: s.fieldName().optional().describe('Default `x-request-id`.'),
      accept: s
        .enum(['Never', 'FromTrusted', 'Always'])
        .optional()
        .describe('Whose request id is kept. Default FromTrusted.'),
    })
    .optional(),
  timeouts: timeoutsSchema.optional(),
  clientTimeouts: s
    .strictObject({
      head: s
        .duration()
        .optional()
        .describe('From the first byte of a request to the end of its head. Default 10s.'),
      body: s
        .duration()
        .optional()
        .describe('Longest pause between two parts of a request body. Default 60s.'),
      idle: s.duration().optional().describe('Kept open without a request. Default 75s.'),
    })
    .optional(),
  limits: limitsSchema.optional(),
  accessLog: accessLogSchema.optional(),
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
  references: () => [],
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
  ],
})
