import { s } from '../base/schema.ts'
import { defineKind } from './define-kind.ts'

const hashForm = 'must be `sha256:` and 64 hexadecimal digits; `headgate key new` prints it'

const expiresAt = s.iso
  .datetime({ offset: true, error: 'must be a time such as `2027-01-31T12:00:00Z` (RFC 3339)' })
  .optional()
  .meta({ description: 'Time after which the key is refused.', examples: ['2027-01-31T12:00:00Z'] })

const keySchema = s
  .strictObject({
    name: s.name().meta({ description: 'Tells the keys of one app apart.', examples: ['first'] }),
    hash: s
      .string({ error: hashForm })
      .max(71, hashForm)
      .regex(/^sha256:[0-9a-f]{64}$/, hashForm)
      .optional()
      .meta({
        description: 'SHA-256 of the key, as `headgate key new` prints it.',
        examples: [`sha256:${'0123456789abcdef'.repeat(4)}`],
      }),
    secret: s
      .secretRef()
      .optional()
      .describe('Where the key itself can be read at start; only its hash is kept.'),
    prefix: s
      .string()
      .max(16)
      .optional()
      .meta({
        description: 'First characters of the key, so that people can recognise it.',
        examples: ['hg_7f3a'],
      }),
    expiresAt,
  })
  .superRefine((key, context) => {
    if ((key.hash === undefined) === (key.secret === undefined))
      context.addIssue({ code: 'custom', path: [], message: 'must have either `hash` or `secret`' })
  })

const appSpec = s
  .strictObject({
    keys: s
      .array(keySchema)
      .max(32)
      .optional()
      .describe('API keys; several at once allow a change without a gap.'),
    consumer: s
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({
        description: 'Organisation or person behind the app. Without it, the name of the app.',
        examples: ['Acme Corp'],
      }),
    state: s
      .enum(['Active', 'Suspended'])
      .optional()
      .meta({ description: 'A suspended app is refused.', default: 'Active' }),
  })
  .superRefine((spec, context) => {
    const seen = new Set<string>()
    for (const [index, key] of (spec.keys ?? []).entries()) {
      if (seen.has(key.name)) {
        context.addIssue({
          code: 'custom',
          path: ['keys', index, 'name'],
          message: `is the name of another key of this app; each needs its own`,
        })
      }
      seen.add(key.name)
    }
  })

export type AppSpec = s.infer<typeof appSpec>
export type AppKeySpec = s.infer<typeof keySchema>

const reason = s
  .string()
  .max(1_024)
  .optional()
  .meta({ description: 'Kept in the audit.', examples: ['Partner asked for a second key'] })

export const app = defineKind<AppSpec, AppSpec>({
  kind: 'App',
  plural: 'apps',
  summary: 'A client program of a consumer, with its API keys.',
  description:
    'The policy `api-key` recognises an app by its key. Keys are stored as SHA-256 hashes; `issueKey` shows a new key once. In file mode `headgate key new` prints a key and the line to add.',
  spec: appSpec,
  expand: (input) => input,
  references: () => [],
  columns: [
    { title: 'CONSUMER', value: (spec) => spec.consumer ?? '' },
    { title: 'KEYS', value: (spec) => String(spec.keys?.length ?? 0) },
    { title: 'ACCESS', value: (spec) => spec.state ?? 'Active' },
  ],
  actions: [
    {
      verb: 'issueKey',
      summary: 'Makes a key, stores its hash and shows the key once.',
      input: s.strictObject({
        name: s.name().meta({ description: 'Name of the new key.', examples: ['second'] }),
        expiresAt,
        reason,
      }),
    },
  ],
  examples: [
    {
      title: 'A key from the environment',
      yaml: 'apps:\n  - { name: mobile, keys: [{ name: first, secret: "env:MOBILE_KEY" }] }\n',
    },
    {
      title: 'Two keys while a partner changes over, the old one with an end',
      yaml: `apps:
  - name: partner
    consumer: Acme Corp
    keys:
      - name: old
        hash: sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
        expiresAt: "2027-01-31T12:00:00Z"
      - { name: new, secret: "file:/run/secrets/partner-key" }
`,
    },
  ],
})
