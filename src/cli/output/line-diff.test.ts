import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { diffHunks, diffLines } from './line-diff.ts'

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 })
  .map((lines) => lines.join('\n'))

test('taking the marked lines gives both texts back', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = diffLines(before, after)
      const without = (mark: string) =>
        lines
          .filter((line) => line.mark !== mark)
          .map((line) => line.text)
          .join('\n')
      equal(without('+'), before)
      equal(without('-'), after)
    }),
  )
})

test('equal texts have no marked line', () => {
  equal(
    diffLines('a\nb', 'a\nb').every((line) => line.mark === ' '),
    true,
  )
})

test('hunks keep two lines around a change and mark the gap', () => {
  const before = 'a\nb\nc\nd\ne\nf\ng\nh\ni'
  const after = 'A\nb\nc\nd\ne\nf\ng\nh\nI'
  deepEqual(
    diffHunks(diffLines(before, after)).map(({ mark, text }) => mark + text),
    ['-a', '+A', ' b', ' c', ' ⋮', ' g', ' h', '-i', '+I'],
  )
})
