/** References to secrets, resolved for the controller; relative paths start at the definition. */
import { isAbsolute, resolve } from 'node:path'
import { resolveAccounts, resolveAppKeys, type SecretProblem } from '../accounts/resolve.ts'
import type { VaultIo } from '../accounts/vaults/define-vault.ts'
import { readSecretFile } from '../accounts/vaults/read-secret-file.ts'
import { account } from '../kinds/account.ts'
import type { Clock } from '../base/clock.ts'
import { app } from '../kinds/app.ts'
import { loadCertificates } from './certificates.ts'
import { resourcesOf } from './compile/of-kind.ts'
import type { ControllerDeps } from './controller-deps.ts'
import type { Problem } from './problem.ts'

/** The `resolveSecrets` of production: environment variables and files. */
export function createSecretResolver(
  env: VaultIo['env'],
  clock: Clock,
): ControllerDeps['resolveSecrets'] {
  return async (resources, baseFolder) => {
    const io: VaultIo = {
      env,
      readFile: (path) => readSecretFile(isAbsolute(path) ? path : resolve(baseFolder, path)),
    }
    const certificateIo = { ...io, baseFolder, wallMs: () => clock.wallMs() }
    const [accounts, apps, loaded] = await Promise.all([
      resolveAccounts(resourcesOf(resources, account), io),
      resolveAppKeys(resourcesOf(resources, app), io),
      loadCertificates(resources, certificateIo),
    ])
    return {
      leases: accounts.leases,
      appKeyHashes: apps.hashes,
      certificates: loaded.certificates,
      keys: loaded.keys,
      problems: [...[...accounts.problems, ...apps.problems].map(problemOf), ...loaded.problems],
      warnings: loaded.warnings,
    }
  }
}

function problemOf({ kind, name, path, code, message }: SecretProblem): Problem {
  return { severity: 'error', code, object: `${kind}/${name}`, path, message }
}
