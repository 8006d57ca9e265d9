import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { HeadgateError } from '../base/errors.ts'
import { changesWaitingMax, createChangeQueue } from './controller-queue.ts'

const hasCode = (code: string) => (thrown: unknown) =>
  thrown instanceof HeadgateError && thrown.code === code

test('changes run one at a time, in order, also behind one that failed', async () => {
  const queue = createChangeQueue()
  const told: string[] = []
  const change = (name: string, fails = false) =>
    queue.run(async () => {
      told.push(`${name} begins`)
      await new Promise((resolve) => setImmediate(resolve))
      told.push(`${name} ends`)
      if (fails) throw new Error(name)
      return name
    })
  const first = change('a', true)
  const second = change('b')
  await rejects(first, /a/)
  equal(await second, 'b')
  deepEqual(told, ['a begins', 'a ends', 'b begins', 'b ends'])
})

test('when too many wait, the next is refused and those before it still run', async () => {
  const queue = createChangeQueue()
  const gate = Promise.withResolvers<void>()
  const waiting = Array.from({ length: changesWaitingMax }, () => queue.run(() => gate.promise))
  await rejects(
    queue.run(async () => undefined),
    hasCode('admin.overloaded'),
  )
  gate.resolve()
  await Promise.all(waiting)
  equal(await queue.run(async () => 'again'), 'again')
})

test('closing lets the running change end and takes no other', async () => {
  const queue = createChangeQueue()
  const gate = Promise.withResolvers<string>()
  const running = queue.run(() => gate.promise)
  const closed = queue.close()
  await rejects(
    queue.run(async () => undefined),
    hasCode('gateway.draining'),
  )
  gate.resolve('done')
  await closed
  equal(await running, 'done')
})
