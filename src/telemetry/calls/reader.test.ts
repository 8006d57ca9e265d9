import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { systemClock } from '../../base/clock.ts'
import { ringWithWriter } from './__fixtures__/records.ts'
import type { CallOutput } from './messages.ts'
import { startCallReader } from './reader.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-calls-'))
})
after(() => rm(folder, { recursive: true }))

function fileOutput(name: string): CallOutput & { path: string } {
  return { output: 'File', path: join(folder, name) }
}

const off: CallOutput = { output: 'Off', path: undefined }

function startReader(context: TestContext, output: CallOutput) {
  const lines: string[] = []
  const reader = startCallReader({
    clock: systemClock(),
    output,
    log: (line) => lines.push(line),
  })
  context.after(() => reader.close())
  return { reader, lines }
}

async function until(claim: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    if (await claim()) return
    await pause(10)
  }
  throw new Error('the condition did not come true within 10 s')
}

/** Numbers of the records in a log, in its order; every line must be whole. */
async function numbersIn(path: string): Promise<number[]> {
  const text = await readFile(path, 'utf8')
  ok(text === '' || text.endsWith('}\n'))
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => Number(JSON.parse(line).requestId))
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => from + index)

test('records of all workers come into the file, each ring in its order, with names', async (context) => {
  const output = fileOutput('all.log')
  const { reader } = startReader(context, output)
  const rings = [ringWithWriter(), ringWithWriter()]
  reader.setNames([{ family: 'route', slot: 1, name: 'books' }])
  for (const [id, { memory }] of rings.entries()) reader.addRing(id, memory)
  for (const [id, ring] of rings.entries()) equal(ring.write(id * 1_000, id * 1_000 + 1_000), 1_000)
  await reader.close()
  const numbers = await numbersIn(output.path)
  deepEqual(
    numbers.filter((number) => number < 1_000),
    range(0, 1_000),
  )
  deepEqual(
    numbers.filter((number) => number >= 1_000),
    range(1_000, 2_000),
  )
  equal(JSON.parse((await readFile(output.path, 'utf8')).split('\n')[0] ?? '').route, 'books')
  const { recordsRead, linesWritten, linesDropped, bytesWritten } = reader.totals()
  deepEqual([recordsRead, linesWritten, linesDropped], [2_000, 2_000, 0])
  equal(bytesWritten, Buffer.byteLength(await readFile(output.path)))
})

test('lines appear without a close, and a file is appended to', async (context) => {
  const output = fileOutput('append.log')
  for (const from of [0, 5]) {
    const { reader } = startReader(context, output)
    const ring = ringWithWriter()
    reader.addRing(0, ring.memory)
    ring.write(from, from + 5)
    await until(() => reader.totals().linesWritten === 5)
    deepEqual(await numbersIn(output.path), range(0, from + 5))
    await reader.close()
  }
})

test('what a dead worker left in its ring is still written, and its successor has a ring of its own', async (context) => {
  const output = fileOutput('successor.log')
  const { reader } = startReader(context, output)
  const dead = ringWithWriter()
  reader.addRing(3, dead.memory)
  dead.write(0, 500)
  reader.removeRing(3)
  const successor = ringWithWriter()
  reader.addRing(3, successor.memory)
  successor.write(500, 1_000)
  await reader.close()
  deepEqual(
    (await numbersIn(output.path)).toSorted((left, right) => left - right),
    range(0, 1_000),
  )
})

test('without an output workers are told not to write records', async (context) => {
  const { reader } = startReader(context, off)
  const ring = ringWithWriter()
  reader.addRing(0, ring.memory)
  await until(() => !ring.writer.isWanted)
  reader.setOutput(fileOutput('wanted.log'))
  await until(() => ring.writer.isWanted)
  reader.setOutput(off)
  await until(() => !ring.writer.isWanted)
  ring.write(0, 10)
  await until(() => reader.totals().recordsRead === 10)
  equal(reader.totals().linesDropped, 0)
})

test('records from before a change of output go to the old one, later ones to the new', async (context) => {
  const [first, second] = [fileOutput('first.log'), fileOutput('second.log')]
  const { reader } = startReader(context, first)
  const ring = ringWithWriter()
  reader.addRing(0, ring.memory)
  ring.write(0, 100)
  reader.setOutput(second)
  await until(() => reader.totals().linesWritten === 100)
  ring.write(100, 200)
  await reader.close()
  deepEqual([...(await numbersIn(first.path)), ...(await numbersIn(second.path))], range(0, 200))
  ok((await numbersIn(second.path)).includes(199))
  ok(!(await numbersIn(second.path)).includes(0))
})

test('a renamed file is let go on reopen, and no line is lost or cut in two', async (context) => {
  const output = fileOutput('rotated.log')
  const { reader } = startReader(context, output)
  const ring = ringWithWriter(4 * 1_048_576)
  reader.addRing(0, ring.memory)
  await until(() => existsSync(output.path))
  const rotated = `${output.path}.1`
  for (let round = 0; round < 5; round += 1) {
    ring.write(round * 1_000, round * 1_000 + 1_000)
    if (round !== 2) continue
    await rename(output.path, rotated)
    reader.reopen()
    await until(() => existsSync(output.path))
  }
  await reader.close()
  deepEqual([...(await numbersIn(rotated)), ...(await numbersIn(output.path))], range(0, 5_000))
  ok((await numbersIn(output.path)).includes(4_999))
})

test('a full disk is reported once, drops are counted, nothing crashes, and writing resumes', async (context) => {
  const { reader, lines } = startReader(context, { output: 'File', path: '/dev/full' })
  const ring = ringWithWriter(4 * 1_048_576)
  reader.addRing(0, ring.memory)
  let sent = 0
  await until(() => {
    sent += ring.write(sent, sent + 2_000)
    return reader.totals().linesDropped > 0
  })
  equal(lines.length, 1)
  match(lines[0] ?? '', /^telemetry\.output_failed: .*\/dev\/full.*ENOSPC/)
  const output = fileOutput('resumed.log')
  reader.setOutput(output)
  await until(() => lines.length === 2)
  match(lines[1] ?? '', /written again/)
  const last = sent
  await until(() => {
    sent += ring.write(sent, sent + 1)
    return reader.totals().linesWritten > 0
  })
  await reader.close()
  const numbers = await numbersIn(output.path)
  ok(numbers.some((number) => number >= last))
  const { recordsRead, linesWritten, linesDropped } = reader.totals()
  equal(recordsRead, sent)
  equal(linesWritten + linesDropped, sent)
  equal(numbers.length, linesWritten)
})

test('a folder that is missing is reported; the log begins once it is there', async (context) => {
  const path = join(folder, 'later', 'access.log')
  const { reader, lines } = startReader(context, { output: 'File', path })
  const ring = ringWithWriter()
  reader.addRing(0, ring.memory)
  ring.write(0, 10)
  await until(() => lines.length === 1)
  match(lines[0] ?? '', /ENOENT/)
  await mkdir(join(folder, 'later'))
  reader.reopen()
  await until(() => reader.totals().linesWritten === 10)
  deepEqual(await numbersIn(path), range(0, 10))
})

test('records that a full ring could not take are counted, over the ends of workers too', async (context) => {
  const { reader } = startReader(context, off)
  for (const life of [1, 2]) {
    const ring = ringWithWriter(16_384)
    const taken = ring.write(0, 1_000)
    reader.addRing(0, ring.memory)
    equal(reader.totals().recordsDropped, (1_000 - taken) * life)
    reader.removeRing(0)
    equal(reader.totals().recordsDropped, (1_000 - taken) * life)
  }
})

function printCalls(count: number) {
  return spawn(
    process.execPath,
    [new URL('./__fixtures__/print-calls.ts', import.meta.url).pathname, String(count)],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk
  return text
}

test('standard output gets every line, through a pipe too', async () => {
  const child = printCalls(20_000)
  const [out, errors] = await Promise.all([textOf(child.stdout), textOf(child.stderr)])
  const numbers = out
    .split('\n')
    .slice(0, -1)
    .map((line) => Number(JSON.parse(line).requestId))
  deepEqual(numbers, range(0, 20_000))
  equal(JSON.parse(errors).linesWritten, 20_000)
})

test('a reader of standard output that has stopped does not keep the process from ending', async () => {
  const child = printCalls(20_000)
  const errors = textOf(child.stderr)
  const [code] = await once(child, 'exit')
  equal(code, 0)
  const totals = JSON.parse(await errors)
  ok(totals.linesDropped > 0)
  equal(totals.linesWritten + totals.linesDropped, 20_000)
  child.stdout.destroy()
})

test('a thread that dies is replaced and goes on where it was', async (context) => {
  const output = fileOutput('crash.log')
  const threads: Worker[] = []
  const onWorker = (worker: Worker) => threads.push(worker)
  process.on('worker', onWorker)
  context.after(() => process.off('worker', onWorker))
  const { reader } = startReader(context, output)
  const ring = ringWithWriter()
  reader.addRing(0, ring.memory)
  ring.write(0, 10)
  await until(() => reader.totals().linesWritten === 10)
  await threads[0]?.terminate()
  ring.write(10, 20)
  await until(() => reader.totals().linesWritten === 20)
  deepEqual(await numbersIn(output.path), range(0, 20))
  equal(threads.length, 2)
})
