import { s } from '../base/schema.ts'

/** Time limits towards upstreams; written at the gateway, at a version and at a route. */
export const timeoutsSchema = s
  .strictObject({
    connect: s
      .duration()
      .optional()
      .meta({ description: 'Until the connection to an endpoint stands.', default: '5s' }),
    firstByte: s.duration().optional().meta({
      description: 'From the request sent to the first byte of the answer.',
      default: '60s',
    }),
    idle: s.duration().optional().meta({
      description:
        'Longest pause between two bytes of the answer. Raise it for event streams that are quiet for longer.',
      default: '60s',
    }),
    total: s.duration().optional().describe('Whole exchange. Without it there is no limit.'),
    tunnelIdle: s.duration().optional().meta({
      description:
        'Longest silence on an upgraded connection (WebSocket), both directions together.',
      default: '10m',
    }),
    tunnelTotal: s
      .duration()
      .optional()
      .describe('Lifetime of an upgraded connection. Without it there is no limit.'),
  })
  .meta({
    description:
      'Time limits towards the upstream. A route overrides its upstream version, that the gateway.',
    examples: [{ connect: '2s', firstByte: '30s' }],
  })

export type TimeoutsSpec = s.infer<typeof timeoutsSchema>
