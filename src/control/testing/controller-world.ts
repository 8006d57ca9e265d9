/** A controller on a real store in a real folder, with a publisher that records what it is given. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { LeaseSet } from '../../accounts/leases.ts'
import { type Clock, type SimulatedClock, simulatedClock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { type Random, seededRandom } from '../../base/random.ts'
import { defaultWorkspace } from '../../kinds/define-kind.ts'
import { ledgerMemory, rowsPerGroup } from '../../ledger/memory.ts'
import { openSharedLedger } from '../../ledger/shared-ledger.ts'
import { createAppDirectory } from '../../proxy/policies/app-directory.ts'
import type { PolicyCatalog } from '../../proxy/policies/define-policy.ts'
import { instantiatePolicies } from '../../proxy/policies/instantiate.ts'
import type { Snapshot } from '../../proxy/snapshot.ts'

import { openSqliteStore } from '../../store/sqlite.ts'
import type { ResourceKey, Store } from '../../store/store.ts'
import type { ChangeRequest, ResourceInput, WorkerView } from '../control-api.ts'
import { type Controller, createController } from '../controller.ts'
import { loadCatalog } from '../controller-catalog.ts'
import type { ControllerDeps } from '../controller-deps.ts'
import { createSecretResolver } from '../controller-secrets.ts'
import type { ConfigSource } from '../gateway-options.ts'
import type { Problem } from '../problem.ts'

export type Published = { readonly snapshot: Snapshot; readonly leases: LeaseSet }

export type ControllerWorld = {
  readonly folder: string
  readonly clock: SimulatedClock
  readonly published: Published[]
  readonly lines: string[]
  /** The file that `files` is about. */
  readonly configPath: string
  env: Record<string, string | undefined>
  /** Makes the next publications fail, one error each. */
  readonly refusals: Error[]
  /** The store of the running controller. */
  store(): Store
  write(text: string, name?: string): Promise<void>
  /** A new process: closes the controller and its store, opens both anew. */
  open(source?: ConfigSource, more?: Partial<ControllerDeps>): Promise<Controller>
  /** What a crash leaves: the store goes away under the controller. */
  crash(): Promise<void>
  close(): Promise<void>
}

export async function controllerWorld(): Promise<ControllerWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-control-'))
  const clock = simulatedClock()
  const random = seededRandom(1)
  let controller: Controller | undefined
  let store: Store | undefined
  let catalog: PolicyCatalog = new Map()
  const end = async () => {
    await controller?.close()
    await store?.close()
    controller = undefined
    store = undefined
  }
  const world: ControllerWorld = {
    folder,
    clock,
    published: [],
    lines: [],
    configPath: join(folder, 'headgate.yaml'),
    env: {},
    refusals: [],
    store() {
      if (store === undefined) throw new Error('nothing is open')
      return store
    },
    async write(text, name = 'headgate.yaml') {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    },
    async open(source = { type: 'files', path: world.configPath }, more = {}) {
      await end()
      store = await openSqliteStore(join(folder, 'data', 'headgate.db'), { clock, random })
      controller = await createController({
        store,
        source,
        env: world.env,
        clock,
        random,
        async loadCatalog(policiesFolder) {
          const loaded = await loadCatalog(policiesFolder)
          catalog = loaded.catalog
          return loaded
        },
        resolveSecrets: (resources, base) =>
          createSecretResolver(world.env, clock)(resources, base),
        verifySnapshot: async (snapshot) => rehearse(snapshot, catalog, { clock, random }),
        async publish(snapshot, leases) {
          const refusal = world.refusals.shift()
          if (refusal !== undefined) throw refusal
          world.published.push({ snapshot, leases })
        },
        workers: () => [servingAt(world.published.at(-1)?.snapshot.revision ?? 0)],
        log: (line) => world.lines.push(line),
        ...more,
      })
      return controller
    },
    async crash() {
      await store?.close()
      store = undefined
      controller = undefined
    },
    async close() {
      await end()
      await rm(folder, { recursive: true })
    },
  }
  return world
}

const servingAt = (revision: number): WorkerView => ({
  index: 0,
  state: 'serving',
  revision,
  restarts: 0,
  tunnels: [],
})

/** Makes every policy once, as the gateway does before it publishes. */
function rehearse(
  { policies, apps }: Snapshot,
  catalog: PolicyCatalog,
  services: { readonly clock: Clock; readonly random: Random },
): Problem[] {
  const ledger = openSharedLedger(ledgerMemory(rowsPerGroup, services.random), services)
  const directory = createAppDirectory(apps, services)
  try {
    instantiatePolicies(policies, catalog, { ...services, ledger, apps: directory }).close()
    return []
  } catch (thrown) {
    return [{ severity: 'error', code: 'config.invalid', path: [], message: messageOf(thrown) }]
  }
}

export const storeSource: ConfigSource = { type: 'store' }

export const keyOf = (kind: string, name: string): ResourceKey => ({
  workspace: defaultWorkspace,
  kind,
  name,
})

export const info = { actor: 'ann', origin: 'api' }

export function put(...puts: ResourceInput[]): ChangeRequest {
  return { puts, deletes: [], managedBy: 'api' }
}

/** Two versions, and the route to them. */
export function bookshop(more = 'live: v1'): string {
  return `version: 1
upstreams:
  - name: books
    versions:
      v1: { url: "http://127.0.0.1:7001" }
      v2: { url: "http://127.0.0.1:7002" }
    ${more}
routes:
  - { name: books, match: { path: /books/** }, to: books }
`
}

/** The same as resources of a request. */
export const bookshopInputs: ResourceInput[] = [
  {
    kind: 'Upstream',
    name: 'books',
    spec: {
      versions: { v1: { url: 'http://127.0.0.1:7001' }, v2: { url: 'http://127.0.0.1:7002' } },
      live: 'v1',
    },
  },
  { kind: 'Route', name: 'books', spec: { match: { path: '/books/**' }, to: 'books' } },
]
