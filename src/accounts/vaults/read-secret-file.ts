import { Buffer } from 'node:buffer'
import { open, stat } from 'node:fs/promises'
import { secretBytesMax } from './read-secret.ts'

/**
 * Reads a small regular file as UTF-8. Devices and pipes are refused before they are opened, because
 * reading one may never end; one byte beyond the limit is read, so that the check of the secret sees
 * that there is too much.
 */
export async function readSecretFile(path: string): Promise<string> {
  if (!(await stat(path)).isFile()) throw new Error(`${path} is not a regular file`)
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(secretBytesMax + 3)
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.toString('utf8', 0, length)
  } finally {
    await file.close()
  }
}
