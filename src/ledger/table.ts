/**
 * The rows of the ledger and their locks; algorithms (`token-bucket.ts`, `sliding-window.ts`) only see
 * the row they are given.
 *
 * A lock is held for some tens of nanoseconds, so waiting is spinning, then sleeping in short naps,
 * which lets a holder run that the system has put aside. A holder can also be dead: a worker that is
 * terminated stops between any two instructions. A lock that shows the very same value over
 * `napsBeforeTakeover` naps is therefore taken over. Naps are counted instead of time, because a
 * machine that was suspended shows a long time in which nobody had a chance to run. Should a
 * holder have been merely asleep for all of it, it finds on release that the lock is no longer its own;
 * the worst that comes of it is one permit counted wrong.
 *
 * A row is written before its hash and its hash is cleared before it is reused, so that whatever a dead
 * thread left behind is a whole row or a free one.
 */
import {
  groupCountOf,
  groupFloats,
  groupInts,
  headerBytes,
  headerCell,
  highHashesAt,
  lowHashesAt,
  rowCell,
  rowFloats,
  rowsAt,
  rowsPerGroup,
} from './memory.ts'

const spinsMax = 1_000
const napMs = 1
const napsBeforeTakeover = 50
/** Bounds the wait for a lock that changes hands all the time without ever being free for us. */
const napsMax = 500

const headerInts = headerBytes / 4
const headerFloats = headerBytes / 8

export class LedgerTable {
  readonly floats: Float64Array<SharedArrayBuffer>
  /** The same memory as 32-bit cells: two per float. */
  readonly words: Uint32Array<SharedArrayBuffer>
  /** Whether the row of the last `acquire` is new: its cells then hold the remains of another. */
  isFresh = false
  readonly #ints: Int32Array<SharedArrayBuffer>
  readonly #groupMask: number
  readonly #holder: number
  #sequence = 0
  #lockIndex = 0
  #lockValue = 0
  #hashIndex = 0
  #low = 0
  #high = 0

  constructor(memory: SharedArrayBuffer) {
    this.#ints = new Int32Array(memory)
    this.floats = new Float64Array(memory)
    this.words = new Uint32Array(memory)
    this.#groupMask = groupCountOf(memory) - 1
    // 11 bits tell holders apart, 20 count the times one has locked: together they never repeat
    // within the wait for a dead holder.
    this.#holder = (Atomics.add(this.#ints, headerCell.nextHolder, 1) % 2_047) + 1
  }

  /** The random key of the hash that all threads share. */
  get hashKey(): readonly [number, number] {
    return [this.#ints[headerCell.key0] ?? 0, this.#ints[headerCell.key1] ?? 0]
  }

  counter(cell: number): number {
    return Atomics.load(this.#ints, cell) >>> 0
  }

  /**
   * Locks the group of a hash and returns the index in `floats` of its row, a new one if need be; -1,
   * and nothing locked, when there is none to be had. Every row acquired must be released.
   */
  acquire(low: number, high: number, nowMs: number): number {
    const group = low & this.#groupMask
    // 0 marks a free row, so the half that is compared to it always has its lowest bit set.
    const highMark = high | 1
    const base = headerInts + group * groupInts
    if (!this.#lock(base)) return -1
    const ints = this.#ints
    const firstRow = headerFloats + group * groupFloats + rowsAt
    let freeRow = -1
    for (let row = 0; row < rowsPerGroup; row += 1) {
      const rowHigh = ints[base + highHashesAt + row]
      if (rowHigh === highMark && ints[base + lowHashesAt + row] === low) {
        this.isFresh = false
        return firstRow + row * rowFloats
      }
      if (freeRow < 0 && (rowHigh === 0 || this.#isExpired(firstRow + row * rowFloats, nowMs))) {
        freeRow = row
      }
    }
    if (freeRow < 0) {
      this.#unlock()
      Atomics.add(ints, headerCell.tableFull, 1)
      return -1
    }
    this.isFresh = true
    this.#hashIndex = base + lowHashesAt + freeRow
    this.#low = low
    this.#high = highMark
    ints[this.#hashIndex + highHashesAt - lowHashesAt] = 0
    return firstRow + freeRow * rowFloats
  }

  /** Makes the acquired row visible to others. */
  release(): void {
    if (this.isFresh) {
      this.#ints[this.#hashIndex] = this.#low
      this.#ints[this.#hashIndex + highHashesAt - lowHashesAt] = this.#high
    }
    this.#unlock()
  }

  /** Number of rows that still mean something. Walks the whole table: for people, not for requests. */
  rowsInUse(nowMs: number): number {
    let count = 0
    for (let group = 0; group <= this.#groupMask; group += 1) {
      const marks = headerInts + group * groupInts + highHashesAt
      const firstRow = headerFloats + group * groupFloats + rowsAt
      for (let row = 0; row < rowsPerGroup; row += 1) {
        if (this.#ints[marks + row] === 0) continue
        if (!this.#isExpired(firstRow + row * rowFloats, nowMs)) count += 1
      }
    }
    return count
  }

  get rowCount(): number {
    return (this.#groupMask + 1) * rowsPerGroup
  }

  #isExpired(row: number, nowMs: number): boolean {
    return (this.floats[row + rowCell.expiresMs] ?? 0) <= nowMs
  }

  #lock(index: number): boolean {
    this.#sequence = (this.#sequence + 1) & 0xfffff
    this.#lockIndex = index
    this.#lockValue = (this.#holder << 20) | this.#sequence
    if (Atomics.compareExchange(this.#ints, index, 0, this.#lockValue) === 0) return true
    return this.#lockAfterWait(index)
  }

  #lockAfterWait(index: number): boolean {
    const ints = this.#ints
    let seen = 0
    let napsWithSame = 0
    for (let naps = 0; naps < napsMax; naps += 1) {
      for (let spin = 0; spin < spinsMax; spin += 1) {
        if (Atomics.load(ints, index) !== 0) continue
        if (Atomics.compareExchange(ints, index, 0, this.#lockValue) === 0) return true
      }
      const holder = Atomics.load(ints, index)
      napsWithSame = holder === seen ? napsWithSame + 1 : 0
      seen = holder
      if (napsWithSame >= napsBeforeTakeover && this.#takeOver(index, holder)) return true
      if (holder !== 0) Atomics.wait(ints, index, holder, napMs)
    }
    Atomics.add(ints, headerCell.lockGivenUp, 1)
    return false
  }

  #takeOver(index: number, holder: number): boolean {
    if (Atomics.compareExchange(this.#ints, index, holder, this.#lockValue) !== holder) return false
    Atomics.add(this.#ints, headerCell.lockTakenOver, 1)
    return true
  }

  /** Frees the lock unless another thread has taken it over meanwhile. */
  #unlock(): void {
    Atomics.compareExchange(this.#ints, this.#lockIndex, this.#lockValue, 0)
  }
}
