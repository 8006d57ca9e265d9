/**
 * A reporter for node:test that writes one JSON line per finished test. `run-files.ts` starts each
 * test file with it and reads the lines; people never see them.
 */
import type { TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'

/** One finished test, as it travels from the process of the test file to the runner. */
export type TestLine = {
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** Names from the outermost suite inwards. */
  readonly name: string
  readonly file: string
  readonly line: number
  readonly ms: number
  /** What to read when it failed. */
  readonly error?: string
}

// biome-ignore lint/style/noDefaultExport: Node's --test-reporter loads the default export only.
export default async function* testReporter(events: AsyncIterable<TestEvent>) {
  const names = nameStack()
  for await (const event of events) {
    // A test that starts is a sign of life for the runner, which ends files that go silent.
    if (event.type === 'test:dequeue') yield '{}\n'
    if (event.type === 'test:start') names.enter(event.data.nesting, event.data.name)
    const line = lineOf(event, names.path)
    if (line !== undefined) yield `${JSON.stringify(line)}\n`
  }
}

/** The names around the test that runs now: events are reported in the order of definition. */
function nameStack() {
  const stack: string[] = []
  return {
    enter(nesting: number, name: string): void {
      stack.length = nesting
      stack[nesting] = name
    },
    path: (nesting: number, name: string) => [...stack.slice(0, nesting), name].join(' › '),
  }
}

/** The line for an event; undefined for what is no test, or says again what a part has said. */
export function lineOf(
  event: TestEvent,
  pathOf: (nesting: number, name: string) => string,
): TestLine | undefined {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined
  const { data } = event
  const isSuite = data.details.type === 'suite'
  if (event.type === 'test:pass' && isSuite) return undefined
  const common = {
    name: pathOf(data.nesting, data.name),
    file: data.file ?? '',
    line: data.line ?? 0,
    ms: data.details.duration_ms,
  }
  if (event.type === 'test:pass') {
    const isSkipped = data.skip !== undefined || data.todo !== undefined
    return { ...common, outcome: isSkipped ? 'skipped' : 'passed' }
  }
  const { error } = event.data.details
  // Its subtests have lines of their own; counting the parent too would count one failure twice.
  if (failureTypeOf(error) === 'subtestsFailed') return undefined
  return { ...common, outcome: 'failed', error: inspect(error.cause ?? error, { depth: 6 }) }
}

function failureTypeOf(error: unknown): unknown {
  const isObject = typeof error === 'object' && error !== null
  return isObject && 'failureType' in error ? error.failureType : undefined
}
