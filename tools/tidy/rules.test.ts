import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { renderFinding, rules, runRules } from './rules.ts'
import type { TextFile } from './source.ts'

/** Paths and rules of the findings of one rule in these files. */
function findingsOf(rule: string, files: Record<string, string>): string[] {
  const texts = Object.entries(files).map(([path, text]): TextFile => ({ path, text }))
  const selected = rules.filter(({ name }) => name === rule)
  ok(selected.length > 0, `there is no rule ${rule}`)
  return runRules(texts, selected).map(({ path, line }) => `${path}:${line}`)
}

type Case = {
  readonly rule: string
  /** Each by itself must be reported once, in its last line (sizes: where the excess shows). */
  readonly bad: Record<string, string>
  readonly good: Record<string, string>
}

const cases: readonly Case[] = [
  {
    rule: 'import-direction',
    bad: {
      'src/base/up.ts': "import { a } from '../kinds/a.ts'",
      'src/store/same-level.ts': "import type { a } from '../wire/a.ts'",
      'src/proxy/dynamic.ts': "const a = await import('../control/a.ts')",
      'src/proxy/type.ts': "type A = import('../control/a.ts').A",
      'src/proxy/re-export.ts': "export { a } from '../control/a.ts'",
      'src/run/to-cli.ts': "import { a } from '../cli/a.ts'",
      'src/run/to-main.ts': "import { a } from '../main.ts'",
      'src/run/to-tools.ts': "import { a } from '../../tools/a.ts'",
      'src/unknown/a.ts': 'export const a = 1',
    },
    good: {
      'src/kinds/down.ts': "import { a } from '../base/a.ts'",
      'src/proxy/own/room.ts': "import { a } from '../other/a.ts'",
      'src/run/worker.ts': "import { a } from '../proxy/a.ts'\nimport { b } from '../control/b.ts'",
      'src/main.ts': "import { a } from './run/a.ts'\nimport { b } from './cli/b.ts'",
      'src/proxy/package.ts': "import { a } from 'zod'\nimport { b } from 'node:net'",
      'src/base/a.test.ts': "import { a } from '../kinds/a.ts'",
    },
  },
  {
    rule: 'test-reach',
    bad: { 'src/base/a.test.ts': "import { a } from '../kinds/a.ts'" },
    good: { 'src/kinds/a.test.ts': "import { a } from '../base/a.ts'\nimport { b } from './b.ts'" },
  },
  {
    rule: 'purity',
    bad: {
      'src/base/a.ts': "import { readFileSync } from 'node:fs'",
      'src/kinds/a.ts': 'const a = process.platform',
      'src/kinds/b.ts': "const b = Buffer.from('')",
      'src/upgrade/a.ts': "import type { Clock } from '../base/clock.ts'",
      'src/compare/a.ts': "const a = await fetch('x')",
      'src/control/compile/a.ts': "import { connect } from 'node:net'",
    },
    good: {
      'src/base/a.test.ts': "import { readFileSync } from 'node:fs'",
      'src/base/b.ts': "const isNode = typeof process !== 'undefined' && process.version !== ''",
      'src/control/compile/a.ts': "import { createHash } from 'node:crypto'",
      'src/control/a.ts': "import { readFileSync } from 'node:fs'",
    },
  },
  {
    rule: 'registered',
    bad: {
      'src/kinds/a.ts':
        "import { defineKind } from './define-kind.ts'; export const a = defineKind({})",
      'src/cli/commands/a.ts': 'export const a = 1',
    },
    good: {
      'src/kinds/define-kind.ts': 'export function defineKind(a: unknown) { return a }',
      'src/kinds/index.ts': "import { b } from './b/b.ts'\nexport const kinds = [b]",
      'src/kinds/b/b.ts':
        "import { defineKind } from '../define-kind.ts'; export const b = defineKind({})",
      'src/kinds/shared.ts': 'export const shared = 1',
      'src/kinds/a.test.ts':
        "import { defineKind } from './define-kind.ts'; export const a = defineKind({})",
    },
  },
  {
    rule: 'file-size',
    bad: { 'src/base/a.ts': '// line\n'.repeat(601).trimEnd() },
    good: { 'src/base/a.ts': '// line\n'.repeat(600) },
  },
  {
    rule: 'function-size',
    bad: { 'src/base/a.ts': `function a() {${'\n  b()'.repeat(71)}\n}` },
    good: {
      'src/base/a.ts': `function a() {${'\n  b()'.repeat(70)}\n}`,
      'src/base/b.ts': `const b = () => {${'\n  b()\n  // why\n  /* and\n how */\n'.repeat(70)}\n}`,
      'src/base/c.ts': `class C {\n${'  m() {\n    b()\n  }\n'.repeat(60)}}`,
    },
  },
  {
    rule: 'time',
    bad: {
      'src/proxy/a.ts': 'const a = Date.now()',
      'src/proxy/b.ts': 'const b = new Date()',
      'src/proxy/c.ts': 'const c = performance.now()',
      'src/proxy/d.ts': 'setTimeout(run, 1)',
      'src/proxy/e.ts': 'globalThis.setInterval(run, 1)',
      'src/proxy/f.ts': "import { setTimeout } from 'node:timers/promises'",
      'src/proxy/g.ts': 'const read = Date.now',
    },
    good: {
      'src/proxy/a.ts': 'const a = clock.now(); const b = new Date(clock.wallMs()).toISOString()',
      'src/base/clock.ts': 'const a = Date.now(); setTimeout(run, 1)',
      'src/proxy/a.test.ts': 'setTimeout(run, 1)',
      'tools/a.ts': 'const a = Date.now()',
      'src/proxy/socket.ts': 'socket.setTimeout(0)',
    },
  },
  {
    rule: 'chance',
    bad: {
      'src/proxy/a.ts': 'const a = Math.random()',
      'src/proxy/b.ts': 'const b = crypto.randomUUID()',
      'src/proxy/c.ts': "import { createHash, randomBytes } from 'node:crypto'",
      'src/proxy/d.ts': 'const d = nodeCrypto.randomInt(2)',
    },
    good: {
      'src/proxy/a.ts': "import { createHash } from 'node:crypto'\nconst a = random.fraction()",
      'src/base/random.ts': 'const a = Math.random(); const b = crypto.getRandomValues(c)',
    },
  },
  {
    rule: 'environment',
    bad: {
      'src/proxy/a.ts': 'const a = process.env.HOME',
      'src/proxy/b.ts': "const b = process.env['HOME']",
      'src/proxy/c.ts': 'const { env } = process',
      'src/proxy/d.ts': "import { env } from 'node:process'",
    },
    good: {
      'src/main.ts': 'const a = process.env',
      'src/cli/a.ts': 'const a = deps.env.HOME',
      'test/e2e/a.test.ts': 'const a = process.env',
    },
  },
  {
    rule: 'no-any',
    bad: { 'src/base/a.ts': 'const a: any = 1', 'test/b.test.ts': 'function b(c: any[]) {}' },
    good: { 'src/base/a.ts': "const any: unknown = 'any' // any" },
  },
  {
    rule: 'no-enum',
    bad: { 'src/base/a.ts': 'enum A { B }' },
    good: { 'src/base/a.ts': "type A = 'b' | 'c'" },
  },
  {
    rule: 'no-cast',
    bad: {
      'src/base/a.ts': '// far away\n\nconst a = b as string',
      'src/base/b.ts': 'const b = c!.d',
      'src/base/c.ts': 'class C { d!: string }',
      'src/base/d.ts': 'const d = <string>e',
    },
    good: {
      'src/base/a.ts': 'const a = [1] as const\nconst b = {} satisfies object',
      'src/base/b.ts': '// Holds because the table is total.\nconst b = c as string',
      'src/base/c.ts': 'const c = d! // d was set above',
      'src/base/d.ts': "import { a as b } from './a.ts'",
    },
  },
  {
    rule: 'no-default-export',
    bad: { 'src/base/a.ts': 'export default 1' },
    good: {
      'src/base/a.ts': 'export const a = 1',
      'src/base/b.ts': '// Node loads the default.\nexport default 1',
    },
  },
  {
    rule: 'no-barrel',
    bad: {
      'src/proxy/a.ts': "export * from './b.ts'",
      'src/proxy/policies/index.ts': "export { b } from './b.ts'",
    },
    good: {
      'src/base/schema.ts': "export * as s from './schema-types.ts'",
      'src/policy.ts': "export { b } from './b.ts'",
      'src/proxy/policies/index.ts': "import { b } from './b.ts'\nexport const all = [b]",
    },
  },
  {
    rule: 'no-bare-catch',
    bad: {
      'src/base/a.ts': 'try { b() } catch {}',
      'src/base/b.ts': 'try { b() } catch (error) { }',
      'src/base/c.ts': 'b().catch(() => {})',
    },
    good: {
      'src/base/a.ts': 'try { b() } catch { /* The file may be gone already. */ }',
      'src/base/b.ts': 'try { b() } catch (error) { throw wrap(error) }',
      'src/base/c.ts': 'b().catch(() => undefined)',
    },
  },
  {
    rule: 'todo-number',
    bad: {
      'src/base/a.ts': '// TODO: later',
      'src/base/b.ts': '/** FIXME */',
      'bin/thing': '# TODO later',
    },
    good: {
      'src/base/a.ts': "// TODO #12: later\nconst todo = 'TODO'",
      'bin/thing': '# TODO #12',
    },
  },
  {
    rule: 'all-tests-run',
    bad: {
      'src/base/a.test.ts': "test.only('a', () => {})",
      'src/base/b.test.ts': "describe.skip('b', () => {})",
      'src/base/c.test.ts': "test('c', { skip: true }, () => {})",
      'src/base/d.test.ts': "test.todo('d')",
      'src/base/e.test.ts': "test('e', (t) => t.skip('why'))",
    },
    good: {
      'src/base/a.test.ts': "test('a', { timeout: 5 }, () => {}); list.skip(1)",
      'src/base/a.ts': 'export const a = { skip: 1 }; test.skip()',
    },
  },
  {
    rule: 'test-can-fail',
    bad: {
      'src/base/a.test.ts':
        "import { equal } from 'node:assert/strict'; test('a', () => { run() })",
      'src/base/b.test.ts':
        "import { equal } from 'node:assert/strict'; function each(s: string, f: () => void) { test(s, f) }\neach('b', () => { run() })",
    },
    good: {
      'src/base/a.test.ts':
        "import { equal } from 'node:assert/strict'; test('a', () => { equal(run(), 1) })",
      'src/base/b.test.ts':
        "import assert from 'node:assert/strict'; test('b', async () => { await proves(2) })\nfunction proves(a: number) { inner(a) }\nconst inner = (a: number) => assert.equal(a, 1)",
      'src/base/c.test.ts': "test('c', () => { if (run() !== 1) throw new Error('not 1') })",
      'src/base/d.test.ts': "import fc from 'fast-check'; test('d', () => { fc.assert(p) })",
      'src/base/e.test.ts':
        "import { equal } from 'node:assert/strict'; const each = (s: string, f: () => void) => test(s, async () => { f() })\neach('e', () => { equal(run(), 1) })",
    },
  },
  {
    rule: 'machine-path',
    bad: {
      'docs/a.md': ['', 'work', 'main', 'x'].join('/'),
      'bin/b': ['cd ', 'home', 'jo', 'x'].join('/'),
      'src/base/c.ts': `// ${['', 'Users', 'Jo'].join('/')}`,
      'README.md': ['see ..', 'shared', 'x'].join('/'),
    },
    good: { 'docs/a.md': 'docs/reference/errors.md, /tmp, /etc/headgate, src/home/jo/, at /work' },
  },
  {
    rule: 'registry-host',
    bad: {
      'docs/a.md': ['https://registry', 'npmjs', 'org/zod'].join('.'),
      '.npmrc': 'registry = x'.replace('x', 'https://packages.example.com'),
    },
    good: { 'src/kinds/a.ts': "const registry = 'x.example.com'", '.npmrc': 'save-exact=true' },
  },
  {
    rule: 'lock-resolved',
    bad: { 'package-lock.json': '  "resolved": "x"' },
    good: { 'package-lock.json': '  "version": "1.0.0"' },
  },
  {
    rule: 'lock-complete',
    bad: {
      'package-lock.json': '{"packages":{"node_modules/a":{"optionalDependencies":{"b":"1.0.0"}}}}',
    },
    good: {
      'package-lock.json':
        '{"packages":{"node_modules/a":{"optionalDependencies":{"b":"1.0.0"}},"node_modules/b":{}}}',
    },
  },
  {
    rule: 'documented-errors',
    bad: { 'src/base/errors/a.ts': "export const a = { 'wire.bad': {} }" },
    good: {
      'src/base/errors/a.ts': "export const a = { 'wire.bad': {}, title: 'wire.other' }",
      'docs/reference/errors.md': '# Errors\n\n### `wire.bad`\n',
    },
  },
]

for (const { rule, bad, good } of cases) {
  test(`${rule} reports each bad file, and where`, () => {
    for (const [path, text] of Object.entries(bad)) {
      const lines =
        rule === 'file-size' ? 601 : rule === 'function-size' ? 1 : text.split('\n').length
      deepEqual(findingsOf(rule, { [path]: text }), [`${path}:${lines}`])
    }
  })

  test(`${rule} is silent about good files`, () => {
    deepEqual(findingsOf(rule, good), [])
  })
}

test('every rule has a bad and a good example here', () => {
  const covered = new Set([...cases.map(({ rule }) => rule), 'room-readme'])
  deepEqual(
    rules.map(({ name }) => name).filter((name) => !covered.has(name)),
    [],
  )
})

test('a room needs a README that names its files and folders', () => {
  const files = { 'src/wire/http1/a.ts': '', 'src/wire/b.ts': '', 'src/wire/b.test.ts': '' }
  deepEqual(findingsOf('room-readme', files), ['src/wire/README.md:1'])
  deepEqual(findingsOf('room-readme', { ...files, 'src/wire/README.md': 'b.ts' }), [
    'src/wire/README.md:1',
  ])
  deepEqual(findingsOf('room-readme', { ...files, 'src/wire/README.md': 'b.ts, http1/' }), [])
})

test('a finding is printed as file, line, rule and what to do', () => {
  const [finding] = runRules([{ path: 'tools/a.ts', text: '\nconst a: any = 1\n' }])
  ok(finding)
  equal(
    renderFinding(finding),
    'tools/a.ts:2: no-any: write `unknown` and narrow it, or the real type',
  )
})
