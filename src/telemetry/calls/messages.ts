/** What control and the thread that reads call records say to each other. */
import type { SlotName } from '../slot-names.ts'

/** Where the access log goes. With `Off` workers are told not to write records at all. */
export type CallOutput = {
  readonly output: 'Off' | 'Stdout' | 'File'
  /** With `File`. */
  readonly path: string | undefined
}

export type RingEntry = { readonly id: number; readonly memory: SharedArrayBuffer }

export type CallThreadStart = {
  readonly rings: readonly RingEntry[]
  readonly names: readonly SlotName[]
  readonly output: CallOutput
  /** Cells as in `counters.ts`; the thread alone writes to it. */
  readonly counters: SharedArrayBuffer
}

export type ToCallThread =
  | { readonly type: 'names'; readonly names: readonly SlotName[] }
  | { readonly type: 'output'; readonly output: CallOutput }
  | { readonly type: 'addRing'; readonly ring: RingEntry }
  /** What is still in the ring is read first. */
  | { readonly type: 'removeRing'; readonly id: number }
  | { readonly type: 'reopen' }
  /** Read and write what there is, for `budgetMs` at most. */
  | { readonly type: 'close'; readonly budgetMs: number }

export type FromCallThread =
  /** A line for the log of the gateway. */
  { readonly type: 'log'; readonly line: string } | { readonly type: 'closed' }
