import { s } from '../base/schema.ts'
import { defineKind } from './define-kind.ts'

const keySchema = s
  .strictObject({
    name: s.name().describe('Tells the keys of one app apart.'),
    hash: s
      .string()
      .regex(
        /^sha256:[0-9a-f]{64}$/,
        'must be `sha256:` and 64 hexadecimal digits; `headgate key new` prints it',
      )
      .optional()
      .describe('SHA-256 of the key, as `headgate key new` prints it.'),
    secret: s
      .secretRef()
      .optional()
      .describe('Where the key itself can be read at start; only its hash is kept.'),
    prefix: s
      .string()
      .max(16)
      .optional()
      .describe('First characters of the key, so that people can recognise it.'),
    expiresAt: s.iso
      .datetime()
      .optional()
      .describe('RFC 3339 time after which the key is refused.'),
  })
  .refine(
    (key) => (key.hash === undefined) !== (key.secret === undefined),
    'must have either `hash` or `secret`',
  )

const appSpec = s.strictObject({
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
    .describe('Organisation or person behind the app. Default: the name of the app.'),
  state: s
    .enum(['Active', 'Suspended'])
    .optional()
    .describe('A suspended app is refused. Default Active.'),
})

export type AppSpec = s.infer<typeof appSpec>
export type AppKeySpec = s.infer<typeof keySchema>

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
    { title: 'STATE', value: (spec) => spec.state ?? 'Active' },
  ],
  actions: [
    {
      verb: 'issueKey',
      summary: 'Makes a key, stores its hash and shows the key once.',
      input: s.strictObject({
        name: s.name(),
        expiresAt: s.iso.datetime().optional(),
        reason: s.string().max(1_024).optional(),
      }),
    },
  ],
  examples: [
    {
      title: 'A key from the environment',
      yaml: 'apps:\n  - { name: mobile, keys: [{ name: first, secret: "env:MOBILE_KEY" }] }\n',
    },
  ],
})
