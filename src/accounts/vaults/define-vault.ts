/** A place secrets are read from: one file in this folder and one line in `index.ts`. */
export type Vault = {
  /** The part of a reference before the colon. */
  readonly scheme: string
  /** Reads what the part after the colon names. Never throws for a secret that is not there. */
  read(locator: string, io: VaultIo): Promise<VaultAnswer>
}

/** What vaults may touch of the outside world. */
export type VaultIo = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whole content as text; production passes `readSecretFile`, which bounds what it reads. */
  readFile(path: string): Promise<string>
}

export type VaultAnswer =
  | { readonly ok: true; readonly secret: string }
  /** Follows "refers to …, which": what is wrong and what to do, without any part of the secret. */
  | { readonly ok: false; readonly message: string }

/** Keeps the types of one vault together. */
export function defineVault(vault: Vault): Vault {
  return vault
}
