import { equal, notEqual } from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readPolicyFolder } from './policy-folder.ts'

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-policies-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'lib'))
  writeFileSync(join(folder, 'tenant.ts'), 'export const a = 1\n')
  writeFileSync(join(folder, 'lib/helper.ts'), 'export const b = 1\n')
  return folder
}

test('a change of a policy, of a helper in a subfolder and of what there is shows', (context) => {
  const folder = folderOf(context)
  const contents = [readPolicyFolder(folder).content]
  const changes = [
    () => writeFileSync(join(folder, 'tenant.ts'), 'export const a = 22\n'),
    () => writeFileSync(join(folder, 'lib/helper.ts'), 'export const b = 22\n'),
    () => writeFileSync(join(folder, 'more.mjs'), 'export {}\n'),
    () => rmSync(join(folder, 'more.mjs')),
    () => rmSync(folder, { recursive: true }),
  ]
  for (const change of changes) {
    change()
    const { content } = readPolicyFolder(folder)
    notEqual(content, contents.at(-1))
    contents.push(content)
  }
})

test('what is no source changes nothing', (context) => {
  const folder = folderOf(context)
  const before = readPolicyFolder(folder).content
  mkdirSync(join(folder, 'node_modules'))
  writeFileSync(join(folder, 'node_modules/dependency.js'), 'export {}\n')
  writeFileSync(join(folder, 'README.md'), '# Policies\n')
  writeFileSync(join(folder, '.tenant.ts.swp'), 'half a file')
  equal(readPolicyFolder(folder).content, before)
})
