import { defineScheme } from './define-scheme.ts'
import { isFieldValue } from './field-value.ts'

/** Fields that frame or route the message: a credential in one of them would break every request. */
const reservedFields: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A key in a header field of the upstream's choice, such as `x-api-key`. */
export const headerScheme = defineScheme({
  name: 'header',
  plan({ header }) {
    if (header === undefined) return undefined
    const { name, secret, prefix = '' } = header
    return {
      secrets: [{ reference: secret, path: ['header', 'secret'] }],
      build([key = '']) {
        if (reservedFields.has(name)) {
          const message = `must not be \`${name}\`, which frames the message; name the field that the upstream reads its key from`
          return { ok: false, path: ['header', 'name'], message }
        }
        const value = prefix + key
        if (isFieldValue(value)) return { ok: true, fields: [[name, value]] }
        const message =
          'must, with the prefix before it, be printable ASCII without a space at either end'
        return { ok: false, path: ['header', 'secret'], message }
      },
    }
  },
})
