/** Which configuration a command means when it is not told. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { OptionDefinition } from './define-command.ts'
import { usageError } from './report-error.ts'

export const configFileNames = ['headgate.yaml', 'headgate.yml'] as const

export const configOption: OptionDefinition = {
  flags: '-c, --config <path>',
  summary: 'Configuration: a file, or a folder whose files are merged.',
  env: 'HEADGATE_CONFIG',
  defaultText: './headgate.yaml',
  completion: { type: 'file' },
}

/** `./headgate.yaml` if there is one. */
export function findDefaultConfig(cwd: string): string | undefined {
  return configFileNames.map((name) => resolve(cwd, name)).find((path) => existsSync(path))
}

/** The path that was given, or the default one; a usage error when there is neither. */
export function requireConfig(given: string | undefined, cwd: string): string {
  const path = given === undefined ? findDefaultConfig(cwd) : resolve(cwd, given)
  if (path !== undefined) return path
  throw usageError(
    'there is no ./headgate.yaml',
    '`headgate init` to write one, or name yours with `-c FILE`',
  )
}
