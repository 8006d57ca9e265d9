import { equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { composeHead, dropNothing, dropTable, FieldEditList } from './compose.ts'
import { cachedFieldKey, knownFields } from './fields.ts'
import { Head } from './head.ts'
import { scanRequestHead } from './scan.ts'

function headOf(fields: string): Head {
  const head = new Head(64)
  const bytes = Buffer.from(`GET / HTTP/1.1\r\n${fields}\r\n`, 'latin1')
  const result = scanRequestHead(head, bytes, 0, bytes.length, {
    headBytesMax: 10_000,
    targetBytesMax: 100,
  })
  equal(result, bytes.length)
  return head
}

test('received lines pass on byte for byte, but for those that are dropped or removed', () => {
  const source = headOf('Host: a\r\nX-A:  1 \r\nVIA: x\r\nx-b:2\r\nX-A: 3\r\n')
  const composed = composeHead(
    {
      text: 'GET /b HTTP/1.1\r\n',
      source,
      drop: dropTable(['host', 'via']),
      removed: [cachedFieldKey('x-b')],
    },
    Buffer.from('body'),
  )
  equal(composed.toString(), 'GET /b HTTP/1.1\r\nX-A:  1 \r\nX-A: 3\r\n\r\nbody')
})

test('whatever is dropped, the rest stays in its order', () => {
  const names = fc.constantFrom('host', 'via', 'x-a', 'x-b', 'x-c', 'te', 'expect')
  fc.assert(
    fc.property(
      fc.array(fc.tuple(names, fc.stringMatching(/^[a-z0-9 ]{0,10}$/)), { maxLength: 20 }),
      fc.subarray(['host', 'via', 'te', 'expect'] as const),
      fc.subarray(['x-a', 'x-b', 'x-c']),
      (lines, dropped, removed) => {
        const source = headOf(lines.map(([name, value]) => `${name}: ${value}\r\n`).join(''))
        const composed = composeHead(
          { text: '', source, drop: dropTable(dropped), removed: removed.map(cachedFieldKey) },
          undefined,
        )
        const gone: readonly string[] = [...dropped, ...removed]
        const kept = lines.filter(([name]) => !gone.includes(name))
        const text = kept.map(([name, value]) => `${name}: ${value}\r\n`).join('')
        equal(composed.toString('latin1'), `${text}\r\n`)
      },
    ),
  )
})

test('an edit may not frame, split or misname a message', () => {
  const edits = new FieldEditList()
  for (const name of ['content-length', 'transfer-encoding', 'connection', 'host', 'trailer'])
    throws(() => edits.set(name, '1'), name)
  for (const name of ['', 'a b', 'a:b', 'A', 'a\r\n', 'ä', 'Ċ'])
    throws(() => edits.add(name, '1'), JSON.stringify(name))
  for (const value of ['a\r\nb', 'a\nb', 'a\0', '\x7f', 'ĊX: 1', '\u{1f4a5}'])
    throws(() => edits.set('x-a', value), JSON.stringify(value))
  throws(() => edits.remove('content-length'))
  equal(edits.lines(), '')
})

test('the last edit of a field wins, added lines stay in order', () => {
  const edits = new FieldEditList()
  edits.add('x-a', '1')
  edits.set('x-a', '2')
  edits.add('x-a', '3')
  edits.set('x-b', 'é')
  edits.remove('x-c')
  equal(edits.lines(), 'x-a: 2\r\nx-a: 3\r\nx-b: é\r\n')
  equal(edits.valueOf('x-a'), '2')
  equal(edits.hasRemoved('x-c'), true)
  const composed = composeHead(
    { text: edits.lines(), source: undefined, drop: dropNothing, removed: [] },
    undefined,
  )
  equal(composed.toString('latin1'), `${edits.lines()}\r\n`)
})

test('every known field can be dropped by its name', () => {
  for (const name of knownFields) {
    const source = headOf(`X: 1\r\n${name.toUpperCase()}: 2\r\n`)
    const composed = composeHead(
      { text: '', source, drop: dropTable([name]), removed: [] },
      undefined,
    )
    equal(composed.toString(), 'X: 1\r\n\r\n', name)
  }
})
