import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { renderTable } from './table.ts'

test('columns line up and no line ends in spaces', () => {
  equal(
    renderTable(
      ['NAME', 'TO'],
      [
        ['books', 'v1'],
        ['b', ''],
      ],
    ),
    'NAME   TO\nbooks  v1\nb',
  )
})

test('control characters never reach the terminal and long cells are cut', () => {
  const [, row = ''] = renderTable(['A'], [['x\u001b[31my\n']]).split('\n')
  equal(row, 'x [31my')
  equal(renderTable(['A'], [['y'.repeat(500)]]).split('\n')[1]?.length, 120)
})
