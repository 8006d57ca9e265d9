import { deepEqual, equal, ok } from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { workbench } from '../support/headgate-process.ts'
import { startGateway } from './support/gateway.ts'
import { type LoadResult, startLoad } from './support/load.ts'
import { startUpstream } from './support/upstream.ts'
import { eventually } from './support/wait.ts'

const reloads = 30
const requestsBetween = 15

function equalNoLoss(result: LoadResult, requestsMin: number): void {
  deepEqual(result.failed, [])
  equal(result.notConnected, 0)
  equal(result.ok, result.sent)
  ok(result.ok >= requestsMin, `${result.ok} requests are no load`)
}

/** What the file says at its `step`th change: routes come and go, policies and weights change. */
function configuration(v1: string, v2: string, step: number): string {
  const extra = Array.from(
    { length: step % 4 },
    (_, index) =>
      `  - { name: extra-${step}-${index}, match: { path: "/extra/${step}/${index}" }, to: books }\n`,
  )
  const policies = [
    '[]',
    '[{ headers: { response: { set: { x-step: changed } } } }]',
    `[{ rate-limit: { limit: ${1_000_000 + step}/s } }, { size-limit: { bodyBytes: 10MiB } }]`,
  ][step % 3]
  return `version: 1
upstreams:
  - name: books
    versions:
      v1: { url: "${v1}", connectionsMax: ${100 + (step % 5)} }
      v2: { url: "${v2}" }
    live: ${step % 2 === 0 ? 'v1' : 'v2'}
routes:
  - { name: load, match: { path: "/load/**" }, to: books, policies: ${policies} }
  - { name: step, match: { path: /step }, respond: { status: 200, body: "${step}" } }
${extra.join('')}`
}

test('thirty reloads of a file under load lose no request and change no byte', async (t) => {
  const bench = await workbench(t)
  const [v1, v2] = [await startUpstream(t, 'v1'), await startUpstream(t, 'v2')]
  const path = join(bench.cwd, 'headgate.yaml')
  await writeFile(path, configuration(v1.url, v2.url, 0))
  const gateway = await startGateway(bench)
  const load = startLoad({ url: gateway.url })
  await load.more(20)
  for (let step = 1; step <= reloads; step++) {
    const text = configuration(v1.url, v2.url, step)
    // Every other time as editors do that write a new file and rename it over the old one.
    if (step % 2 === 0) await writeFile(path, text)
    else {
      await writeFile(`${path}.tmp`, text)
      await rename(`${path}.tmp`, path)
    }
    await eventually(
      async () => (await (await fetch(`${gateway.url}/step`)).text()) === String(step),
      { what: `step ${step}` },
    )
    await load.more(requestsBetween)
  }
  const result = await load.stop()
  equalNoLoss(result, reloads * requestsBetween)
  equal(result.connectionsOpened, 8, 'connections stay open over reloads')
  ok(v1.seen.requests > 0 && v2.seen.requests > 0)
  equal((await gateway.stop()).exitCode, 0)
})

test('thirty split changes by admin API under load lose no request', async (t) => {
  const bench = await workbench(t)
  const [v1, v2] = [await startUpstream(t, 'v1'), await startUpstream(t, 'v2')]
  await writeFile(join(bench.cwd, 'headgate.yaml'), configuration(v1.url, v2.url, 0))
  const gateway = await startGateway(bench)
  const load = startLoad({ url: gateway.url })
  await load.more(20)
  for (let step = 1; step <= 30; step++) {
    const v2Share = (step * 37) % 101
    const answer = await gateway.admin('POST', '/api/v1/upstreams/books:setSplit', {
      weights: { v1: `${100 - v2Share}%`, v2: `${v2Share}%` },
    })
    equal(answer.status, 200, answer.text)
    await load.more(requestsBetween)
  }
  const result = await load.stop()
  equalNoLoss(result, 30 * requestsBetween)
  equal(result.connectionsOpened, 8)
  ok(v1.seen.requests > 0 && v2.seen.requests > 0)
  equal((await gateway.stop()).exitCode, 0)
})

test('thirty applies in store mode under load lose no request', async (t) => {
  const bench = await workbench(t)
  const [v1, v2] = [await startUpstream(t, 'v1'), await startUpstream(t, 'v2')]
  const gateway = await startGateway(bench)
  const yaml = { 'content-type': 'application/yaml' }
  const apply = async (step: number) => {
    const query = step === 0 ? '' : '?prune=true'
    const text = configuration(v1.url, v2.url, step)
    const answer = await gateway.admin('POST', `/api/v1/apply${query}`, text, yaml)
    equal(answer.status, 200, answer.text)
  }
  await apply(0)
  const load = startLoad({ url: gateway.url })
  await load.more(20)
  for (let step = 1; step <= 30; step++) {
    await apply(step)
    equal(await (await fetch(`${gateway.url}/step`)).text(), String(step), 'applied means served')
    await load.more(requestsBetween)
  }
  const result = await load.stop()
  equalNoLoss(result, 30 * requestsBetween)
  equal(result.connectionsOpened, 8)
  equal((await gateway.stop()).exitCode, 0)
})
