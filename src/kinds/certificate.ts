import { s } from '../base/schema.ts'
import { defineKind, type SpecWarning } from './define-kind.ts'

const filePath = () => s.string().min(1).max(1_024)

/** `api.example.com` or `*.example.com`; names in other scripts are written in their ASCII form. */
const hostPattern =
  /^(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/

const certificateSpec = s
  .strictObject({
    certFile: filePath().meta({
      description: 'PEM file with the certificate, followed by its chain.',
      examples: ['/etc/headgate/tls/api.crt'],
    }),
    keyFile: filePath()
      .optional()
      .meta({
        description: 'PEM file with the private key, without a passphrase.',
        examples: ['/etc/headgate/tls/api.key'],
      }),
    key: s.secretRef().optional().describe('Where the private key is read, in place of `keyFile`.'),
    hosts: s
      .array(
        s
          .string()
          .min(1)
          .max(253)
          .regex(hostPattern, 'must be a host name or `*.` and a host name'),
      )
      .min(1)
      .max(1_000)
      .optional()
      .meta({
        description: 'Names it is shown for. Without it, the names in the certificate.',
        examples: [['api.example.com', '*.example.com']],
      }),
    usage: s.enum(['Server', 'Client']).optional().meta({
      description: '`Client`: only presented to upstreams that refer to it, not to clients.',
      default: 'Server',
    }),
  })
  .superRefine((spec, context) => {
    if ((spec.key === undefined) !== (spec.keyFile === undefined)) return
    context.addIssue({ code: 'custom', path: [], message: 'must have either `keyFile` or `key`' })
  })

export type CertificateSpec = s.infer<typeof certificateSpec>

const certificateStatus = s.object({
  names: s.array(s.string()).optional(),
  notAfter: s.string().optional(),
})

/** A certificate and where its key is. The key itself never enters a definition. */
export const certificate = defineKind<CertificateSpec, CertificateSpec>({
  kind: 'Certificate',
  plural: 'certificates',
  summary: 'A TLS certificate with its key: shown to clients, or to upstreams that ask for one.',
  description:
    'With a first certificate the gateway also listens for TLS (`gateway.tls`). A client gets the certificate for the name that it asks for: the exact name, then a wildcard for one label, then the default. The files are watched: a renewed certificate is shown to the next client, and connections that stand go on. Private keys stay in the memory of the gateway and are shown nowhere.',
  spec: certificateSpec,
  expand: (input) => input,
  references: () => [],
  warnings: (spec): SpecWarning[] =>
    spec.usage === 'Client' && spec.hosts !== undefined
      ? [
          {
            code: 'config.no_effect',
            path: ['hosts'],
            message: 'has no effect with `usage: Client`',
          },
        ]
      : [],
  columns: [
    {
      title: 'NAMES',
      value: (spec, status) =>
        (spec.hosts ?? certificateStatus.safeParse(status).data?.names ?? []).join(', '),
    },
    {
      title: 'EXPIRES',
      value: (_, status) => certificateStatus.safeParse(status).data?.notAfter ?? '',
    },
    { title: 'USAGE', isWide: true, value: (spec) => spec.usage ?? 'Server' },
    { title: 'FILE', isWide: true, value: (spec) => spec.certFile },
  ],
  actions: [],
  examples: [
    {
      title: 'Names as in the certificate',
      yaml: 'certificates:\n  - { name: api, certFile: tls/api.crt, keyFile: tls/api.key }\n',
    },
    {
      title: 'One for upstreams, its key from a mounted secret',
      yaml: 'certificates:\n  - { name: towards-books, certFile: tls/client.crt, key: "file:/run/secrets/client.key", usage: Client }\n',
    },
  ],
})
