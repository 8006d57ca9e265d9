/** What the controller knows between two changes: what is stored, and what is served. */
import { defaultWorkspace, type Resource } from '../kinds/define-kind.ts'
import { gateway } from '../kinds/gateway.ts'
import type { Snapshot } from '../proxy/snapshot.ts'
import type { RuntimeChange, Store, StoredResource } from '../store/store.ts'
import { emptySlotTable, type SlotTable } from './compile/slots.ts'
import type { Externals } from './controller-definition.ts'
import type { ControllerDeps } from './controller-deps.ts'
import type { Problem } from './problem.ts'
import type { Assignment, UpstreamStates } from './runtime-state.ts'
import { upstreamStates } from './runtime-state.ts'

/** What the workers serve from. Replaced whole, never changed. */
export type Served = {
  readonly revision: number
  readonly resources: readonly Resource[]
  readonly assignments: ReadonlyMap<string, Assignment>
  readonly externals: Externals
  readonly snapshot: Snapshot
  readonly warnings: readonly Problem[]
}

/** A definition that was refused while an older one is served. */
export type Refusal = { readonly at: string; readonly code: string; readonly message: string }

export type Session = {
  readonly deps: ControllerDeps
  readonly mode: 'file' | 'store'
  /** Where relative paths of the definition start. */
  readonly baseFolder: string
  served: Served | undefined
  /** Why the files as they are now are not served; undefined when they are. */
  refusal: Refusal | undefined
  /** Folder of policies that the files name now, also when they are refused; absolute. */
  namedPoliciesFolder: string | undefined
  /** Numbers of names in shared memory; only grows while the process lives. */
  slots: SlotTable
}

export function openSession(deps: ControllerDeps, baseFolder: string): Session {
  const mode = deps.source.type === 'store' ? 'store' : 'file'
  return {
    deps,
    mode,
    baseFolder,
    served: undefined,
    refusal: undefined,
    namedPoliciesFolder: undefined,
    slots: emptySlotTable,
  }
}

/** What is stored, from which every change starts. */
export type Base = {
  readonly revision: number
  readonly resources: readonly StoredResource[]
  readonly states: UpstreamStates
  readonly epochFloor: number
}

/** Named value: the highest epoch that a deleted upstream had. */
export const epochFloorName = 'control.epochFloor'

export async function readBase(store: Store): Promise<Base> {
  const [all, runtime, floor] = await Promise.all([
    store.all(defaultWorkspace),
    store.runtime(),
    store.getValue(epochFloorName),
  ])
  return {
    ...all,
    states: upstreamStates(runtime),
    epochFloor: Number(floor ?? 0),
  }
}

/** Kept as run-time state of the gateway, so that watchers hear of it. */
export function refusalChange(refusal: Refusal | undefined): RuntimeChange {
  return {
    key: { workspace: defaultWorkspace, kind: gateway.kind, name: 'default' },
    state: refusal === undefined ? undefined : { refusal },
  }
}
