import { deepEqual } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { trackedFiles } from './tracked-files.ts'

async function folderWith(t: TestContext, files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'headgate-tracked-'))
  t.after(() => rm(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  return root
}

const files = {
  '.gitignore': 'node_modules/\n',
  'src/new.ts': 'export const a = 1',
  'node_modules/x/index.ts': 'not ours',
  'docs/picture.png': 'PNG\0\0',
}

for (const where of ['in a git repository', 'in an unpacked archive']) {
  test(`${where}, new text files are seen, and what is ignored or binary is not`, async (t) => {
    const root = await folderWith(t, files)
    if (where === 'in a git repository') execFileSync('git', ['init', '-q'], { cwd: root })
    const paths = trackedFiles(root).map(({ path }) => path)
    deepEqual(paths.sort(), ['.gitignore', 'src/new.ts'])
  })
}
