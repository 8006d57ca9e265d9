import { type BigIntStats, statSync } from 'node:fs'

/** What a path leads to, links followed; undefined when that cannot be told, for any reason. */
export function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    // A loop of links, or a folder that may not be entered: whoever reads the file says so.
    return undefined
  }
}
