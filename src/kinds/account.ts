import { s } from '../base/schema.ts'
import { defineKind } from './define-kind.ts'

const accountSpec = s
  .strictObject({
    header: s
      .strictObject({
        name: s.fieldName().describe('Header field that carries the secret.'),
        secret: s.secretRef(),
        prefix: s.string().max(64).optional().describe('Text before the secret, such as `Token `.'),
      })
      .optional(),
    basic: s
      .strictObject({ username: s.string().min(1).max(256), password: s.secretRef() })
      .optional()
      .describe('RFC 7617.'),
    bearer: s.strictObject({ token: s.secretRef() }).optional().describe('RFC 6750.'),
  })
  .superRefine((spec, context) => {
    if (Object.keys(spec).length !== 1) {
      context.addIssue({
        code: 'custom',
        path: [],
        message: 'must have exactly one scheme: `header`, `basic` or `bearer`',
      })
    }
  })

export type AccountSpec = s.infer<typeof accountSpec>

export const account = defineKind<AccountSpec, AccountSpec>({
  kind: 'Account',
  plural: 'accounts',
  summary: 'What the gateway is towards an upstream: a scheme and references to its secrets.',
  description:
    'Secrets are references: `env:NAME` or `file:/path`. They are resolved when the configuration is applied, added to outgoing requests, and shown nowhere.',
  spec: accountSpec,
  expand: (input) => input,
  references: () => [],
  columns: [
    { title: 'SCHEME', value: (spec) => Object.keys(spec)[0] ?? '' },
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
      title: 'A bearer token from a file',
      yaml: 'accounts:\n  - { name: payments, bearer: { token: "file:/run/secrets/payments" } }\n',
    },
  ],
})
