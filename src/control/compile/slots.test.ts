import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  allocateSlots,
  emptySlotTable,
  overflowName,
  overflowSlot,
  type SlotNames,
  slotsMax,
} from './slots.ts'

function names(given: Partial<SlotNames>): SlotNames {
  return { route: [], version: [], endpoint: [], app: [], ...given }
}

test('names get slots from 1 upwards, in their own order and per family', () => {
  const { table, slotOf } = allocateSlots(
    emptySlotTable,
    names({ route: ['b', 'a', 'b'], app: ['b'] }),
  )
  deepEqual(table.route, [overflowName, 'a', 'b'])
  equal(slotOf('route', 'b'), 2)
  equal(slotOf('app', 'b'), 1)
})

test('a name keeps its slot while others come and go, and when it comes back', () => {
  const first = allocateSlots(emptySlotTable, names({ route: ['b', 'c'] }))
  const second = allocateSlots(first.table, names({ route: ['a', 'c'] }))
  const third = allocateSlots(second.table, names({ route: ['a', 'b'] }))
  deepEqual(third.table.route, [overflowName, 'b', 'c', 'a'])
  equal(third.slotOf('route', 'b'), 1)
})

test('the table given stays as it was', () => {
  const before = structuredClone(emptySlotTable)
  allocateSlots(emptySlotTable, names({ route: ['a'] }))
  deepEqual(emptySlotTable, before)
})

test('names beyond the limit share the overflow slot, and those that had a slot keep it', () => {
  const full = Array.from({ length: slotsMax + 10 }, (_, index) => `e${index}`).sort()
  const first = allocateSlots(emptySlotTable, names({ endpoint: full }))
  equal(first.table.endpoint.length, slotsMax)
  equal(first.slotOf('endpoint', full[slotsMax - 2] ?? ''), slotsMax - 1)
  equal(first.slotOf('endpoint', full[slotsMax - 1] ?? ''), overflowSlot)
  const second = allocateSlots(first.table, names({ endpoint: ['late', 'e0'] }))
  equal(second.slotOf('endpoint', 'late'), overflowSlot)
  ok(second.slotOf('endpoint', 'e0') > 0)
  equal(second.table.endpoint.length, slotsMax)
})
