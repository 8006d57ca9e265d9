/** What the runner prints: a line per file as it ends, all failures in full at the end, the counts. */
import type { FileResult } from './run-files.ts'

export type CheckResult = {
  readonly name: string
  readonly isPassed: boolean
  readonly output: string
}

export type Counts = { readonly passed: number; readonly failed: number; readonly tests: number }

/** Checks and tests together; a file with a problem of its own is one more failure. */
export function countOutcomes(
  checks: readonly CheckResult[],
  files: readonly FileResult[],
): Counts {
  const lines = files.flatMap((file) => file.tests)
  const passed = lines.filter((line) => line.outcome === 'passed').length
  const problems = files.filter((file) => file.problem !== undefined).length
  const checksPassed = checks.filter((check) => check.isPassed).length
  return {
    passed: passed + checksPassed,
    // A skipped test proves nothing, so it does not pass.
    failed: lines.length - passed + problems + checks.length - checksPassed,
    tests: lines.length,
  }
}

/** One line for a file that has ended. */
export function renderFile(result: FileResult): string {
  const { passed, failed } = countOutcomes([], [result])
  const seconds = (result.ms / 1_000).toFixed(1)
  return failed === 0
    ? `ok   ${result.file} (${passed} tests, ${seconds} s)`
    : `FAIL ${result.file} (${passed} passed, ${failed} failed, ${seconds} s)`
}

/** Everything that failed, with all one needs to mend it; empty when nothing did. */
export function renderFailures(
  checks: readonly CheckResult[],
  files: readonly FileResult[],
): string {
  const parts = [
    ...checks
      .filter((check) => !check.isPassed)
      .map((check) => `── ${check.name}\n${check.output.trim()}`),
    ...files.flatMap(failuresOf),
  ]
  return parts.length === 0 ? '' : `\n${parts.join('\n\n')}\n`
}

function failuresOf(result: FileResult): string[] {
  const failed = result.tests.filter((line) => line.outcome !== 'passed')
  if (failed.length === 0 && result.problem === undefined) return []
  const parts = failed.map((line) => {
    const reason = line.error ?? 'It was skipped; a test that does not run proves nothing.'
    return `── ${result.file}:${line.line} ${line.name}\n${indent(reason)}`
  })
  if (result.problem !== undefined) parts.push(`── ${result.file}: ${result.problem}`)
  if (result.output !== '') parts.push(`   printed by ${result.file}:\n${indent(result.output)}`)
  return parts
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '   ')
}
