/** Field values with placeholders, taken apart once and put together per request. */
import type { PolicyExchange } from '../define-policy.ts'
import { fieldSafe } from '../field-rules.ts'

type ReadPart = (exchange: PolicyExchange) => string | undefined

/** What may stand between braces, besides `request.header.NAME` and `request.query.NAME`. */
const placeholders: Readonly<Record<string, ReadPart>> = {
  app: ({ consumer }) => consumer?.app,
  consumer: ({ consumer }) => consumer?.consumer,
  'client.address': ({ client }) => client.address,
  'client.certificate.fingerprint': ({ client }) => client.certificate?.fingerprint256,
  'client.certificate.issuer': ({ client }) => client.certificate?.issuer,
  'client.certificate.sans': ({ client }) => client.certificate?.sans.join(','),
  'client.certificate.subject': ({ client }) => client.certificate?.subject,
  'client.port': ({ client }) => String(client.port),
  'request.host': ({ request }) => request.host,
  'request.id': ({ requestId }) => requestId,
  'request.method': ({ request }) => request.method,
  'request.path': ({ request }) => request.path,
  'request.scheme': ({ request }) => request.scheme,
  'route.name': ({ route }) => route.name,
}

export type ValueTemplate =
  | { readonly isConstant: true; readonly value: string }
  | { readonly isConstant: false; readonly parts: readonly (string | ReadPart)[] }

/**
 * Compiles `for={client.address}`; `{{` and `}}` are literal braces. Returns what is wrong, for
 * people, when it cannot.
 */
export function compileTemplate(text: string): ValueTemplate | { readonly problem: string } {
  const parts: (string | ReadPart)[] = []
  let literal = ''
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index)
    if ((char === '{' || char === '}') && text.charAt(index + 1) === char) {
      literal += char
      index++
    } else if (char === '}') {
      return { problem: 'has a `}` without `{`; write `}}` for a literal brace' }
    } else if (char === '{') {
      const end = text.indexOf('}', index)
      if (end === -1) return { problem: 'has a `{` without `}`; write `{{` for a literal brace' }
      const read = readerOf(text.slice(index + 1, end))
      if (read === undefined) return { problem: unknownPlaceholder(text.slice(index + 1, end)) }
      parts.push(literal, read)
      literal = ''
      index = end
    } else {
      literal += char
    }
  }
  if (parts.length === 0) return { isConstant: true, value: literal }
  return { isConstant: false, parts: [...parts, literal].filter((part) => part !== '') }
}

function readerOf(name: string): ReadPart | undefined {
  const field = /^request\.header\.([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})$/.exec(name)?.[1]
  if (field !== undefined) {
    const lowerCase = field.toLowerCase()
    return ({ request }) => request.field(lowerCase)
  }
  const parameter = /^request\.query\.([A-Za-z0-9._~-]{1,128})$/.exec(name)?.[1]
  if (parameter !== undefined) return ({ request }) => request.queryParameter(parameter)
  return Object.hasOwn(placeholders, name) ? placeholders[name] : undefined
}

function unknownPlaceholder(name: string): string {
  const known = [...Object.keys(placeholders), 'request.header.NAME', 'request.query.NAME']
  return `has the unknown placeholder \`{${name}}\`; there are ${known.map((each) => `{${each}}`).join(', ')}`
}

/**
 * The value for one exchange. What is absent becomes empty; what came from outside is made safe,
 * so that no placeholder can bring a line break into a message head.
 */
export function renderTemplate(template: ValueTemplate, exchange: PolicyExchange): string {
  if (template.isConstant) return template.value
  let value = ''
  for (const part of template.parts) {
    value += typeof part === 'string' ? part : fieldSafe(part(exchange) ?? '')
  }
  return value.trim()
}
