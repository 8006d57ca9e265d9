/**
 * Makes the policy instances of a snapshot. One whose definition, scope and configuration are
 * those of the snapshot before is kept, so that a reload that does not concern it loses none of
 * its state. Instances are counted by the snapshots that hold them: an exchange ends on the
 * snapshot it began with, so an instance is closed when the last of its snapshots has drained.
 */
import { HeadgateError, messageOf } from '../../base/errors.ts'
import type { PolicyEntry } from '../snapshot.ts'
import { type SwitchableAppDirectory, switchableAppDirectory } from './app-directory.ts'
import type {
  PolicyCatalog,
  PolicyContext,
  PolicyDefinition,
  PolicyInstance,
} from './define-policy.ts'
import type { ChainMember, ChainServices } from './run-chain.ts'

export type PolicyServices = Omit<PolicyContext, 'scope'> & {
  /** Is told when a policy fails to close; requests are not concerned. */
  readonly onFailure?: ChainServices['onFailure']
}

type Held = ChainMember & {
  readonly definition: PolicyDefinition
  /** How many snapshots hold it. */
  snapshotCount: number
}

export type PolicyInstances = {
  /** At the indices of `snapshot.policies`. */
  readonly members: readonly ChainMember[]
  /** To be called when the last exchange of the snapshot has ended; closes what no other snapshot holds. */
  close(): void
  /** What the next snapshot may take over. */
  readonly held: ReadonlyMap<string, Held>
  readonly apps: SwitchableAppDirectory
}

/**
 * Makes or takes over an instance for every entry. Throws `config.unknown_policy` or
 * `config.policy_create_failed`, and then has changed nothing: `previous` goes on as it was.
 */
export function instantiatePolicies(
  entries: readonly PolicyEntry[],
  catalog: PolicyCatalog,
  services: PolicyServices,
  previous?: PolicyInstances,
): PolicyInstances {
  const apps = previous?.apps ?? switchableAppDirectory(services.apps)
  const { clock, random, ledger, onFailure = ignoreFailure } = services
  const held = new Map<string, Held>()
  const made: Held[] = []
  const members: ChainMember[] = []
  try {
    for (const entry of entries) {
      const key = keyOf(entry)
      const definition = definitionOf(entry, catalog)
      const known = held.get(key) ?? reusable(previous?.held.get(key), definition)
      const member =
        known ?? create(definition, entry, { clock, random, ledger, apps, scope: entry.scope })
      if (known === undefined) made.push(member)
      held.set(key, member)
      members.push(member)
    }
  } catch (thrown) {
    for (const member of made) close(member, onFailure)
    throw thrown
  }
  for (const member of held.values()) member.snapshotCount++
  // Last, because instances that are kept ask it from now on.
  apps.switchTo(services.apps)
  return { members, held, apps, close: closeOnce(held, onFailure) }
}

function definitionOf(entry: PolicyEntry, catalog: PolicyCatalog): PolicyDefinition {
  const definition = catalog.get(entry.policy)
  if (definition !== undefined) return definition
  throw new HeadgateError('config.unknown_policy', {
    message: `${entry.scope}: there is no policy \`${entry.policy}\`; correct the name or add its file to the policies folder`,
  })
}

/** A user's policy that was loaded again is another definition, even under the same name. */
function reusable(held: Held | undefined, definition: PolicyDefinition): Held | undefined {
  return held?.definition === definition ? held : undefined
}

function create(definition: PolicyDefinition, entry: PolicyEntry, context: PolicyContext): Held {
  try {
    const instance = definition.create(entry.config, context)
    assertInstance(instance)
    return { policy: entry.policy, instance, definition, snapshotCount: 0 }
  } catch (cause) {
    throw new HeadgateError('config.policy_create_failed', {
      message: `${entry.scope}: policy \`${entry.policy}\` could not be made: ${messageOf(cause)}`,
      cause,
    })
  }
}

/**
 * What a user's `create` gives back is not known to be what its type says. An object without either
 * function, such as a promise or one with a misspelt name, would let every request pass.
 */
function assertInstance(instance: unknown): asserts instance is PolicyInstance {
  const isFitting =
    typeof instance === 'object' &&
    instance !== null &&
    isOptionalFunction(instance, 'onRequest') &&
    isOptionalFunction(instance, 'onResponse') &&
    isOptionalFunction(instance, 'close') &&
    ('onRequest' in instance || 'onResponse' in instance)
  if (!isFitting) {
    throw new TypeError(
      '`create` must return, at once, an object with the function `onRequest`, `onResponse` or both',
    )
  }
}

function isOptionalFunction(instance: object, name: keyof PolicyInstance): boolean {
  const member: unknown = Reflect.get(instance, name)
  return member === undefined || typeof member === 'function'
}

function closeOnce(
  held: ReadonlyMap<string, Held>,
  onFailure: ChainServices['onFailure'],
): () => void {
  let isClosed = false
  return () => {
    if (isClosed) return
    isClosed = true
    for (const member of held.values()) {
      member.snapshotCount--
      if (member.snapshotCount === 0) close(member, onFailure)
    }
  }
}

/** One that cannot be closed must not keep the others open. */
function close({ policy, instance }: Held, onFailure: ChainServices['onFailure']): void {
  try {
    instance.close?.()
  } catch (thrown) {
    onFailure(policy, thrown)
  }
}

function ignoreFailure(): void {
  // Nobody wants to know: a check of a configuration makes instances only to see that it can.
}

function keyOf(entry: PolicyEntry): string {
  return stableText([entry.policy, entry.scope, entry.config])
}

/** JSON with sorted keys: the order in which a configuration was written is no difference. */
function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
