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
        const token = Buffer.from(`${username}:${password}`, 'utf8').toString('base64')
        return { ok: true, fields: [['authorization', `Basic ${token}`]] }
      },
    }
  },
})
