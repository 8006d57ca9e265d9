/** What policies are given at creation, for their tests. */
import { simulatedClock } from '../../base/clock.ts'
import { seededRandom } from '../../base/random.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { checkPolicyConfig } from './catalog.ts'
import type {
  PolicyContext,
  PolicyDefinition,
  PolicyExchange,
  PolicyInstance,
  Verdict,
} from './define-policy.ts'

const noLedger: Ledger = {
  limiter() {
    throw new Error('this test brings no ledger')
  },
}

export function testContext(parts: Partial<PolicyContext> = {}): PolicyContext {
  return {
    scope: 'route/books#0',
    clock: simulatedClock(),
    random: seededRandom(1),
    ledger: noLedger,
    apps: { find: () => ({ found: false, reason: 'unknown' }) },
    ...parts,
  }
}

/** Makes an instance as a worker does: what was written goes through the schema first. */
export function createPolicy(
  definition: PolicyDefinition,
  written: unknown,
  context: Partial<PolicyContext> = {},
): PolicyInstance {
  const check = checkPolicyConfig(definition, written)
  if (!check.ok) throw new Error(check.flaws.map(({ message }) => message).join('; '))
  return definition.create(check.value, testContext(context))
}

/** The messages, each with its path, that the schema has for what was written. */
export function configProblems(definition: PolicyDefinition, written: unknown): readonly string[] {
  const check = checkPolicyConfig(definition, written)
  return check.ok ? [] : check.flaws.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

/** The verdict of a policy that answers at once. */
export function ask(instance: PolicyInstance, exchange: PolicyExchange): Verdict {
  const verdict = instance.onRequest?.(exchange)
  if (verdict === undefined || verdict instanceof Promise) throw new Error('no verdict at once')
  return verdict
}

/** `proceed`, or the code of a denial, or the status of a response. */
export function outcome(verdict: Verdict): string {
  if (verdict.type === 'deny') return verdict.code
  return verdict.type === 'respond' ? String(verdict.status) : 'proceed'
}

/** The values of one field of a denial or response. */
export function fieldsOf(verdict: Verdict, name: string): string[] {
  const lines = verdict.type === 'proceed' ? [] : (verdict.fields ?? [])
  return lines.filter(([each]) => each === name).map(([, value]) => value)
}
