/** Reads a configuration from a file or a folder, with everything that it includes. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { messageOf } from '../../base/errors.ts'
import { type Problem, sortProblems } from '../problem.ts'
import { findFiles } from './find-files.ts'
import { fileBytesMax, fileCountMax } from './limits.ts'
import { type ParsedConfig, parseConfig } from './parse.ts'
import { type Include, readContent } from './sections.ts'
import { statOf } from './stat.ts'
import { ValueReader } from './to-values.ts'
import type { Environment } from './variables.ts'
import { readYaml, type SourceFile } from './yaml-tree.ts'

export type LoadedConfig = ParsedConfig & { readonly files: readonly SourceFile[] }

/**
 * Loads the file, or every `*.yaml`, `*.yml` and `*.json` of the folder in the order of their
 * names. Never throws: what cannot be read is among the problems.
 */
export function loadConfig(path: string, env: Environment): LoadedConfig {
  const { files, problems } = readConfigFiles(path)
  const parsed = parseConfig(files, env)
  return { ...parsed, problems: sortProblems([...problems, ...parsed.problems]), files }
}

export type ConfigFiles = {
  readonly files: readonly SourceFile[]
  readonly problems: readonly Problem[]
  /**
   * Every file and folder whose change may change the configuration, with its `stampOf` taken before
   * it was read; some may not exist.
   */
  readonly stamps: ReadonlyMap<string, string>
  readonly folders: readonly string[]
}

/** Changes whenever the file or folder may have changed; links are followed. */
export function stampOf(path: string): string {
  const stat = statOf(path)
  return stat === undefined ? 'none' : `${stat.ino}/${stat.size}/${stat.mtimeNs}`
}

/** Reads the texts only, without judging them. */
export function readConfigFiles(path: string): ConfigFiles {
  const collector = new Collector()
  if (statOf(path)?.isDirectory() === true) collector.addFolder(path)
  else collector.addFile(path)
  return collector.result()
}

class Collector {
  readonly #files: SourceFile[] = []
  readonly #problems: Problem[] = []
  readonly #seen = new Set<string>()
  readonly #folders = new Set<string>()
  readonly #stamps = new Map<string, string>()

  addFolder(path: string): void {
    this.#watchFolder(path)
    let names: string[]
    try {
      names = readdirSync(path)
    } catch (thrown) {
      this.#unreadable(path, messageOf(thrown))
      return
    }
    // Names with a dot in front are no one's configuration: editors' copies, `..data` of Kubernetes.
    // `headgate init` writes the JSON Schema for editors beside the configuration it describes.
    const wanted = names.filter(
      (name) =>
        /\.(?:yaml|yml|json)$/.test(name) &&
        !name.startsWith('.') &&
        !name.endsWith('.schema.json'),
    )
    if (wanted.length === 0)
      this.#unreadable(path, 'the folder has no file that ends in .yaml, .yml or .json')
    for (const name of wanted.toSorted()) this.addFile(join(path, name))
  }

  addFile(path: string, include?: Include): void {
    const identity = resolve(path)
    if (this.#seen.has(identity) || this.#files.length > fileCountMax) return
    this.#seen.add(identity)
    this.#watchFolder(dirname(path))
    this.#stamps.set(path, stampOf(path))
    const text = this.#read(path, include)
    if (text === undefined) return
    const file = { name: path, text }
    this.#files.push(file)
    for (const each of includesOf(file)) this.#include(each)
  }

  #watchFolder(path: string): void {
    this.#folders.add(path)
    if (!this.#stamps.has(path)) this.#stamps.set(path, stampOf(path))
  }

  #include(include: Include): void {
    const folder = dirname(include.file)
    const found = findFiles(include.glob, folder)
    for (const each of found.folders) this.#watchFolder(each)
    const isPattern = /[*?[{]/.test(include.glob)
    if (found.isTooWide) {
      this.#problems.push(
        aboutInclude(include, 'config.too_large', 'takes in too many files; name a folder'),
      )
    } else if (found.files.length === 0 && !isPattern) {
      // Told by the attempt to read it, with the reason.
      this.addFile(join(folder, include.glob), include)
    } else if (found.files.length === 0) {
      const problem = aboutInclude(include, 'config.no_effect', 'matches no file')
      this.#problems.push({ ...problem, severity: 'warning' })
    }
    for (const file of found.files) this.addFile(file, include)
  }

  #read(path: string, include: Include | undefined): string | undefined {
    try {
      const stat = statSync(path)
      // A pipe or device would block or never end.
      if (!stat.isFile()) throw new Error('it is not a regular file')
      // Read one byte beyond the limit at most: `parseConfig` reports files that are too large.
      if (stat.size > fileBytesMax)
        throw new Error(`it is larger than ${fileBytesMax / 1_048_576} MiB`)
      return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
    } catch (thrown) {
      this.#unreadable(path, reasonOf(thrown), include)
      return undefined
    }
  }

  #unreadable(path: string, reason: string, include?: Include): void {
    const message = `${path} cannot be read: ${reason}`
    if (include !== undefined) {
      this.#problems.push({ ...aboutInclude(include, 'config.unreadable', ''), path: [], message })
      return
    }
    this.#problems.push({ severity: 'error', code: 'config.unreadable', path: [], message })
  }

  result(): ConfigFiles {
    const folders = [...this.#folders]
    return { files: this.#files, problems: this.#problems, stamps: this.#stamps, folders }
  }
}

function aboutInclude(include: Include, code: Problem['code'], message: string): Problem {
  const { location } = include
  return {
    severity: 'error',
    code,
    path: ['include'],
    message: `${message}: \`${include.glob}\``,
    ...(location && { location }),
  }
}

/** The reason of a failed system call, without the path that Node repeats. */
function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  if (code === 'ENOENT') return 'it does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not read it'
  if (code === 'ELOOP') return 'it is a link to itself'
  return messageOf(thrown)
}

/** The globs of a file, found without filling in variables: an include has none. */
function includesOf(file: SourceFile): Include[] {
  // Most files include nothing; they are spared a second reading.
  if (!/\binclude["']?\s*:/.test(file.text)) return []
  const tree = readYaml(file)
  const reader = new ValueReader(tree, {}, { valuesLeft: 100_000 })
  return tree.roots.flatMap((root) => readContent(tree, root, reader).includes)
}
