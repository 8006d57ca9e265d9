import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { simulatedClock } from '../../base/clock.ts'
import type { PolicyDefinition } from './define-policy.ts'
import { importPolicyModules, loadPolicyModules, moduleLoadMsMax } from './load-modules.ts'
import { ask, createPolicy, outcome } from './test-context.ts'
import { testExchange } from './test-exchange.ts'

/** A folder outside of the repository, with these files, gone after the test. */
async function folderWith(
  context: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-policies-'))
  context.after(() => rm(folder, { recursive: true }))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

function policySource(name: string, body = "return deny('policy.denied')"): string {
  return `import { definePolicy, deny, proceed, respond, s } from 'headgate/policy'
export const policy = definePolicy({
  name: '${name}', summary: 'A test.', phase: 'admit', config: s.strictObject({}),
  create: () => ({ onRequest: () => { ${body} } }),
})
`
}

function verdictOf(definition: PolicyDefinition | undefined): string {
  ok(definition, 'the policy was not loaded')
  return outcome(ask(createPolicy(definition, {}), testExchange()))
}

/** `file: message` of every problem in a folder of these files. */
async function problemsWith(context: TestContext, files: Readonly<Record<string, string>>) {
  const { problems } = await loadPolicyModules(await folderWith(context, files))
  return problems.map(({ path, message }) => `${basename(path)}: ${message}`)
}

test('TypeScript and JavaScript files from anywhere import `headgate/policy`', async (t) => {
  const folder = await folderWith(t, {
    'one.ts': `${policySource('one')}export type Unused = { readonly a: string }\n`,
    'two.js': policySource('two', 'return respond(204, [])'),
    'three.mjs': policySource('three', 'return proceed'),
    'four.mts': policySource('four'),
  })
  const { definitions, modules, problems } = await loadPolicyModules(folder)
  deepEqual(problems, [])
  deepEqual(
    definitions.map((each) => [each.name, verdictOf(each)]),
    [
      ['four', 'policy.denied'],
      ['one', 'policy.denied'],
      ['three', 'proceed'],
      ['two', '204'],
    ],
  )
  deepEqual(
    modules.map(({ path }) => path),
    ['four.mts', 'one.ts', 'three.mjs', 'two.js'].map((name) => join(folder, name)),
  )
})

async function loadedInWorker(workerData: unknown): Promise<unknown> {
  const url = new URL('./__fixtures__/load-in-worker.ts', import.meta.url)
  const [message] = await once(new Worker(url, { workerData }), 'message')
  return message
}

test('a worker thread imports the modules that control has checked', async (t) => {
  const folder = await folderWith(t, { 'a.ts': policySource('a'), 'b.js': policySource('b') })
  const { modules } = await loadPolicyModules(folder)
  deepEqual(await loadedInWorker({ modules }), {
    outcomes: [
      ['a', 'policy.denied'],
      ['b', 'policy.denied'],
    ],
    problems: [],
  })
})

test('a changed file, or a changed helper, is loaded anew; an unchanged folder gives the same objects', async (t) => {
  const folder = await folderWith(t, {
    'own.ts': policySource('own'),
    'with-helper.ts': policySource(
      'with-helper',
      "return answer === 1 ? proceed : deny('policy.denied')",
    ).replace('\n', "\nimport { answer } from './lib/answer.ts'\n"),
    'lib/answer.ts': "export { answer } from './deeper.ts'\n",
    'lib/deeper.ts': 'export const answer: number = 1\n',
  })
  const first = await loadPolicyModules(folder)
  deepEqual(first.problems, [])
  const again = await loadPolicyModules(folder)
  equal(again.definitions[0], first.definitions[0])

  await writeFile(join(folder, 'lib/deeper.ts'), 'export const answer: number = 2\n')
  const second = await loadPolicyModules(folder)
  equal(verdictOf(first.definitions[1]), 'proceed')
  equal(verdictOf(second.definitions[1]), 'policy.denied')
  notEqual(first.modules[0]?.sha256, second.modules[0]?.sha256)

  await writeFile(join(folder, 'own.ts'), policySource('own', 'return proceed'))
  equal(verdictOf((await loadPolicyModules(folder)).definitions[0]), 'proceed')
})

test('a worker does not run what control has not seen', async (t) => {
  const folder = await folderWith(t, { 'a.ts': policySource('a') })
  const { modules } = await loadPolicyModules(folder)
  await writeFile(join(folder, 'a.ts'), policySource('a', 'return proceed'))
  const { definitions, problems } = await importPolicyModules(modules)
  deepEqual(definitions, [])
  match(problems[0]?.message ?? '', /changed since the configuration was checked/)
  await rm(join(folder, 'a.ts'))
  equal((await importPolicyModules(modules)).problems.length, 1)
})

test('a new worker runs what control has checked, whatever the folder holds by now', async (t) => {
  const folder = await folderWith(t, {
    'a.ts': `${policySource('a', 'return answer(1)')}`.replace(
      '\n',
      "\nimport { answer } from './lib/answer.ts'\nimport data from './data.json' with { type: 'json' }\n",
    ),
    'b.js': policySource('b', 'return respond(204, [])'),
    'lib/answer.ts': `import { proceed } from 'headgate/policy'
export const answer = (value: number) => (value === 1 ? proceed : undefined)
`,
    'data.json': '{ "a": 1 }',
  })
  const { modules, sources, problems } = await loadPolicyModules(folder)
  deepEqual(problems, [])
  const expected = {
    outcomes: [
      ['a', 'proceed'],
      ['b', '204'],
    ],
    problems: [],
  }
  await writeFile(join(folder, 'a.ts'), 'half a fil(')
  await writeFile(join(folder, 'b.js'), policySource('b', 'return proceed'))
  await writeFile(join(folder, 'lib/answer.ts'), 'export const answer = () => undefined\n')
  await rm(join(folder, 'data.json'))
  deepEqual(await loadedInWorker({ modules, sources }), expected)
  await rm(folder, { recursive: true })
  deepEqual(await loadedInWorker({ modules, sources }), expected)
  await mkdir(folder)
})

test('helpers, types and tests are no policies, and one file may export several', async (t) => {
  const folder = await folderWith(t, {
    'several.ts': `import { definePolicy, s } from 'headgate/policy'
const common = { summary: 'x', phase: 'access', config: s.object({}), create: () => ({}) } as const
export const one = definePolicy({ ...common, name: 'one' })
export const two = definePolicy({ ...common, name: 'two' })
export default one
export const somethingElse = { name: 'not a policy' }
export function helper() {}
`,
    '_helper.ts': 'export const x = 1\n',
    'types.d.ts': 'export type X = string\n',
    'several.test.ts': "throw new Error('a test was loaded')\n",
    'README.md': '# Ours\n',
    'sub/inner.ts': "throw new Error('a subfolder was loaded')\n",
    'node_modules/x/index.js': "throw new Error('a package was loaded')\n",
    '.hidden.ts': "throw new Error('a hidden file was loaded')\n",
  })
  const { definitions, modules, problems } = await loadPolicyModules(folder)
  deepEqual(problems, [])
  deepEqual(
    definitions.map(({ name }) => name),
    ['one', 'two'],
  )
  equal(modules.length, 1)
})

test('files that are links, as in mounted volumes, are loaded', async (t) => {
  const folder = await folderWith(t, { '..2024/a.ts': policySource('a') })
  await symlink('..2024', join(folder, '..data'))
  await symlink('..data/a.ts', join(folder, 'a.ts'))
  const { definitions, problems } = await loadPolicyModules(folder)
  deepEqual([problems, definitions.map(({ name }) => name)], [[], ['a']])
})

test('a syntax error is told with its line, in both languages', async (t) => {
  const broken = 'export const a = 1\nconst b = = 2\n'
  deepEqual(await problemsWith(t, { 'a.ts': broken, 'b.js': broken }), [
    'a.ts: syntax error in line 2: Expression expected',
    "b.js: syntax error in line 2: Unexpected token '='",
  ])
})

test('TypeScript that cannot be removed is told with what to avoid', async (t) => {
  const [problem] = await problemsWith(t, { 'a.ts': 'export const a = 1\n\nenum X { A }\n' })
  match(problem ?? '', /enum is not supported in strip-only mode in line 3; .* write no enum/)
})

test('a file that throws, or imports what is not there, is named with the reason', async (t) => {
  const [thrown, missing, noExport] = await problemsWith(t, {
    'a.js': "\n\nthrow new Error('no luck')\n",
    'b.js': "import './gone.js'\n",
    'c.js': "import { defineNothing } from 'headgate/policy'\n",
  })
  match(thrown ?? '', /^a\.js: threw while it was loaded in line 3: no luck$/)
  match(
    missing ?? '',
    /^b\.js: Cannot find module '.*gone\.js'.* imports something that is not there/,
  )
  match(noExport ?? '', /^c\.js: .*does not provide an export named 'defineNothing' in line 1/)
  for (const problem of [thrown, missing, noExport]) ok(!problem?.includes('headgate-policies='))
})

test('a file without a policy says how to export one', async (t) => {
  const [problem] = await problemsWith(t, { 'a.ts': 'export const x = { name: 1 }\n' })
  match(problem ?? '', /^a\.ts: exports no policy: write `export const yours = definePolicy/)
})

test('each malformed member of a policy is named', async (t) => {
  const problems = await problemsWith(t, {
    'a.js': `import { s } from 'headgate/policy'
export const one = { name: 'Not Kebab', summary: '', phase: 'later', config: {}, create: 1 }
export const two = { name: 'fine', phase: 'admit' }
`,
  })
  const text = problems.join('\n')
  match(text, /export `one`: `name` must be the name of a policy/)
  match(text, /export `one`: `summary` must say in one sentence/)
  match(text, /export `one`: `phase` .*"access"|export `one`: `phase` must be/)
  match(text, /export `one`: `config` must be a schema made with `s`/)
  match(text, /export `one`: `create` must be a function/)
  match(text, /export `two`: `summary`/)
  match(text, /export `two`: `create` must be a function/)
})

test('a name that is taken, by Headgate or by another file, is refused', async (t) => {
  const [builtIn, twice] = await problemsWith(t, {
    'a.ts': policySource('cors'),
    'b.ts': policySource('mine'),
    'c.ts': policySource('mine'),
  })
  match(builtIn ?? '', /^a\.ts: the policy name `cors` is taken by one built into Headgate/)
  match(twice ?? '', /^c\.ts: the policy name `mine` is taken by one in .*b\.ts; choose another/)
})

test('CommonJS is refused with the way out', async (t) => {
  const [required, imported] = await problemsWith(t, {
    'package.json': '{ "type": "commonjs" }',
    'a.js': 'module.exports = {}\n',
    'b.js': policySource('b'),
  })
  match(required ?? '', /^a\.js: is a CommonJS module; use `import` and `export`/)
  match(imported ?? '', /^b\.js: .*outside a module; name the file \.mjs/)
})

test('a folder that is not there is a problem, not an exception', async (t) => {
  const folder = await folderWith(t, {})
  const { problems } = await loadPolicyModules(join(folder, 'nowhere'))
  match(problems[0]?.message ?? '', /the folder of policies cannot be used: ENOENT/)
})

test('one bad file does not hide the good ones', async (t) => {
  const folder = await folderWith(t, { 'a.ts': 'export const a = (\n', 'b.ts': policySource('b') })
  const { definitions, problems } = await loadPolicyModules(folder)
  deepEqual([definitions.map(({ name }) => name), problems.length], [['b'], 1])
})

test('a file that never finishes loading is given up', async (t) => {
  const folder = await folderWith(t, { 'a.js': 'await new Promise(() => {})\n' })
  const clock = simulatedClock()
  let isDone = false
  const loading = loadPolicyModules(folder, { clock }).finally(() => {
    isDone = true
  })
  // The clock is moved until the import has begun to wait: there is no earlier sign of it.
  while (!isDone) {
    clock.advance(moduleLoadMsMax)
    await new Promise((resolve) => setImmediate(resolve))
  }
  match((await loading).problems[0]?.message ?? '', /did not finish within 10000 ms/)
})
