/** The sources in a folder of policies, as the watch looks at them: names and stamps, not contents. */
import { type Dirent, readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  isSkippedEntry,
  isSourceName,
  sourceDepthMax,
  sourceFilesMax,
} from '../../proxy/policies/source-digest.ts'
import { stampOf } from './load.ts'
import type { Watched } from './watch.ts'

/** A folder that cannot be read is watched all the same: it may come back. */
export function readPolicyFolder(folder: string): Watched {
  const stamps = new Map<string, string>()
  const folders: string[] = []
  const sources: string[] = []
  const add = (path: string, depth: number) => {
    folders.push(path)
    stamps.set(path, stampOf(path))
    for (const entry of entriesOf(path)) {
      if (sources.length >= sourceFilesMax) return
      if (isSkippedEntry(entry.name)) continue
      const child = join(path, entry.name)
      if (entry.isDirectory() && depth < sourceDepthMax) add(child, depth + 1)
      else if (isSourceName(entry.name)) {
        const stamp = stampOf(child)
        stamps.set(child, stamp)
        sources.push(`${child} ${stamp}`)
      }
    }
  }
  add(folder, 0)
  return { stamps, folders, content: sources.sort().join('\n') }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    // Whoever loads the policies says why the folder cannot be read.
    return []
  }
}
