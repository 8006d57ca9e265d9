/** A control plane in a hundred lines, over a real store in memory: for tests of the admin API alone. */
import type { Clock } from '../../../base/clock.ts'
import { HeadgateError } from '../../../base/errors.ts'
import { checkValue } from '../../../base/schema-check.ts'
import { defaultWorkspace, type Resource } from '../../../kinds/define-kind.ts'
import { kinds } from '../../../kinds/index.ts'
import { openMemoryStore } from '../../../store/memory.ts'
import type { Change, Store, StoredResource } from '../../../store/store.ts'
import type {
  ApplyResult,
  ChangeRequest,
  ControlApi,
  Plan,
  PlannedChange,
  ResourceInput,
  ResourceView,
} from '../../control-api.ts'
import type { Problem } from '../../problem.ts'

export type FakeControl = {
  readonly control: ControlApi
  readonly store: Store
  /** Actions that were run, with who and why. */
  readonly acted: { verb: string; input: unknown; actor: string; note: string | undefined }[]
  notReady: string | undefined
  /** Thrown by the next `list`. */
  failWith: Error | undefined
}

export async function openFakeControl(clock: Clock): Promise<FakeControl> {
  const store = await openMemoryStore({ clock })
  const fake: Omit<FakeControl, 'control'> = {
    store,
    acted: [],
    notReady: undefined,
    failWith: undefined,
  }
  const control: ControlApi = { mode: 'store', ...reading(fake), ...changing(fake) }
  return Object.assign(fake, { control })
}

type State = Omit<FakeControl, 'control'>

function reading(fake: State) {
  const { store } = fake
  return {
    async get(key) {
      const stored = await store.get(key)
      return stored && viewOf(stored)
    },
    async list(kind, page) {
      if (fake.failWith !== undefined) throw fake.failWith
      const { items, ...rest } = await store.list({ workspace: defaultWorkspace, kind }, page)
      return { items: items.map(viewOf), ...rest }
    },
    revisions: (page) => store.revisions(page),
    revision: (number) => store.revision(number),
    async diff(from, to) {
      if (to > (await store.currentRevision())) throw new HeadgateError('admin.not_found')
      const key = { workspace: defaultWorkspace, kind: 'Route', name: `r${from}-${to}` }
      return [{ action: 'change', key, fields: [], effects: [] }]
    },
    audit: (page) => store.audit(page),
    exportYaml: () => Promise.resolve('version: 1\n'),
    testRoute: async ({ method, url, headers, clientAddress }) => ({
      tried: [{ route: 'books', isMatch: false, why: `${method} ${url} ${clientAddress}` }],
      policies: headers.map(([policy, scope]) => ({ policy, scope })),
    }),
    workers: () => [{ index: 0, state: 'serving', revision: 1, restarts: 0, tunnels: [] }],
    notReadyReason: () => fake.notReady,
    watch: (onEvent, options) => store.watch(onEvent, options),
  } satisfies Partial<ControlApi>
}

function changing({ store, acted }: State) {
  return {
    plan: (request) => planOf(store, request),
    async apply(request, info): Promise<ApplyResult> {
      const plan = await planOf(store, request)
      const changes = [
        ...request.puts.map((input): Change => {
          const expectedRevision = request.expected?.get(objectOf(input))
          return {
            type: 'put',
            resource: judge(input),
            managedBy: request.managedBy,
            ...(expectedRevision !== undefined && { expectedRevision }),
          }
        }),
        ...request.deletes.map((key): Change => ({ type: 'delete', key })),
      ]
      const revision = await store.commit(changes, info)
      return { plan, revision: revision?.number ?? plan.baseRevision }
    },
    async act(key, verb, input, { actor, note }) {
      acted.push({ verb, input, actor, note })
      await store.setRuntime(key, { count: acted.length }, { actor, origin: 'api' })
      return { done: acted.length }
    },
    reload: () =>
      Promise.reject(new HeadgateError('config.invalid', { detail: { problems: [misspelt] } })),
    revert: async (to) => ({ plan: await planOf(store, nothing), revision: to + 1 }),
  } satisfies Partial<ControlApi>
}

const misspelt: Problem = {
  severity: 'error',
  code: 'config.unknown_key',
  object: 'Route/books',
  path: ['macth'],
  message: 'is not a known key',
  location: { file: 'headgate.yaml', line: 3, column: 5 },
}

async function planOf(store: Store, request: ChangeRequest): Promise<Plan> {
  const { revision, resources } = await store.all(defaultWorkspace)
  if (request.baseRevision !== undefined && request.baseRevision !== revision)
    throw new HeadgateError('admin.plan_outdated')
  const present = new Set(resources.map(objectOf))
  for (const input of request.puts) judge(input)
  const changes: PlannedChange[] = [
    ...request.puts.map(
      (put): PlannedChange => ({
        action: present.has(objectOf(put)) ? 'change' : 'create',
        key: { workspace: defaultWorkspace, kind: put.kind, name: put.name },
        fields: [{ path: 'labels', after: {} }],
        effects: [],
      }),
    ),
    ...request.deletes.map(
      (key): PlannedChange => ({ action: 'delete', key, fields: [], effects: [] }),
    ),
  ]
  const count = (action: string) => changes.filter((change) => change.action === action).length
  return {
    baseRevision: revision,
    changes,
    counts: {
      create: count('create'),
      change: count('change'),
      delete: count('delete'),
      unchanged: 0,
      onlyOnServer: 0,
    },
    warnings: request.puts.filter(({ name }) => name === 'shadowed').map(shadowed),
  }
}

const nothing: ChangeRequest = { puts: [], deletes: [], managedBy: 'api' }

/** Canonical form, or `config.invalid` with problems at places inside the object. */
function judge(input: ResourceInput): Resource {
  const definition = kinds.find(({ kind }) => kind === input.kind)
  if (definition === undefined) throw new HeadgateError('admin.not_found')
  const checked = checkValue(definition.spec, input.spec)
  const object = objectOf(input)
  if (!checked.ok) {
    const problems = checked.flaws.map(
      ({ at, ...flaw }): Problem => ({ severity: 'error', object, ...flaw }),
    )
    throw new HeadgateError('config.invalid', { message: 'Not valid.', detail: { problems } })
  }
  const { description } = input
  const labels = Object.entries(typeof input.labels === 'object' ? (input.labels ?? {}) : {})
  return {
    kind: input.kind,
    name: input.name,
    workspace: defaultWorkspace,
    labels: Object.fromEntries(labels.map(([name, value]) => [name, String(value)])),
    ...(typeof description === 'string' && { description }),
    spec: definition.expand(checked.value),
  }
}

function shadowed(input: ResourceInput): Problem {
  return {
    severity: 'warning',
    code: 'config.route_shadowed',
    object: objectOf(input),
    path: ['match'],
    message: 'can never match',
  }
}

function viewOf(stored: StoredResource): ResourceView {
  return { ...stored, status: { observedRevision: stored.revision, conditions: [] } }
}

function objectOf({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${kind}/${name}`
}
