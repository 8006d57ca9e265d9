/** Finds the files that a glob of `include:` names. */
import { type Dirent, readdirSync } from 'node:fs'
import { isAbsolute, join, matchesGlob } from 'node:path'
import { statOf } from './stat.ts'

/** Folder entries looked at for one glob: it may be `/**` by mistake. */
const entriesMax = 20_000
const depthMax = 16

export type FoundFiles = {
  /** Sorted; relative to where the glob is relative to, as far as it is. */
  readonly files: readonly string[]
  /** Folders whose content decides what is found; a watcher looks at them. */
  readonly folders: readonly string[]
  /** The glob was given up because it takes in too much. */
  readonly isTooWide: boolean
}

/**
 * Looks for files. `*` and `?` stay inside a name, `**` takes any number of folders; names that
 * begin with a dot are found only when the pattern says the dot.
 */
export function findFiles(glob: string, folder: string): FoundFiles {
  const files = new Set<string>()
  const folders = new Set<string>()
  let entriesLeft = entriesMax
  const entriesOf = (path: string): Dirent[] => {
    folders.add(path)
    const entries = readFolder(path)
    entriesLeft -= entries.length
    return entriesLeft < 0 ? [] : entries
  }
  const walk = (path: string, segments: readonly string[], depth: number): void => {
    const [segment, ...rest] = segments
    if (segment === undefined || depth > depthMax || entriesLeft < 0) return
    if (!/[*?[{]/.test(segment)) {
      step(join(path, segment), rest, depth)
      return
    }
    if (segment === '**') {
      walk(path, rest, depth)
      for (const entry of entriesOf(path)) {
        if (entry.isDirectory() && !entry.name.startsWith('.'))
          walk(join(path, entry.name), segments, depth + 1)
      }
      return
    }
    for (const { name } of entriesOf(path)) {
      const isVisible = !name.startsWith('.') || segment.startsWith('.')
      if (isVisible && matchesGlob(name, segment)) step(join(path, name), rest, depth)
    }
  }
  const step = (path: string, rest: readonly string[], depth: number): void => {
    if (rest.length > 0) walk(path, rest, depth + 1)
    else if (isFile(path)) files.add(path)
  }
  const segments = glob.split('/').filter((segment) => segment !== '')
  walk(isAbsolute(glob) ? '/' : folder, segments, 0)
  return { files: [...files].toSorted(), folders: [...folders], isTooWide: entriesLeft < 0 }
}

function readFolder(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch {
    // A folder that is not there or not readable holds nothing for the glob.
    return []
  }
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() === true
}
