/**
 * How the ledger's shared memory is laid out.
 *
 * A header, then groups of 16 rows. A key belongs to exactly one group, which has one lock: finding,
 * adding and changing a row are then a single step for every other thread, without a lock over the
 * whole table and without moving rows about. At half load one key in 300 finds its group full; the
 * price of that is known (see `shared-ledger.ts`) and the answer is a larger table.
 *
 * Group: 64 bytes with the lock, 64 with the first halves of the 16 hashes, 64 with the second (0
 * means: row is free), then 16 rows of 64 bytes. A row is the time it was changed, the time after
 * which it says no more than an absent row, and 48 bytes that belong to its algorithm.
 */
import { assert } from '../base/errors.ts'
import type { Random } from '../base/random.ts'

export const rowsPerGroup = 16

/** Indices of 32-bit cells of the header. */
export const headerCell = {
  nextHolder: 0,
  key0: 1,
  key1: 2,
  tableFull: 3,
  lockGivenUp: 4,
  lockTakenOver: 5,
} as const

export const headerBytes = 64
const lineBytes = 64
export const rowFloats = 8
export const groupBytes = 3 * lineBytes + rowsPerGroup * rowFloats * 8

/** Distances within a group, in 32-bit cells. */
export const groupInts = groupBytes / 4
export const lowHashesAt = lineBytes / 4
export const highHashesAt = (2 * lineBytes) / 4

/** Distances in 64-bit cells: from group to first row, and within a row. */
export const groupFloats = groupBytes / 8
export const rowsAt = (3 * lineBytes) / 8
export const rowCell = { changedMs: 0, expiresMs: 1, own: 2 } as const

export const ledgerRowsDefault = 262_144
export const ledgerRowsMax = 16_777_216

/**
 * Allocates memory for at least `rows` keys at a time, rounded up to a power of two of groups. The
 * key of the hash is drawn here and shared by all who open the memory.
 */
export function ledgerMemory(rows: number, random: Random): SharedArrayBuffer {
  assert(rows > 0 && rows <= ledgerRowsMax, `a ledger has 1 to ${ledgerRowsMax} rows`)
  const groups = 2 ** Math.ceil(Math.log2(Math.max(1, rows / rowsPerGroup)))
  const memory = new SharedArrayBuffer(headerBytes + groups * groupBytes)
  new Uint8Array(memory, headerCell.key0 * 4, 8).set(random.secretBytes(8))
  return memory
}

/** Number of groups of memory made by `ledgerMemory`: a power of two. */
export function groupCountOf(memory: SharedArrayBuffer): number {
  const groups = (memory.byteLength - headerBytes) / groupBytes
  assert(Number.isInteger(Math.log2(groups)), 'memory of a ledger comes from ledgerMemory()')
  return groups
}
