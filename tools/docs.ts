/**
 * Writes the reference pages from the definitions in the code.
 *
 *   tools/docs.ts            writes what has changed
 *   tools/docs.ts --check    changes nothing; fails when a page is not what it would write
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pages } from './docs/pages.ts'

const root = join(import.meta.dirname, '..')
const isCheck = process.argv.includes('--check')

for (const { path, render } of pages) {
  const wanted = `${render().trimEnd()}\n`
  if (readPage(path) === wanted) continue
  if (isCheck) {
    process.stdout.write(`${path}:1: docs: it is not up to date: run \`npm run docs\`\n`)
    process.exitCode = 1
    continue
  }
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), wanted)
  process.stdout.write(`wrote ${path}\n`)
}

function readPage(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    // A page that is not there is written like one that has changed.
    return undefined
  }
}
