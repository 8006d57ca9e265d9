import { HeadgateError } from '../base/errors.ts'
import type { InputStream } from './deps.ts'

/** As much as the loader of files takes in all. */
const inputBytesMax = 16 * 1_048_576

/** Reads standard input to its end, for `-` in place of a file. */
export async function readAll(input: InputStream): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of input) {
    const part = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    bytes += part.length
    if (bytes > inputBytesMax) {
      throw new HeadgateError('config.too_large', {
        message: `standard input has more than ${inputBytesMax} bytes`,
      })
    }
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString('utf8')
}
