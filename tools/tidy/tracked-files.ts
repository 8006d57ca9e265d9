import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../src/base/errors.ts'
import type { TextFile } from './source.ts'

/** Left out where there is no git to ask, as in an unpacked archive. */
const untracked: ReadonlySet<string> = new Set([
  '.git',
  '.headgate',
  'node_modules',
  'tmp',
  'results',
])

/** Text files that git tracks, and new ones that it does not ignore. */
export function trackedFiles(root: string): TextFile[] {
  return namesIn(root)
    .filter((path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    .filter(({ text }) => !text.includes('\0'))
}

function namesIn(root: string): string[] {
  try {
    return execFileSync('git', ['ls-files', '-zco', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
      .split('\0')
      .filter((path) => path !== '')
  } catch (error) {
    process.stderr.write(`tidy: without git, all files are looked at (${messageOf(error)})\n`)
    return walk(root, '')
  }
}

function walk(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !untracked.has(name) && !name.endsWith('.log'))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      return entry.isDirectory() ? walk(root, path) : [path]
    })
}
