import { defineScheme } from './define-scheme.ts'
import { isFieldValue } from './field-value.ts'

/** A token in `Authorization: Bearer` (RFC 6750 §2.1). */
export const bearerScheme = defineScheme({
  name: 'bearer',
  plan({ bearer }) {
    if (bearer === undefined) return undefined
    return {
      secrets: [{ reference: bearer.token, path: ['bearer', 'token'] }],
      build([token = '']) {
        if (isFieldValue(token) && !token.includes(' ')) {
          return { ok: true, fields: [['authorization', `Bearer ${token}`]] }
        }
        const message =
          'must be printable ASCII without spaces; store the token alone, without `Bearer`'
        return { ok: false, path: ['bearer', 'token'], message }
      },
    }
  },
})
