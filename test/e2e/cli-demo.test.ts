import { equal, match } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { workbench } from '../support/headgate-process.ts'

const run = promisify(execFile)

test('the demo runs as its banner says: call it, operate it, upgrade, break, roll back, quit', async (t) => {
  const bench = await workbench(t)
  const demo = bench.start(['demo', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'])
  const [, key = '', url = ''] = await demo.said(/curl -H 'x-api-key: (\S+)' (\S+)/)
  const answer = await fetch(url, { headers: { 'x-api-key': key } })
  equal(answer.status, 200)
  match(await answer.text(), /"price":/)
  equal((await fetch(url)).status, 401)
  const [, token = ''] = await demo.said(/token +(\S+)/)
  const [, server = ''] = await demo.said(/admin +(http:\S+)/)
  const env = { HEADGATE_TOKEN: token, HEADGATE_SERVER: server }
  match((await bench.run(['get', 'upstreams'], { env })).stdout, /bookshop +v1, v2 +v1 100%/)
  const [, line = ''] = await demo.said(/operate +(.+)\n/)
  match((await run('sh', ['-c', line])).stdout, /bookshop/, 'the line can be pasted as it stands')
  await demo.said(/\d\d\.\d req\/s · errors 0\.0 % .* v1 100 %/)

  demo.child.stdin?.write('u\n')
  await demo.said(/5 % of the traffic goes to v2 now/)
  match((await bench.run(['get', 'upstreams'], { env })).stdout, /v1 95%, v2 5%/)
  demo.child.stdin?.write('u\nu\nu\n')
  await demo.said(/100 % of the traffic goes to v2 now/)
  match(await (await fetch(url, { headers: { 'x-api-key': key } })).text(), /"amount":/)
  demo.child.stdin?.write('b\n')
  await demo.said(/errors (?!0\.0)\d+\.\d %.*v2 is broken/)
  demo.child.stdin?.write('r\n')
  await demo.said(/all traffic is back on v1/)
  await demo.said(/errors 0\.0 %.*v1 100 % {2}v2 0 % \(set 100\/0\)/)
  demo.child.stdin?.write('q\n')
  const { exitCode, stderr } = await demo.ended
  equal(exitCode, 0)
  equal(stderr, '')
})

test('the demo ends by itself with --for', async (t) => {
  const bench = await workbench(t)
  const argv = ['demo', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--for', '1s']
  const { exitCode, stdout } = await bench.run(argv)
  equal(exitCode, 0)
  match(stdout, /Press u/)
})
