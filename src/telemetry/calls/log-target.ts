/** The open end of an access log: a file, or standard output. */
import { constants, fstatSync, write } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { CallOutput } from './messages.ts'

const fileMode = 0o640
const stdoutFd = 1
const writeFd = promisify(write)

export type LogTarget = {
  readonly name: string
  /** Writes what it can and says how many bytes; fails with `EAGAIN` when the reader is slow. */
  write(bytes: Uint8Array, start: number, length: number): Promise<number>
  close(): Promise<void>
}

/** Opens the target, for appending if it is a file; undefined for `Off`. */
export async function openTarget({ output, path }: CallOutput): Promise<LogTarget | undefined> {
  if (output === 'Off') return undefined
  if (output === 'Stdout') return openStdout()
  if (path === undefined) throw new Error('`accessLog.path` is not set')
  return fileTarget(await open(path, 'a', fileMode), path)
}

/**
 * A pipe or terminal is opened once more, so that it can be written without blocking: a reader that
 * has stopped would otherwise hold a thread of the process, and the process at its end, for as long as
 * it pleases. The descriptor itself stays as it is, others write to it. A file is not opened again:
 * that would be a second position in it.
 */
async function openStdout(): Promise<LogTarget> {
  const stats = fstatSync(stdoutFd)
  if (stats.isFIFO() || stats.isCharacterDevice()) {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY
    const handle = await open('/dev/stdout', flags).catch(() => undefined)
    if (handle !== undefined) return fileTarget(handle, 'standard output')
  }
  return {
    name: 'standard output',
    write: async (bytes, start, length) =>
      (await writeFd(stdoutFd, bytes, start, length)).bytesWritten,
    // Not ours to close.
    close: async () => undefined,
  }
}

function fileTarget(handle: FileHandle, name: string): LogTarget {
  return {
    name,
    write: async (bytes, start, length) => (await handle.write(bytes, start, length)).bytesWritten,
    close: () => handle.close(),
  }
}
