/**
 * Notices when a configuration, or the folder of policies it names, has changed on disk. `fs.watch` on the folders tells it at once,
 * whether an editor writes in place, renames a new file over the old one, or Kubernetes swaps the
 * link `..data`; a slow look at sizes and times catches what the system does not tell (network
 * file systems, a folder replaced as a whole, watches used up). What counts is content: touching
 * a file changes nothing.
 */
import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock, Timer } from '../../base/clock.ts'
import { type ConfigFiles, readConfigFiles, stampOf } from './load.ts'
import { readPolicyFolder } from './policy-folder.ts'

/** Writing takes several steps; wait until it has been quiet for this long. */
const quietMs = 100
/** But no longer than this, in a folder where something else writes all the time. */
const waitMsMax = 1_000
const pollMs = 2_000

/** What is looked at, as it was at one moment. */
export type Watched = {
  /** Every file and folder whose change may matter, with its `stampOf`. */
  readonly stamps: ReadonlyMap<string, string>
  readonly folders: Iterable<string>
  /** Differs whenever there is a change to tell. */
  readonly content: string
}

/** Calls `onChange` after each change of the content of any file that belongs to `path`. */
export function watchConfig(path: string, onChange: () => void, clock: Clock): { close(): void } {
  const read = (): Watched => {
    const files = readConfigFiles(path)
    return { ...files, content: contentOf(files) }
  }
  return new Watcher(read, onChange, clock)
}

/** Calls `onChange` after each change of a source in the folder of policies, helpers included. */
export function watchPolicies(
  folder: string,
  onChange: () => void,
  clock: Clock,
): { close(): void } {
  return new Watcher(() => readPolicyFolder(folder), onChange, clock)
}

/** Calls `onChange` after each change of one of these files, such as a certificate that is renewed. */
export function watchFiles(
  paths: readonly string[],
  onChange: () => void,
  clock: Clock,
): { close(): void } {
  const read = (): Watched => {
    const stamps = new Map(paths.map((path) => [path, stampOf(path)]))
    const folders = new Set(paths.map((path) => dirname(path)))
    return { stamps, folders, content: [...stamps].join('\n') }
  }
  return new Watcher(read, onChange, clock)
}

class Watcher {
  readonly #read: () => Watched
  readonly #onChange: () => void
  readonly #clock: Clock
  readonly #poll: Timer
  #current: Watched
  #watchers: FSWatcher[] = []
  #pending: { readonly timer: Timer; readonly sinceMs: number } | undefined
  #isClosed = false

  constructor(read: () => Watched, onChange: () => void, clock: Clock) {
    this.#read = read
    this.#onChange = onChange
    this.#clock = clock
    this.#current = read()
    this.#watchFolders()
    this.#poll = clock.every(pollMs, () => this.#look())
  }

  close(): void {
    this.#isClosed = true
    this.#poll.cancel()
    this.#pending?.timer.cancel()
    this.#unwatchFolders()
  }

  #watchFolders(): void {
    for (const folder of this.#current.folders) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#lookSoon())
        // A folder that goes away ends its watch; the poll finds it when it comes back.
        watcher.on('error', () => watcher.close())
        this.#watchers.push(watcher)
      } catch {
        // No such folder, or no watches left: the poll does the work alone.
      }
    }
  }

  #unwatchFolders(): void {
    for (const watcher of this.#watchers) watcher.close()
    this.#watchers = []
  }

  #lookSoon(): void {
    if (this.#isClosed) return
    const nowMs = this.#clock.now()
    const sinceMs = this.#pending?.sinceMs ?? nowMs
    if (this.#pending !== undefined && nowMs - sinceMs >= waitMsMax) return
    this.#pending?.timer.cancel()
    const timer = this.#clock.after(quietMs, () => {
      this.#pending = undefined
      this.#look()
    })
    this.#pending = { timer, sinceMs }
  }

  /** Compares sizes and times first: reading everything every two seconds would be waste. */
  #look(): void {
    if (this.#isClosed || !mayHaveChanged(this.#current)) return
    const before = this.#current.content
    this.#current = this.#read()
    this.#unwatchFolders()
    this.#watchFolders()
    if (this.#current.content !== before) this.#onChange()
  }
}

function mayHaveChanged({ stamps }: Watched): boolean {
  return [...stamps].some(([path, stamp]) => stampOf(path) !== stamp)
}

function contentOf({ files, problems }: ConfigFiles): string {
  const texts = files.map(({ name, text }) => [name, text])
  return JSON.stringify([texts, problems.map(({ message }) => message)])
}
