import { s } from '../base/schema.ts'
import { defineKind } from './define-kind.ts'

const schemes = ['header', 'basic', 'bearer'] as const

const accountSpec = s
  .strictObject({
    header: s
      .strictObject({
        name: s.fieldName().meta({
          description: 'Header field that carries the secret.',
          examples: ['x-api-key'],
        }),
        secret: s.secretRef().describe('Where the value of the field is read.'),
        prefix: s
          .string()
          .max(64)
          .regex(/^[\x20-\x7e]*$/, 'must be printable ASCII characters')
          .optional()
          .meta({ description: 'Text before the secret.', examples: ['Token '] }),
      })
      .optional()
      .describe('A secret in a header field of your choice.'),
    basic: s
      .strictObject({
        username: s
          .string()
          .min(1)
          .max(256)
          .regex(/^[^:\p{Cc}]*$/u, 'must not have colons or control characters (RFC 7617)')
          .meta({ description: 'User name, in clear.', examples: ['gateway'] }),
        password: s.secretRef().describe('Where the password is read.'),
      })
      .optional()
      .describe('User name and password in `Authorization: Basic` (RFC 7617).'),
    bearer: s
      .strictObject({ token: s.secretRef().describe('Where the token is read.') })
      .optional()
      .describe('A token in `Authorization: Bearer` (RFC 6750).'),
  })
  .superRefine((spec, context) => {
    const given = schemes.filter((scheme) => spec[scheme] !== undefined)
    if (given.length === 1) return
    const found =
      given.length === 0 ? '' : `, not ${given.map((each) => `\`${each}\``).join(' and ')}`
    context.addIssue({
      code: 'custom',
      path: [],
      message: `must have exactly one scheme: \`header\`, \`basic\` or \`bearer\`${found}`,
    })
  })

export type AccountSpec = s.infer<typeof accountSpec>

export const account = defineKind<AccountSpec, AccountSpec>({
  kind: 'Account',
  plural: 'accounts',
  needsUser: true,
  summary: 'What the gateway is towards an upstream: a scheme and references to its secrets.',
  description:
    'Secrets are references: `env:NAME` or `file:/path`. They are resolved when the configuration is applied, added to outgoing requests, and shown nowhere.',
  spec: accountSpec,
  expand: (input) => input,
  references: () => [],
  columns: [
    { title: 'SCHEME', value: (spec) => schemes.find((each) => spec[each] !== undefined) ?? '' },
    {
      title: 'SECRET',
      value: (spec) => spec.header?.secret ?? spec.basic?.password ?? spec.bearer?.token ?? '',
    },
  ],
  actions: [],
  examples: [
    {
      title: 'A key in a header',
      yaml: 'accounts:\n  - { name: books-a, header: { name: x-api-key, secret: "env:BOOKS_KEY_A" } }\n',
    },
    {
      title: 'User name and password',
      yaml: 'accounts:\n  - { name: legacy, basic: { username: gateway, password: "env:LEGACY_PASSWORD" } }\n',
    },
    {
      title: 'A bearer token from a file',
      yaml: 'accounts:\n  - { name: payments, bearer: { token: "file:/run/secrets/payments" } }\n',
    },
  ],
})
