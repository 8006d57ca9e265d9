import { messageOf } from '../../base/errors.ts'
import { defineVault } from './define-vault.ts'

/** Files, such as those that container platforms mount: `file:/run/secrets/name`. */
export const fileVault = defineVault({
  scheme: 'file',
  async read(path, { readFile }) {
    try {
      const text = await readFile(path)
      // Nearly every tool that writes a file ends it with a line break that is not part of the secret.
      return { ok: true, secret: text.replace(/\r?\n$/, '') }
    } catch (cause) {
      return {
        ok: false,
        message: `${messageOf(cause)}; create the file, readable by this process`,
      }
    }
  },
})
