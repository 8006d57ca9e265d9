import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import type { Problem } from '../problem.ts'
import { renderProblems } from './render.ts'

function problem(more: Partial<Problem>): Problem {
  return {
    severity: 'error',
    code: 'config.bad_value',
    object: 'Route/books',
    path: ['to'],
    message: 'must be text',
    ...more,
  }
}

const at = (line: number, column: number) => ({ file: 'a.yaml', line, column })

test('no problems are no text', () => {
  equal(renderProblems([], []), '')
})

test('a problem without a place is told without a line', () => {
  equal(
    renderProblems([problem({ suggestion: 'did you mean `b`?' })], []),
    'error  `to` of Route/books must be text\n      did you mean `b`?  [config.bad_value]\n',
  )
})

test('a place in a file that is not at hand is told without a line', () => {
  equal(
    renderProblems([problem({ location: at(3, 1) })], [{ name: 'a.yaml', text: 'one line' }]),
    'a.yaml:3:1  error  `to` of Route/books must be text\n      [config.bad_value]\n',
  )
})

test('a long line is cut around its column, and the caret stays under it', () => {
  const text = `${'x'.repeat(500)}HERE${'y'.repeat(500)}`
  const rendered = renderProblems([problem({ location: at(1, 501) })], [{ name: 'a.yaml', text }])
  const [, line = '', caret = ''] = rendered.split('\n')
  ok(line.length < 120)
  equal(line.slice(caret.indexOf('^'), caret.indexOf('^') + 4), 'HERE')
})

test('control characters of a file or a message never reach the terminal', () => {
  const text = 'a: \u001b[31mred\u0007\u202e'
  const rendered = renderProblems(
    [problem({ location: at(1, 1), message: 'is \u001b[2J bad', suggestion: '\u009b0m' })],
    [{ name: 'a.yaml', text }],
  )
  ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/.test(rendered))
  ok(rendered.includes('a: ·[31mred··'))
})

test('a secret is blotted out wherever its line is shown, in quotes or not', () => {
  for (const secret of ['hunter2', '"hunter2, \\"3"', "'hunter''2'"]) {
    const text = `{ secret: ${secret}, colour: red }`
    const rendered = renderProblems(
      [
        problem({ code: 'config.secret_inline', location: at(1, 11) }),
        problem({ location: at(1, text.indexOf('colour') + 1) }),
      ],
      [{ name: 'a.yaml', text }],
    )
    ok(!rendered.includes('hunter') && !rendered.includes('\\"3'), rendered)
    equal(rendered.split('colour: red }').length, 3, rendered)
  }
})
