import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** Folders above the wanted one that are made along with it. */
const depthMax = 64

/**
 * Makes a folder, and those above it, only for this user. Node's own recursive `mkdir` never ends
 * where a parent refuses children with ENOENT, as `/proc` does.
 */
export async function makeFolder(path: string): Promise<void> {
  await makeBelow(resolve(path), depthMax)
}

async function makeBelow(path: string, depthLeft: number): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (code !== 'ENOENT' || depthLeft === 0 || (await exists(dirname(path)))) throw thrown
    await makeBelow(dirname(path), depthLeft - 1)
    await mkdir(path, { mode: 0o700 })
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    // Whatever keeps it from being looked at, it cannot be built upon.
    return false
  }
}
