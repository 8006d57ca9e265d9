import { deepEqual, equal } from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type SimulatedClock, simulatedClock, systemClock, wait } from '../../base/clock.ts'
import { watchConfig } from './watch.ts'

const deadlineMs = 10_000

type Watched = {
  readonly folder: string
  readonly clock: SimulatedClock
  /** How often a change was told. */
  count(): number
}

/** A folder with `headgate.yaml`, watched with a clock that stands still: only the poll is driven. */
function watched(context: TestContext, path = 'headgate.yaml', text = 'version: 1\n'): Watched {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-watch-'))
  writeFileSync(join(folder, 'headgate.yaml'), text)
  const clock = simulatedClock()
  let count = 0
  const watcher = watchConfig(join(folder, path), () => count++, clock)
  context.after(() => {
    watcher.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { folder, clock, count: () => count }
}

test('a change is noticed by the poll even when the system tells nothing', (context) => {
  const { folder, clock, count } = watched(context)
  clock.advance(2_000)
  equal(count(), 0)
  writeFileSync(join(folder, 'headgate.yaml'), 'version: 1 # changed\n')
  clock.advance(1_900)
  equal(count(), 0)
  clock.advance(100)
  equal(count(), 1)
  clock.advance(10_000)
  equal(count(), 1)
})

test('touching a file, or writing the same text again, changes nothing', (context) => {
  const { folder, clock, count } = watched(context)
  utimesSync(join(folder, 'headgate.yaml'), 1, 1)
  clock.advance(2_000)
  writeFileSync(join(folder, 'headgate.yaml'), 'version: 1\n')
  clock.advance(2_000)
  equal(count(), 0)
})

test('a file that an editor renames into place is noticed, again and again', (context) => {
  const { folder, clock, count } = watched(context)
  for (const round of [1, 2, 3]) {
    writeFileSync(join(folder, 'headgate.yaml~'), `version: 1 # ${round}\n`)
    renameSync(join(folder, 'headgate.yaml~'), join(folder, 'headgate.yaml'))
    clock.advance(2_000)
    equal(count(), round)
  }
})

test('a file that goes away and comes back is two changes', (context) => {
  const { folder, clock, count } = watched(context)
  unlinkSync(join(folder, 'headgate.yaml'))
  clock.advance(2_000)
  equal(count(), 1)
  writeFileSync(join(folder, 'headgate.yaml'), 'version: 1\n')
  clock.advance(2_000)
  equal(count(), 2)
})

test('in a folder new files and removed files count, others do not', (context) => {
  const { folder, clock, count } = watched(context, '.')
  writeFileSync(join(folder, 'notes.txt'), 'not configuration')
  clock.advance(2_000)
  equal(count(), 0)
  writeFileSync(join(folder, 'more.yaml'), '')
  clock.advance(2_000)
  equal(count(), 1)
  unlinkSync(join(folder, 'more.yaml'))
  clock.advance(2_000)
  equal(count(), 2)
})

test('included files are watched, and so are those that a pattern comes to match', (context) => {
  const { folder, clock, count } = watched(context, 'headgate.yaml', 'include: parts/*.yaml\n')
  mkdirSync(join(folder, 'parts'))
  writeFileSync(join(folder, 'parts', 'a.yaml'), 'version: 1\n')
  clock.advance(2_000)
  equal(count(), 1)
  writeFileSync(join(folder, 'parts', 'a.yaml'), 'version: 1 # changed\n')
  clock.advance(2_000)
  equal(count(), 2)
  writeFileSync(join(folder, 'parts', 'b.yaml'), '')
  clock.advance(2_000)
  equal(count(), 3)
})

test('the link that Kubernetes swaps for a new ConfigMap is noticed', (context) => {
  const { folder, clock, count } = watched(context)
  const lay = (name: string, text: string) => {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'headgate.yaml'), text)
    symlinkSync(name, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  lay('..1', 'version: 1\n')
  unlinkSync(join(folder, 'headgate.yaml'))
  symlinkSync('..data/headgate.yaml', join(folder, 'headgate.yaml'))
  clock.advance(2_000)
  equal(count(), 0)
  lay('..2', 'version: 1 # second\n')
  clock.advance(2_000)
  equal(count(), 1)
})

test('after close nothing is told any more', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-watch-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const clock = simulatedClock()
  const told: string[] = []
  const watcher = watchConfig(folder, () => told.push('change'), clock)
  watcher.close()
  writeFileSync(join(folder, 'a.yaml'), '')
  clock.advance(10_000)
  deepEqual(told, [])
})

test('with the real clock a change is told soon, once for several writes in a row', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-watch-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'headgate.yaml')
  writeFileSync(path, 'version: 1\n')
  const clock = systemClock()
  const { promise: changed, resolve } = Promise.withResolvers<number>()
  const startMs = clock.now()
  let count = 0
  const watcher = watchConfig(
    path,
    () => {
      count++
      resolve(clock.now() - startMs)
    },
    clock,
  )
  context.after(() => watcher.close())
  for (const part of ['a', 'b', 'c']) writeFileSync(path, `version: 1 # ${part}\n`)
  const deadline = wait(clock, deadlineMs, context.signal).then(() => Number.NaN)
  const keepAlive = setInterval(() => undefined, 1_000)
  context.after(() => clearInterval(keepAlive))
  const tookMs = await Promise.race([changed, deadline])
  equal(Number.isNaN(tookMs), false)
  equal(count, 1)
})
