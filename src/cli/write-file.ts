import { writeFile } from 'node:fs/promises'
import { HeadgateError } from '../base/errors.ts'

/** Throws `cli.file_exists` rather than overwrite. */
export async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' })
  } catch (thrown) {
    const exists = thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST'
    if (exists) throw new HeadgateError('cli.file_exists', { message: `${path} exists already` })
    throw new HeadgateError('cli.write_failed', {
      message: `cannot write ${path}`,
      cause: thrown,
    })
  }
}
