import { deepEqual, equal } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sentenceFor } from '../problem.ts'
import { fileBytesMax } from './limits.ts'
import { loadConfig } from './load.ts'

/** A folder with these files; their names may hold folders. */
function folderWith(context: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-load-'))
  context.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const app = (name: string) => `apps: [{ name: ${name} }]\n`

/** Names of what was loaded, and the sentences of the problems, with the folder cut off. */
function load(folder: string, path = '.') {
  const { documents, problems, files } = loadConfig(join(folder, path), {})
  const cut = (text: string) => text.replaceAll(`${folder}/`, '').replaceAll(folder, '.')
  return {
    names: documents.map(({ name }) => name),
    said: problems.map((problem) => cut(sentenceFor(problem))),
    files: files.map(({ name }) => cut(name)),
  }
}

test('a file is loaded with its name as it was given', (context) => {
  const folder = folderWith(context, { 'headgate.yaml': app('a') })
  deepEqual(load(folder, 'headgate.yaml'), { names: ['a'], said: [], files: ['headgate.yaml'] })
})

test('of a folder the .yaml, .yml and .json files are taken, by name, not deeper', (context) => {
  const folder = folderWith(context, {
    '20-b.yml': app('b'),
    '10-a.yaml': app('a'),
    '30-c.json': '{ "apps": [{ "name": "c" }] }',
    '.hidden.yaml': app('hidden'),
    'notes.txt': 'not configuration',
    'deep/d.yaml': app('d'),
  })
  deepEqual(load(folder), {
    names: ['a', 'b', 'c'],
    said: [],
    files: ['10-a.yaml', '20-b.yml', '30-c.json'],
  })
})

test('includes are relative to the file that names them, may nest, and load a file once', (context) => {
  const folder = folderWith(context, {
    'main.yaml': `include: [parts/*.yaml, "parts/**/*.yml", parts/one.yaml]\n${app('main')}`,
    'parts/one.yaml': `include: ../main.yaml\n${app('one')}`,
    'parts/two.yaml': app('two'),
    'parts/deep/three.yml': `include: four.conf\n${app('three')}`,
    'parts/deep/four.conf': app('four'),
    'parts/.hidden.yaml': app('hidden'),
  })
  const { names, said } = load(folder, 'main.yaml')
  deepEqual(names, ['main', 'one', 'two', 'three', 'four'])
  deepEqual(said, [])
})

test('an include in JSON works too', (context) => {
  const folder = folderWith(context, {
    'main.json': '{"version":1,"include":["a.yaml"]}',
    'a.yaml': app('a'),
  })
  deepEqual(load(folder, 'main.json').names, ['a'])
})

test('what cannot be read is a problem with the reason, at the include that names it', (context) => {
  const folder = folderWith(context, {
    'main.yaml': 'include: [missing.yaml, none-*.yaml, sub]\n',
    'sub/x.yaml': '',
  })
  const { problems } = loadConfig(join(folder, 'main.yaml'), {})
  deepEqual(
    problems.map(({ severity, code, location }) => [severity, code, location?.column]),
    [
      ['error', 'config.unreadable', 11],
      ['warning', 'config.no_effect', 25],
      ['error', 'config.unreadable', 38],
    ],
  )
  deepEqual(load(folder, 'main.yaml').said, [
    'missing.yaml cannot be read: it does not exist',
    '`include` matches no file: `none-*.yaml`',
    'sub cannot be read: it is not a regular file',
  ])
})

test('a path that is not there, an empty folder and a loop of links are problems', (context) => {
  const folder = folderWith(context, { 'empty/readme.md': '' })
  deepEqual(load(folder, 'nothing.yaml').said, ['nothing.yaml cannot be read: it does not exist'])
  deepEqual(load(folder, 'empty').said, [
    'empty cannot be read: the folder has no file that ends in .yaml, .yml or .json',
  ])
  symlinkSync('loop.yaml', join(folder, 'loop.yaml'))
  deepEqual(load(folder, 'loop.yaml').said, ['loop.yaml cannot be read: it is a link to itself'])
})

test('a pipe is refused rather than waited for, and so is a file that is too large', (context) => {
  const folder = folderWith(context, { 'large.yaml': `#${'x'.repeat(fileBytesMax)}` })
  execFileSync('mkfifo', [join(folder, 'pipe.yaml')])
  deepEqual(load(folder, 'pipe.yaml').said, ['pipe.yaml cannot be read: it is not a regular file'])
  deepEqual(load(folder, 'large.yaml').said, ['large.yaml cannot be read: it is larger than 8 MiB'])
})

test('links are followed, as Kubernetes lays out a ConfigMap', (context) => {
  const folder = folderWith(context, { '..2026_1/headgate.yaml': app('a') })
  symlinkSync('..2026_1', join(folder, '..data'))
  symlinkSync('..data/headgate.yaml', join(folder, 'headgate.yaml'))
  deepEqual(load(folder).names, ['a'])
})

test('variables come from the record that is passed in', (context) => {
  const folder = folderWith(context, { 'a.yaml': 'apps: [{ name: "${NAME}" }]\n' })
  const path = join(folder, 'a.yaml')
  equal(loadConfig(path, { NAME: 'b' }).documents[0]?.name, 'b')
  equal(loadConfig(path, {}).problems[0]?.code, 'config.undefined_variable')
})

test('a mark at the beginning of a file that Windows editors leave is ignored', (context) => {
  const folder = folderWith(context, {
    'a.yaml': `\uFEFF${app('a')}`,
    'b.yaml': 'apps:\r\n  - name: b\r\n',
  })
  deepEqual(load(folder).names, ['a', 'b'])
  deepEqual(load(folder).said, [])
})
