/** Carries out docs/how-to/write-a-policy.md, block by block. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { s } from '../../base/schema.ts'
import { expandPolicies, policyListSchema } from '../../kinds/policy-list.ts'
import { checkPolicyConfig, policyCatalog } from './catalog.ts'
import { type PolicyExchange, policyPhases } from './define-policy.ts'
import { builtInPolicies } from './index.ts'
import { loadPolicyModules } from './load-modules.ts'
import { buildChain, policyWaitMsMax, runRequest, runResponse } from './run-chain.ts'
import { outcome, testContext } from './test-context.ts'
import { testExchange, testResponse } from './test-exchange.ts'

const repository = fileURLToPath(new URL('../../..', import.meta.url))
const guide = await readFile(join(repository, 'docs/how-to/write-a-policy.md'), 'utf8')
const folder = await mkdtemp(join(tmpdir(), 'headgate-guide-'))
after(() => rm(folder, { recursive: true }))

for (const [, path = '', content = ''] of guide.matchAll(
  /<!-- file: (\S+) -->\n```\w+\n(.*?)```/gs,
)) {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), content.replaceAll('/opt/headgate/', repository))
}

const configShape = s.object({
  gateway: s.object({ policiesFolder: s.string().max(100) }),
  routes: s.array(s.object({ policies: policyListSchema })).max(1),
})

test('the policy of the guide loads from the folder that its configuration names', async () => {
  const written: unknown = parse(await readFile(join(folder, 'headgate.yaml'), 'utf8'))
  const { gateway, routes } = configShape.parse(written)
  const { definitions, problems } = await loadPolicyModules(join(folder, gateway.policiesFolder))
  deepEqual(problems, [])
  const catalog = policyCatalog(definitions)
  for (const entry of expandPolicies(routes[0]?.policies ?? [])) {
    ok('policy' in entry)
    const definition = catalog.get(entry.policy)
    ok(definition, entry.policy)
    deepEqual(checkPolicyConfig(definition, entry.config).ok, true)
  }
})

test('the policy of the guide does what the guide says', async () => {
  const { definitions } = await loadPolicyModules(join(folder, 'policies'))
  const [definition] = definitions
  ok(definition)
  const check = checkPolicyConfig(definition, { tenants: ['blue'] })
  ok(check.ok)
  const instance = definition.create(check.value, testContext())
  const chain = buildChain([{ policy: definition.name, instance }], {
    clock: testContext().clock,
    onFailure: (_policy, error) => {
      throw error
    },
  })
  const ask = async (exchange: PolicyExchange) => outcome(await runRequest(chain, exchange))

  equal(await ask(testExchange()), 'policy.denied')
  equal(await ask(testExchange({ fields: { 'x-tenant': 'red' } })), 'policy.denied')
  const known = testExchange({ fields: { 'x-tenant': 'blue' } })
  equal(await ask(known), 'proceed')
  deepEqual(known.requestFields.log, [['set', 'x-verified-tenant', 'blue']])
  runResponse(chain, 1, known, testResponse(200))
  deepEqual(known.responseFields.log, [])
  runResponse(chain, 1, known, testResponse(503))
  deepEqual(known.responseFields.log, [['set', 'x-support', 'https://status.example.com']])
})

test('the types of the guide are checked as the guide says', async () => {
  const compiler = join(repository, 'node_modules/.bin/tsc')
  const run = promisify(execFile)
  await run(compiler, ['-p', join(folder, 'policies')])
  const path = join(folder, 'policies/require-tenant.ts')
  const source = await readFile(path, 'utf8')
  await writeFile(path, source.replace("phase: 'admit'", "phase: 'later'"))
  const failed = await run(compiler, ['-p', join(folder, 'policies')]).then(
    () => '',
    (error: unknown) => s.object({ stdout: s.string() }).safeParse(error).data?.stdout ?? '',
  )
  ok(failed.includes('"later"'), `the compiler did not see the mistake: ${failed}`)
})

test('the guide names every built-in policy in its phase, and the limits as they are', () => {
  for (const phase of policyPhases) {
    const row = guide.split('\n').find((line) => line.startsWith(`| \`${phase}\``)) ?? ''
    const named = [...row.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name).slice(1)
    const expected = builtInPolicies
      .filter((policy) => policy.phase === phase)
      .map(({ name }) => name)
    const policies = named.filter((name) => policyCatalog().has(name ?? ''))
    deepEqual(policies.sort(), expected.sort(), phase)
  }
  ok(guide.includes(`${policyWaitMsMax / 1_000} seconds at most`))
})
