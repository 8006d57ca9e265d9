import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import type { TestLine } from './reporter.ts'
import type { FileResult } from './run-files.ts'
import { countOutcomes, renderFailures, renderFile } from './summary.ts'

const line = (outcome: TestLine['outcome'], error?: string): TestLine => ({
  outcome,
  name: `a test that ${outcome}`,
  file: 'x.test.ts',
  line: 3,
  ms: 1,
  ...(error !== undefined && { error }),
})
const file = (tests: TestLine[], problem?: string): FileResult => ({
  file: 'x.test.ts',
  tests,
  output: 'what it printed',
  ms: 1_234,
  ...(problem !== undefined && { problem }),
})
const lint = (isPassed: boolean) => ({ name: 'lint', isPassed, output: 'lint says no' })

test('checks, tests and broken files add up', () => {
  const counts = countOutcomes(
    [lint(true), lint(false)],
    [file([line('passed'), line('failed')]), file([], 'it has no tests')],
  )
  deepEqual(counts, { passed: 2, failed: 3, tests: 2 })
})

test('a skipped test counts as failed', () => {
  deepEqual(countOutcomes([], [file([line('skipped')])]), { passed: 0, failed: 1, tests: 1 })
})

test('nothing is printed at the end when nothing failed', () => {
  equal(renderFailures([lint(true)], [file([line('passed')])]), '')
  equal(renderFile(file([line('passed')])), 'ok   x.test.ts (1 tests, 1.2 s)')
})

test('a failure is shown with its place, its reason and what the file printed', () => {
  const text = renderFailures([lint(false)], [file([line('failed', '1 !== 2')], 'it hung')])
  match(text, /── lint\nlint says no/)
  match(text, /── x\.test\.ts:3 a test that failed\n {3}1 !== 2/)
  match(text, /── x\.test\.ts: it hung/)
  match(text, / {3}what it printed/)
})
