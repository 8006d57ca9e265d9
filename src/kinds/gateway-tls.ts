import { s } from '../base/schema.ts'

const addressForm = 'must be HOST:PORT such as `0.0.0.0:8443`, or a port'

/** TLS towards clients, as part of the kind Gateway. */
export const gatewayTlsSchema = s
  .strictObject({
    listen: s
      .string({ error: addressForm })
      .max(300)
      .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):\d{1,5}$/, addressForm)
      .or(s.int().min(0).max(65_535))
      .optional()
      .meta({
        description:
          'Where TLS clients connect, once there is a certificate. `--tls-listen` comes before it.',
        default: '0.0.0.0:8443',
        examples: ['127.0.0.1:8443', 443],
      }),
    minVersion: s
      .enum(['Tls12', 'Tls13'])
      .optional()
      .meta({ description: 'Older versions are refused.', default: 'Tls12' }),
    defaultCertificateRef: s
      .name()
      .optional()
      .meta({
        description:
          'Shown for names that no certificate has, and to clients that name none. Without it, the first by name.',
        examples: ['api'],
      }),
    clientCertificates: s
      .strictObject({
        mode: s.enum(['Off', 'Optional', 'Required']).meta({
          description: '`Optional` takes clients without one; a bad one is refused anyway.',
        }),
        caFile: s
          .string()
          .min(1)
          .max(1_024)
          .optional()
          .meta({
            description: 'PEM file with the authorities that sign them.',
            examples: ['/etc/headgate/tls/clients-ca.pem'],
          }),
        forward: s.enum(['Off', 'ClientCert']).optional().meta({
          description:
            '`ClientCert` tells upstreams the verified certificate in the field `Client-Cert` (RFC 9440).',
          default: 'Off',
        }),
      })
      .superRefine(({ mode, caFile }, context) => {
        if (mode !== 'Off' && caFile === undefined)
          context.addIssue({
            code: 'custom',
            path: [],
            message: `needs a \`caFile\` with \`mode: ${mode}\``,
          })
      })
      .optional()
      .describe('Certificates of clients (mTLS).'),
  })
  .describe('TLS towards clients. It needs at least one `Certificate`.')
