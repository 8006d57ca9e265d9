/**
 * Checks what a machine can check of STYLE.md, over everything that git tracks or would track.
 *
 *   tools/tidy.ts             the whole repository
 *   tools/tidy.ts src/proxy   only findings in files below these paths
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { renderFinding, runRules } from './tidy/rules.ts'
import type { TextFile } from './tidy/source.ts'

const root = join(import.meta.dirname, '..')

const findings = runRules(readFiles()).filter(({ path }) => {
  const chosen = process.argv.slice(2)
  return chosen.length === 0 || chosen.some((prefix) => path.startsWith(prefix))
})
for (const finding of findings) process.stdout.write(`${renderFinding(finding)}\n`)
process.exitCode = findings.length === 0 ? 0 : 1

/** Tracked files and new ones that are not ignored; what is not text is left out. */
function readFiles(): TextFile[] {
  const names = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  return names
    .split('\0')
    .filter(
      (path) => path !== '' && statSync(join(root, path), { throwIfNoEntry: false })?.isFile(),
    )
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    .filter(({ text }) => !text.includes('\0'))
}
