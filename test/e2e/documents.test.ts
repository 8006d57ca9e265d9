import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { stepsOf } from './support/document.ts'
import { Reader, repository } from './support/reader.ts'

async function documentAt(path: string): Promise<string> {
  return await readFile(join(repository, path), 'utf8')
}

async function expectAsWritten(t: TestContext, path: string, more = { apis: true }): Promise<void> {
  const markdown = await documentAt(path)
  ok(stepsOf(markdown).filter(({ type }) => type === 'prints').length >= 3, 'a guide shows results')
  const reader = await Reader.open(t)
  if (more.apis) await reader.startApis()
  await reader.follow(markdown)
  await reader.stopGateway()
}

test('the tutorial works as it is written', async (t) => {
  await expectAsWritten(t, 'docs/tutorials/first-gateway.md', { apis: false })
})

test('the guide to splits works as it is written', async (t) => {
  await expectAsWritten(t, 'docs/how-to/split-traffic.md')
})

test('the guide to API keys works as it is written', async (t) => {
  await expectAsWritten(t, 'docs/how-to/api-keys.md')
})

test('the service of the guide starts with the command in its unit', async (t) => {
  const reader = await Reader.open(t)
  await reader.startApis()
  const text = (await documentAt('docs/how-to/run-as-a-service.md'))
    .replaceAll('/var/log/headgate', reader.bench.cwd)
    .replaceAll('/var/lib/headgate', join(reader.bench.cwd, 'data'))
    .replaceAll('/etc/headgate', reader.bench.cwd)
  const steps = stepsOf(text).filter(({ type }) => type === 'file')
  for (const step of steps) await reader.take(step)
  const unit = await readFile(join(reader.bench.cwd, 'headgate.service'), 'utf8')
  const [, command = ''] = /^ExecStart=\/opt\/headgate\/bin\/headgate (.*)$/m.exec(unit) ?? []
  await reader.startGateway(command.split(' '))
  const url = `http://127.0.0.1:${reader.port('8080')}`
  match(await (await fetch(`${url}/books/1`)).text(), /"version":"v1"/)
  for (const path of ['livez', 'readyz', 'metrics'])
    equal((await fetch(`http://127.0.0.1:${reader.port('9090')}/${path}`)).status, 200)
  await reader.stopGateway()
  match(await readFile(join(reader.bench.cwd, 'access.log'), 'utf8'), /"path":"\/books\/1"/)
  const drainMs = Number(/--drain (\d+)s/.exec(unit)?.[1]) * 1_000
  ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1_000 > drainMs)
})

test('what the explanations show is valid, and prints what they say', async (t) => {
  for (const name of ['configuration', 'routing', 'security']) {
    const reader = await Reader.open(t)
    const steps = stepsOf(await documentAt(`docs/explanation/${name}.md`))
    for (const step of steps) {
      if (step.type === 'yaml') await reader.bench.write('headgate.yaml', step.text)
      await reader.take(step)
    }
  }
  const codes = new Set((await documentAt('docs/reference/errors.md')).match(/(?<=### `)[a-z._]+/g))
  const guides = await documentAt('docs/explanation/configuration.md')
  const named = guides.match(/(?<=\(`)[a-z]+\.[a-z_]+(?=`\))/g) ?? []
  ok(named.length >= 3)
  for (const code of named) ok(codes.has(code), `${code} is no error code`)
})

test('the first route, the short form and the split of the README work as they are written', async (t) => {
  const readme = await documentAt('README.md')
  const steps = stepsOf(readme)
  const [first, versions] = steps.filter((step) => step.type === 'yaml')
  ok(first !== undefined && versions !== undefined)
  const reader = await Reader.open(t)
  await reader.startApis()
  const url = `http://127.0.0.1:${reader.port('8080')}/books/1`
  const answer = async () => await (await fetch(url)).text()

  const [, runFile = ''] = /`bin\/headgate (run -c headgate\.yaml)`/.exec(readme) ?? []
  await reader.take({ type: 'file', name: 'headgate.yaml', text: first.text })
  await reader.startGateway(runFile.split(' '))
  match(await answer(), /"version":"v1"/)
  match((await fetch(url)).headers.get('ratelimit-policy') ?? '', /q=100;w=60/)

  // The second block shows what to write instead of the upstream of the first.
  const [head = '', routes = ''] = first.text.split(/(?=^routes:)/m)
  match(head, /^version: 1\nupstreams:/)
  await reader.take({
    type: 'file',
    name: 'headgate.yaml',
    text: `version: 1\n${versions.text}${routes}`,
  })
  const splits = steps.filter((step) => step.type === 'run' && /upstream split/.test(step.command))
  equal(splits.length, 1)
  for (const step of splits) {
    if (step.type !== 'run') continue
    const [split = '', reset = ''] = step.command.trim().split('\n')
    const run = async (command: string) =>
      await reader.take({
        type: 'run',
        command: command.replace('bin/headgate', 'headgate'),
        exitCode: 0,
      })
    await run(split)
    await reader.take({ type: 'run', command: 'headgate get upstreams', exitCode: 0 })
    await reader.take({ type: 'prints', text: 'v1 95%, v2 5%' })
    await run(reset)
    await reader.take({ type: 'run', command: 'headgate get upstreams', exitCode: 0 })
    await reader.take({ type: 'prints', text: 'books  v1, v2    v1 100%' })
  }
  await reader.stopGateway()

  const [, short = ''] = /`bin\/headgate (run --upstream \S+)`/.exec(readme) ?? []
  await reader.startGateway([...reader.translated(short).split(' '), '--data', 'short'])
  match(await answer(), /"version":"v1"/)
  await reader.stopGateway()
})

test('the demo starts with the command of the README and takes the keys that it names', async (t) => {
  const readme = await documentAt('README.md')
  const [, command = ''] = /```sh\nbin\/headgate (demo)\n```/.exec(readme) ?? []
  equal(command, 'demo')
  const keys = [...readme.matchAll(/`([a-z])` to /g)].map(([, key]) => key)
  deepEqual(keys, ['u', 'b', 'r', 'q'])
  const reader = await Reader.open(t)
  const demo = reader.bench.start([command], {
    HEADGATE_LISTEN: `127.0.0.1:${reader.port('8080')}`,
    HEADGATE_ADMIN: `127.0.0.1:${reader.port('9090')}`,
  })
  await demo.said(/req\/s/)
  for (const [key, said] of [
    ['u', /5 % of the traffic goes to v2/],
    ['b', /v2/],
    ['r', /back on v1/],
  ] as const) {
    demo.child.stdin?.write(`${key}\n`)
    await demo.said(said)
  }
  demo.child.stdin?.write('q\n')
  const { exitCode, stderr } = await demo.ended
  equal(exitCode, 0)
  equal(stderr, '')
})
