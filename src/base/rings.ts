/**
 * A ring of records in shared memory with one writer thread and one reader thread, neither of which ever
 * waits for the other. When the ring is full the record is dropped and counted: whoever writes here
 * is serving a request and must not be held up by whoever reads.
 *
 * Both positions only grow (modulo 2^32) and each has one owner: the writer publishes `head` after
 * the bytes of a record are in place, the reader publishes `tail` after it is done with them. A
 * writer that is terminated at any instruction has either published a whole record or nothing, so
 * there is no lock to recover and nothing torn to see; its successor goes on at `head`.
 *
 * Records are contiguous, so that encoders and decoders index one array: when one does not fit
 * before the end of the memory, a mark sends the reader back to the start. Payloads start at
 * multiples of 8, so that numbers in them can be reached through `floats` and `ints`.
 */
import { assert } from './errors.ts'

// Each position has a cache line of its own: the two threads would otherwise slow each other down.
const headIndex = 0
const tailIndex = 16
const droppedIndex = 32
const unwantedIndex = 33
const controlBytes = 256

const recordHeaderBytes = 8
const wrapMark = -1

/** Smallest and largest ring: positions are compared as 32-bit numbers. */
export const ringBytesMin = 1_024
export const ringBytesMax = 2 ** 29

/** Allocates a ring that holds about `bytes` of records, rounded up to a power of two. */
export function ringMemory(bytes: number): SharedArrayBuffer {
  assert(bytes <= ringBytesMax, `a ring holds at most ${ringBytesMax} bytes`)
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(ringBytesMin, bytes)))
  return new SharedArrayBuffer(controlBytes + capacity)
}

function alignedSize(payloadBytes: number): number {
  return recordHeaderBytes + ((payloadBytes + 7) & ~7)
}

/** The arrays through which both sides see the memory; offsets of payloads index `bytes`. */
class RingView {
  readonly control: Int32Array<SharedArrayBuffer>
  readonly bytes: Uint8Array<SharedArrayBuffer>
  readonly ints: Int32Array<SharedArrayBuffer>
  readonly floats: Float64Array<SharedArrayBuffer>
  readonly capacity: number

  constructor(memory: SharedArrayBuffer) {
    this.capacity = memory.byteLength - controlBytes
    assert(Number.isInteger(Math.log2(this.capacity)), 'memory of a ring comes from ringMemory()')
    this.control = new Int32Array(memory, 0, controlBytes / 4)
    this.bytes = new Uint8Array(memory, controlBytes)
    this.ints = new Int32Array(memory, controlBytes)
    this.floats = new Float64Array(memory, controlBytes)
  }
}

/** The writing side; exactly one at a time per ring. */
export class RingWriter {
  /** Where payloads are written: `bytes[offset]`, `ints[offset / 4]`, `floats[offset / 8]`. */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  readonly ints: Int32Array<SharedArrayBuffer>
  readonly floats: Float64Array<SharedArrayBuffer>
  /** Larger records are never accepted: that way every smaller one fits into an empty ring. */
  readonly recordBytesMax: number
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #capacity: number
  #head: number
  /** The reader's position when last looked at: reading it again costs a cache miss. */
  #tail: number
  /** Position of the reserved record; the same as `#head` unless the record went to the start. */
  #reservedAt: number

  constructor(memory: SharedArrayBuffer) {
    const view = new RingView(memory)
    this.bytes = view.bytes
    this.ints = view.ints
    this.floats = view.floats
    this.recordBytesMax = view.capacity / 2 - recordHeaderBytes
    this.#control = view.control
    this.#capacity = view.capacity
    this.#head = Atomics.load(view.control, headIndex)
    this.#tail = Atomics.load(view.control, tailIndex)
    this.#reservedAt = this.#head
  }

  /** Whether the reader has any use for records; asked before building one. */
  get isWanted(): boolean {
    return this.#control[unwantedIndex] === 0
  }

  /**
   * Offset of `bytes` free bytes for the next record, or -1 when the ring is full: the record is
   * then counted as dropped. A reservation that is not committed is simply forgotten.
   */
  tryReserve(bytes: number): number {
    const size = alignedSize(bytes)
    const start = this.#head & (this.#capacity - 1)
    const untilEnd = this.#capacity - start
    const isWrapped = size > untilEnd
    const needed = isWrapped ? untilEnd + size : size
    if (bytes > this.recordBytesMax || !this.#hasRoom(needed)) {
      Atomics.add(this.#control, droppedIndex, 1)
      return -1
    }
    if (!isWrapped) {
      this.#reservedAt = this.#head
      return start + recordHeaderBytes
    }
    this.ints[start >> 2] = wrapMark
    this.#reservedAt = (this.#head + untilEnd) | 0
    return recordHeaderBytes
  }

  /** Publishes the reserved record with its first `bytes` bytes, at most as many as were reserved. */
  commit(bytes: number): void {
    this.ints[(this.#reservedAt & (this.#capacity - 1)) >> 2] = bytes
    this.#head = (this.#reservedAt + alignedSize(bytes)) | 0
    this.#reservedAt = this.#head
    // Sequentially consistent: whoever sees the new head sees every byte written before it.
    Atomics.store(this.#control, headIndex, this.#head)
  }

  #hasRoom(needed: number): boolean {
    if (needed <= this.#capacity - ((this.#head - this.#tail) | 0)) return true
    this.#tail = Atomics.load(this.#control, tailIndex)
    return needed <= this.#capacity - ((this.#head - this.#tail) | 0)
  }
}

/** The reading side; exactly one at a time per ring. */
export class RingReader {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  readonly ints: Int32Array<SharedArrayBuffer>
  readonly floats: Float64Array<SharedArrayBuffer>
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #capacity: number
  #tail: number

  constructor(memory: SharedArrayBuffer) {
    const view = new RingView(memory)
    this.bytes = view.bytes
    this.ints = view.ints
    this.floats = view.floats
    this.#control = view.control
    this.#capacity = view.capacity
    this.#tail = Atomics.load(view.control, tailIndex)
  }

  /** Records lost because the ring was full, modulo 2^32. */
  get dropped(): number {
    return Atomics.load(this.#control, droppedIndex) >>> 0
  }

  /** Bytes that wait to be read. */
  get pendingBytes(): number {
    return (Atomics.load(this.#control, headIndex) - this.#tail) | 0
  }

  /** Tells the writer whether to bother; records already written stay. */
  setWanted(isWanted: boolean): void {
    Atomics.store(this.#control, unwantedIndex, isWanted ? 0 : 1)
  }

  /**
   * Hands up to `max` records to `onRecord` as the place of their bytes, valid during the call only,
   * and returns how many. A record whose `onRecord` throws counts as read.
   */
  read(onRecord: (offset: number, length: number) => void, max: number): number {
    const head = Atomics.load(this.#control, headIndex)
    let count = 0
    try {
      while (count < max && this.#tail !== head) {
        const start = this.#tail & (this.#capacity - 1)
        const length = this.ints[start >> 2] ?? wrapMark
        if (length === wrapMark) {
          this.#tail = (this.#tail + this.#capacity - start) | 0
          continue
        }
        this.#skip(head, length)
        count += 1
        onRecord(start + recordHeaderBytes, length)
      }
    } finally {
      Atomics.store(this.#control, tailIndex, this.#tail)
    }
    return count
  }

  /** Steps over a record; memory that makes no sense is given up as a whole rather than walked. */
  #skip(head: number, length: number): void {
    const available = (head - this.#tail) | 0
    const isSound = length >= 0 && alignedSize(length) <= available
    this.#tail = isSound ? (this.#tail + alignedSize(length)) | 0 : head
    assert(isSound, `a ring record of ${length} bytes with ${available} available`)
  }
}
