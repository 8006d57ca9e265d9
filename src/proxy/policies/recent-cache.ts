/**
 * A bounded cache that keeps what was used recently. Two maps take turns: when the young one is
 * full it becomes the old one, and what the old one still held is dropped. A hit in the old map
 * moves the entry to the young one. So a hit usually costs one look-up and no bookkeeping, which
 * a linked LRU list does not offer; the price is that between `max / 2` and `max` entries stay.
 */
export class RecentCache<Value extends NonNullable<unknown>> {
  readonly #halfMax: number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()

  /** Holds at most `entriesMax` entries. */
  constructor(entriesMax: number) {
    this.#halfMax = Math.max(1, Math.floor(entriesMax / 2))
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): Value | undefined {
    const value = this.#young.get(key)
    if (value !== undefined) return value
    const kept = this.#old.get(key)
    if (kept === undefined) return undefined
    this.#old.delete(key)
    this.set(key, kept)
    return kept
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= this.#halfMax && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    // A copy, because V8 may make `key` a slice that keeps the whole request head in memory.
    this.#young.set(Buffer.from(key).toString(), value)
  }
}
