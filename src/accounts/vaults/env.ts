import { defineVault } from './define-vault.ts'

/** Environment variables, as the process was started with: `env:NAME`. */
export const envVault = defineVault({
  scheme: 'env',
  async read(name, { env }) {
    const secret = Object.hasOwn(env, name) ? env[name] : undefined
    if (secret !== undefined) return { ok: true, secret }
    return {
      ok: false,
      message: `is not set; set the environment variable ${name} and start again`,
    }
  },
})
