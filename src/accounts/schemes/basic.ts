import { Buffer } from 'node:buffer'
import { defineScheme } from './define-scheme.ts'

/** User name and password in `Authorization: Basic` (RFC 7617), encoded as UTF-8. */
export const basicScheme = defineScheme({
  name: 'basic',
  plan({ basic }) {
    if (basic === undefined) return undefined
    const { username } = basic
    return {
      secrets: [{ reference: basic.password, path: ['basic', 'password'] }],
      build([password = '']) {
        // RFC 7617 §2: the first colon ends the name, and control characters are not allowed.
        if (/[:\u0000-\u001f\u007f]/.test(username)) {
          const message = 'must have no colon and no control character: RFC 7617 cannot carry them'
          return { ok: false, path: ['basic', 'username'], message }
        }
        const token = Buffer.from(`${username}:${password}`, 'utf8').toString('base64')
        return { ok: true, fields: [['authorization', `Basic ${token}`]] }
      },
    }
  },
})
