/** What happened to call records; cells of shared memory, written by the telemetry thread. */
const cells = { recordsRead: 0, linesWritten: 1, linesDropped: 2, bytesWritten: 3 } as const

export type CallCounter = keyof typeof cells

export class CallCounters {
  readonly #cells: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Float64Array(memory)
  }

  add(counter: CallCounter, amount: number): void {
    const cell = cells[counter]
    this.#cells[cell] = (this.#cells[cell] ?? 0) + amount
  }

  read(counter: CallCounter): number {
    return this.#cells[cells[counter]] ?? 0
  }
}

export function callCountersMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(Object.keys(cells).length * 8)
}
