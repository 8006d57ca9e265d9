/** Sets, adds and removes header fields of request and response. */
import { s } from '../../../base/schema.ts'
import { definePolicy, type FieldEdits, type PolicyExchange, proceed } from '../define-policy.ts'
import { fieldValue, writableFieldName } from '../field-rules.ts'
import { compileTemplate, renderTemplate, type ValueTemplate } from './value-template.ts'

/** Fields that one list may name. */
export const editedFieldsMax = 64

const template = fieldValue().superRefine((text, context) => {
  const compiled = compileTemplate(text)
  if ('problem' in compiled) context.addIssue({ code: 'custom', message: compiled.problem })
})

function editsSchema(name: () => ReturnType<typeof writableFieldName>) {
  const lines = s
    .record(name(), template)
    .refine((map) => Object.keys(map).length <= editedFieldsMax, {
      message: `must name at most ${editedFieldsMax} fields`,
    })
  return s.strictObject({
    set: lines.optional().describe('Replaces every line of the field.'),
    add: lines.optional().describe('Adds a line, keeping those that are there.'),
    remove: s.array(name()).max(editedFieldsMax).optional().describe('Removes the field.'),
  })
}

/** `Host` names the target of the request, so it belongs to the rewriting of the route. */
function requestFieldName() {
  return writableFieldName().refine((name) => name !== 'host', {
    message: 'is the target of the request; use `rewrite: { host: … }` of the route',
  })
}

const config = s
  .strictObject({
    request: editsSchema(requestFieldName)
      .optional()
      .describe('The request as the upstream sees it.'),
    response: editsSchema(writableFieldName)
      .optional()
      .describe('The response as the client sees it, those of the gateway itself included.'),
  })
  .refine((both) => both.request !== undefined || both.response !== undefined, {
    message: 'must have `request`, `response` or both',
  })

type EditsConfig = s.infer<ReturnType<typeof editsSchema>>

export const headers = definePolicy({
  name: 'headers',
  summary: 'Sets, adds and removes header fields of request and response.',
  description:
    'First `remove`, then `set`, then `add`. Values may hold placeholders: `{app}`, `{consumer}`, `{client.address}`, `{client.port}`, `{client.certificate.subject}` (also `.sans`, `.issuer`, `.fingerprint`), `{request.id}`, `{request.method}`, `{request.scheme}`, `{request.host}`, `{request.path}`, `{request.header.NAME}`, `{request.query.NAME}` and `{route.name}`; write `{{` and `}}` for braces. A placeholder without a value is empty; characters that do not belong into a field are percent-encoded. A field whose value comes out empty is not sent. Fields of the connection and of framing, such as `Connection` and `Content-Length`, are the gateway’s own.',
  phase: 'transform',
  config,
  examples: [
    {
      title: 'Tell the upstream who calls, and hide what it is made of',
      yaml: 'headers:\n  request: { set: { x-app: "{app}" } }\n  response: { remove: [server, x-powered-by] }',
    },
    {
      title: 'A security field on every answer',
      yaml: 'headers: { response: { set: { strict-transport-security: max-age=31536000 } } }',
    },
  ],
  create({ request, response }) {
    const editRequest = compileEdits(request)
    const editResponse = compileEdits(response)
    return {
      ...(editRequest !== undefined && {
        onRequest(exchange) {
          editRequest(exchange.requestFields, exchange)
          return proceed
        },
      }),
      ...(editResponse !== undefined && {
        onResponse(exchange) {
          editResponse(exchange.responseFields, exchange)
        },
        seesEveryResponse: true,
      }),
    }
  },
})

type Line = readonly [name: string, value: ValueTemplate]

function compileEdits(
  edits: EditsConfig | undefined,
): ((fields: FieldEdits, exchange: PolicyExchange) => void) | undefined {
  if (edits === undefined) return undefined
  const removed = edits.remove ?? []
  const set = compileLines(edits.set)
  const added = compileLines(edits.add)
  return (fields, exchange) => {
    for (const name of removed) fields.remove(name)
    for (const [name, template] of set) {
      const value = renderTemplate(template, exchange)
      // An empty value would still tell the upstream that the gateway vouches for it.
      if (value === '') fields.remove(name)
      else fields.set(name, value)
    }
    for (const [name, template] of added) {
      const value = renderTemplate(template, exchange)
      if (value !== '') fields.add(name, value)
    }
  }
}

function compileLines(lines: Readonly<Record<string, string>> | undefined): readonly Line[] {
  return Object.entries(lines ?? {}).flatMap(([name, text]): Line[] => {
    const template = compileTemplate(text)
    // The schema has refused what does not compile.
    return 'problem' in template ? [] : [[name, template]]
  })
}
