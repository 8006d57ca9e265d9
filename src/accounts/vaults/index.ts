/** Registry of the places secrets are read from. */
import type { Vault } from './define-vault.ts'
import { envVault } from './env.ts'
import { fileVault } from './file.ts'

export const vaults: readonly Vault[] = [envVault, fileVault]
