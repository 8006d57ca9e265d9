/**
 * Runs the policies of a route over an exchange: the hot path. As long as every policy answers at
 * once nothing is allocated and no promise is made. Whatever goes wrong inside a policy refuses
 * the request: one that was let through unchecked would be the worse failure.
 */
import type { Clock } from '../../base/clock.ts'
import { HeadgateError, isErrorCode } from '../../base/errors.ts'
import {
  deny,
  type FieldLine,
  type PolicyExchange,
  type PolicyInstance,
  proceed,
  type ResponseView,
  type Verdict,
} from './define-policy.ts'
import { isFieldValue, isWritableField } from './field-rules.ts'

/** A policy that has not answered by then has failed: an exchange must not hang on a lost promise. */
export const policyWaitMsMax = 60_000

export type ChainMember = { readonly policy: string; readonly instance: PolicyInstance }

export type ChainServices = {
  readonly clock: Clock
  /** Is told of every failure, for log and counters. */
  readonly onFailure: (policyName: string, error: unknown) => void
}

export type PolicyChain = {
  /** How many policies there are, those that do nothing on a request included. */
  readonly length: number
  /** In the order in which they run; `names[exchange.policiesEntered - 1]` is the one that answered. */
  readonly names: readonly string[]
  readonly requestSteps: readonly RequestStep[]
  /** Last policy first. */
  readonly responseSteps: readonly ResponseStep[]
  readonly answersPreflight: boolean
  readonly services: ChainServices
}

type Has<Key extends 'onRequest' | 'onResponse'> = PolicyInstance &
  Required<Pick<PolicyInstance, Key>>
type RequestStep = {
  readonly policy: string
  readonly position: number
  readonly instance: Has<'onRequest'>
}
type ResponseStep = {
  readonly policy: string
  readonly position: number
  readonly instance: Has<'onResponse'>
  readonly seesEvery: boolean
}

const failure: Verdict = Object.freeze(deny('policy.failed'))
const goneAway: Verdict = Object.freeze(deny('client.aborted'))

/** Builds the chain of a route, once per snapshot. */
export function buildChain(members: readonly ChainMember[], services: ChainServices): PolicyChain {
  const requestSteps: RequestStep[] = []
  const responseSteps: ResponseStep[] = []
  for (const [position, { policy, instance }] of members.entries()) {
    if (hasOnRequest(instance)) requestSteps.push({ policy, position, instance })
    if (hasOnResponse(instance)) {
      const seesEvery = instance.seesEveryResponse === true
      responseSteps.unshift({ policy, position, instance, seesEvery })
    }
  }
  const names = members.map(({ policy }) => policy)
  const answersPreflight = members.some(({ instance }) => instance.answersPreflight === true)
  return { length: members.length, names, requestSteps, responseSteps, answersPreflight, services }
}

function hasOnRequest(instance: PolicyInstance): instance is Has<'onRequest'> {
  return instance.onRequest !== undefined
}

function hasOnResponse(instance: PolicyInstance): instance is Has<'onResponse'> {
  return instance.onResponse !== undefined
}

/**
 * Asks the policies in order until one does not say `proceed`. Returns a promise only when a
 * policy does. `exchange.policiesEntered` then says how far the request came.
 */
export function runRequest(
  chain: PolicyChain,
  exchange: PolicyExchange,
): Verdict | Promise<Verdict> {
  return runFrom(chain, exchange, 0)
}

function runFrom(
  chain: PolicyChain,
  exchange: PolicyExchange,
  firstIndex: number,
): Verdict | Promise<Verdict> {
  const steps = chain.requestSteps
  for (let index = firstIndex; index < steps.length; index++) {
    const step = steps[index]
    if (step === undefined) break
    exchange.policiesEntered = step.position + 1
    let verdict: Verdict | Promise<Verdict>
    try {
      verdict = step.instance.onRequest(exchange)
    } catch (thrown) {
      return failed(chain, step.policy, thrown)
    }
    if (verdict === proceed) continue
    if (isThenable(verdict)) return resume(chain, exchange, { pending: verdict, index })
    const outcome = checked(chain, step.policy, verdict)
    if (outcome !== proceed) return outcome
  }
  exchange.policiesEntered = chain.length
  return proceed
}

/** Waits for a policy that gave a promise, then goes on with the ones after it. */
async function resume(
  chain: PolicyChain,
  exchange: PolicyExchange,
  { pending, index }: { readonly pending: Promise<Verdict>; readonly index: number },
): Promise<Verdict> {
  const policy = chain.requestSteps[index]?.policy ?? ''
  let outcome: Verdict
  try {
    outcome = checked(chain, policy, await withinTime(chain.services.clock, pending))
  } catch (thrown) {
    // An aborted wait or call is what `exchange.signal` is for, and no failure.
    return exchange.signal.aborted ? goneAway : failed(chain, policy, thrown)
  }
  if (outcome !== proceed) return outcome
  // The policies after it must not count or log an exchange that is over.
  if (exchange.signal.aborted) return goneAway
  return runFrom(chain, exchange, index + 1)
}

/**
 * Shows the response head to the policies, last one first: to those that had begun with the
 * request (`from` is `exchange.policiesEntered`) and to those that want to see every response.
 * When one fails, the others still see it, and the result denies: the caller must then send that
 * instead of the response, because the policy may have been there to hide something in it.
 */
export function runResponse(
  chain: PolicyChain,
  from: number,
  exchange: PolicyExchange,
  response: ResponseView,
): Verdict {
  const steps = chain.responseSteps
  let outcome = proceed
  for (let index = 0; index < steps.length; index++) {
    const step = steps[index]
    if (step === undefined || (step.position >= from && !step.seesEvery)) continue
    try {
      const returned: unknown = step.instance.onResponse(exchange, response)
      if (returned !== undefined) refusePromise(returned)
    } catch (thrown) {
      outcome = failed(chain, step.policy, thrown)
    }
  }
  return outcome
}

/** An `async onResponse` would finish after the head has gone, and its rejection end the process. */
function refusePromise(returned: unknown): void {
  if (!isThenable(returned)) return
  returned.then(undefined, () => {
    // The policy is reported for returning a promise at all; how it ends adds nothing.
  })
  throw policyError('`onResponse` must not be async: the response head is not held back for it')
}

function failed(chain: PolicyChain, policy: string, error: unknown): Verdict {
  chain.services.onFailure(policy, error)
  return failure
}

function policyError(message: string): HeadgateError {
  return new HeadgateError('policy.failed', { message })
}

function isThenable(value: unknown): value is Promise<Verdict> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}

function withinTime(clock: Clock, pending: Promise<Verdict>): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(policyWaitMsMax, () => {
      reject(policyError(`\`onRequest\` did not answer within ${policyWaitMsMax} ms`))
    })
    Promise.resolve(pending)
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}

/**
 * Policies that users write in JavaScript can return anything, so whatever is not `proceed` is
 * looked at before the exchange trusts it.
 */
function checked(chain: PolicyChain, policy: string, verdict: unknown): Verdict {
  if (isKind(verdict, 'proceed')) return proceed
  const problem = problemOf(verdict)
  return problem === undefined && isVerdict(verdict)
    ? verdict
    : failed(chain, policy, policyError(problem ?? noVerdict))
}

const noVerdict =
  '`onRequest` must return `proceed`, `deny(…)` or `respond(…)`; a missing `return` gives undefined'

function isKind<Kind extends Verdict['type']>(
  verdict: unknown,
  type: Kind,
): verdict is Extract<Verdict, { readonly type: Kind }> {
  return (
    typeof verdict === 'object' && verdict !== null && 'type' in verdict && verdict.type === type
  )
}

function isVerdict(verdict: unknown): verdict is Verdict {
  return isKind(verdict, 'deny') || isKind(verdict, 'respond')
}

function problemOf(verdict: unknown): string | undefined {
  if (isKind(verdict, 'deny')) {
    if (!isErrorCode(verdict.code)) return `\`deny\` got the unknown code \`${verdict.code}\``
    if (!isStatus(verdict.status ?? 400, 400)) return '`status` of `deny` must be 400 to 599'
    return problemOfFields(verdict.fields ?? [])
  }
  if (!isKind(verdict, 'respond')) return noVerdict
  if (!isStatus(verdict.status, 200)) return '`status` of `respond` must be 200 to 599'
  if (typeof verdict.body !== 'string' && !(verdict.body instanceof Uint8Array)) {
    return '`body` of `respond` must be a string or bytes'
  }
  return problemOfFields(verdict.fields)
}

function isStatus(status: unknown, min: number): boolean {
  return typeof status === 'number' && Number.isInteger(status) && status >= min && status <= 599
}

function problemOfFields(fields: readonly FieldLine[]): string | undefined {
  if (!Array.isArray(fields)) return '`fields` must be a list of `[name, value]`'
  for (const line of fields) {
    const [name, value]: readonly unknown[] = Array.isArray(line) ? line : []
    if (typeof name !== 'string' || typeof value !== 'string') {
      return '`fields` must be a list of `[name, value]`, both of them strings'
    }
    if (!isWritableField(name)) return `the field \`${name.slice(0, 64)}\` is not for policies`
    if (!isFieldValue(value)) return `the value of \`${name}\` holds a line break or a control`
  }
  return undefined
}
