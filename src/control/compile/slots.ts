/**
 * Slots number names for counters in shared memory. A name keeps its number over all snapshots, also
 * while it is gone, so that counters outlive reloads and a deleted name's figures never become
 * another's. The tables only grow; when one is full, further names share slot 0.
 */

export const slotFamilies = ['route', 'version', 'endpoint', 'app'] as const
export type SlotFamily = (typeof slotFamilies)[number]

/** Per family the names by slot; slot 0 belongs to no name. Plain data. */
export type SlotTable = Readonly<Record<SlotFamily, readonly string[]>>

/** Slots per family, with slot 0. */
export const slotsMax = 65_536

/** Shared by all names that found no slot; their figures are counted together. */
export const overflowSlot = 0

/** Stands in the tables at slot 0. No resource can have this name. */
export const overflowName = '(others)'

export const emptySlotTable: SlotTable = {
  route: [overflowName],
  version: [overflowName],
  endpoint: [overflowName],
  app: [overflowName],
}

export type SlotNames = Readonly<Record<SlotFamily, Iterable<string>>>

export type SlotAllocation = {
  /** The table with the new names appended. */
  readonly table: SlotTable
  slotOf(family: SlotFamily, name: string): number
}

/** Gives every name its slot: the one it has, or the next free one in the order of the names. */
export function allocateSlots(table: SlotTable, names: SlotNames): SlotAllocation {
  const families = {
    route: allocateFamily(table.route, names.route),
    version: allocateFamily(table.version, names.version),
    endpoint: allocateFamily(table.endpoint, names.endpoint),
    app: allocateFamily(table.app, names.app),
  }
  return {
    table: {
      route: families.route.names,
      version: families.version.names,
      endpoint: families.endpoint.names,
      app: families.app.names,
    },
    slotOf: (family, name) => families[family].slots.get(name) ?? overflowSlot,
  }
}

function allocateFamily(known: readonly string[], wanted: Iterable<string>) {
  const slots = new Map(known.map((name, slot) => [name, slot]))
  // Sorted, so that the numbers depend on the names alone and not on the order of files.
  const fresh = [...new Set(wanted)].filter((name) => !slots.has(name)).sort()
  const names = [...known, ...fresh.slice(0, Math.max(slotsMax - known.length, 0))]
  for (let slot = known.length; slot < names.length; slot++) slots.set(names[slot] ?? '', slot)
  return { names, slots }
}
