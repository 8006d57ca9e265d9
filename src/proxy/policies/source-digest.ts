/** Finds the sources of users' policies and sums them up, so that a change of any is noticed. */
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Files that a policies folder may hold, helpers in subfolders included. */
export const sourceFilesMax = 1_000
/** All of them together. */
export const sourceBytesMax = 16_777_216
/** Subfolders in subfolders; deeper ones are refused. */
export const sourceDepthMax = 8

const sourceName = /\.(?:[mc]?[jt]s|json)$/
const policyName = /^[^_.].*\.m?[jt]s$/
const noPolicyName = /\.d\.m?ts$|\.test\.m?[jt]s$/

/** Whether a file of this name is a source: a policy, or a helper that one may import. */
export function isSourceName(name: string): boolean {
  return sourceName.test(name)
}

/** Whether files and folders of this name are left alone. */
export function isSkippedEntry(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules'
}

/** Plain data: it travels to workers, and into the store. */
export type PolicySources = {
  /** Absolute. */
  readonly folder: string
  /** Of every source: path relative to the folder, and text. */
  readonly files: readonly (readonly [path: string, text: string])[]
  /** Absolute paths of the files that hold policies, sorted. */
  readonly policyPaths: readonly string[]
  /** SHA-256, hexadecimal, over names and contents of all sources. */
  readonly sha256: string
}

/**
 * Reads all sources below the folder. Policies are the files directly in it whose names do not
 * begin with `_`; everything else is a helper, but belongs to the digest, because a policy may
 * import it. Throws when the folder cannot be read or is beyond the limits.
 */
export async function readPolicySources(folder: string): Promise<PolicySources> {
  const paths = (await sourcesBelow(folder, 0)).sort()
  if (paths.length > sourceFilesMax) {
    throw new Error(`holds more than ${sourceFilesMax} source files; remove what is no policy`)
  }
  const digest = createHash('sha256')
  const files: [string, string][] = []
  let bytes = 0
  for (const path of paths) {
    const content = await readFile(join(folder, path))
    bytes += content.length
    if (bytes > sourceBytesMax) {
      throw new Error(`holds more than ${sourceBytesMax} bytes of source; remove what is no policy`)
    }
    // The length keeps `a` + `bc` apart from `ab` + `c`.
    digest.update(`${path}\0${content.length}\0`).update(content)
    files.push([path, content.toString('utf8')])
  }
  const policyPaths = paths
    .filter((path) => policyName.test(path) && !noPolicyName.test(path) && !path.includes('/'))
    .map((path) => join(folder, path))
  return { folder, files, policyPaths, sha256: digest.digest('hex') }
}

/** Paths relative to `folder`. Links to files are followed, because mounted volumes are made of them. */
async function sourcesBelow(folder: string, depth: number): Promise<string[]> {
  if (depth > sourceDepthMax) throw new Error(`is nested deeper than ${sourceDepthMax} folders`)
  const found: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (isSkippedEntry(entry.name)) continue
    if (entry.isDirectory()) {
      const inside = await sourcesBelow(join(folder, entry.name), depth + 1)
      found.push(...inside.map((path) => `${entry.name}/${path}`))
    } else if (isSourceName(entry.name) && (await isFile(join(folder, entry.name)))) {
      found.push(entry.name)
    }
    if (found.length > sourceFilesMax) break
  }
  return found
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path)).isFile()
}
