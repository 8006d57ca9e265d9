/**
 * Actions of kinds: operations beyond reading and writing the definition. They work in both modes,
 * because they leave the definition alone, or say in file mode what to write.
 */
import { HeadgateError } from '../base/errors.ts'
import { s } from '../base/schema.ts'
import { checkValue } from '../base/schema-check.ts'
import { basisPointsWhole, formatShare } from '../base/units.ts'
import { type AppKeySpec, app } from '../kinds/app.ts'
import type { Resource } from '../kinds/define-kind.ts'
import { expandWeights, type UpstreamSpec, upstream } from '../kinds/upstream.ts'
import type { CommitInfo, ResourceKey, StoredResource } from '../store/store.ts'
import { makeAppKey } from './app-key.ts'
import { fileOwned, keepOwner } from './controller-apply.ts'
import {
  commitAndPublish,
  type Prepared,
  prepareDefinition,
  prepareOperation,
} from './controller-change.ts'
import { writtenAs } from './controller-definition.ts'
import { type Base, readBase, type Session } from './controller-session.ts'
import type { Problem } from './problem.ts'
import { kindNamed, objectOf, specOf } from './references.ts'
import { declaredHash, type RuntimeSplit } from './runtime-state.ts'

export type ActionCall = {
  readonly session: Session
  readonly base: Base
  readonly resource: StoredResource
  readonly input: unknown
  readonly info: CommitInfo
}

export type ActionAnswer = Readonly<Record<string, unknown>>

const actions: Readonly<Record<string, (call: ActionCall) => Promise<ActionAnswer>>> = {
  'Upstream:setSplit': setSplit,
  'Upstream:clearSplit': clearSplit,
  'App:issueKey': issueKey,
}

/** Runs an action. Call it one at a time. */
export async function runAction(
  session: Session,
  request: { key: ResourceKey; verb: string; input: unknown; info: CommitInfo },
): Promise<ActionAnswer> {
  const { key, verb } = request
  const base = await readBase(session.deps.store)
  const object = objectOf(key)
  const resource = base.resources.find((one) => objectOf(one) === object)
  if (resource === undefined) {
    throw new HeadgateError('admin.not_found', { message: `There is no ${object}.` })
  }
  const definition = kindNamed(key.kind)?.actions.find((action) => action.verb === verb)
  const run = actions[`${key.kind}:${verb}`]
  if (definition === undefined || run === undefined) {
    const verbs = kindNamed(key.kind)?.actions.map((action) => `\`${action.verb}\``) ?? []
    const known = verbs.length > 0 ? `it has ${verbs.join(', ')}` : 'it has none'
    throw new HeadgateError('admin.not_found', {
      message: `${key.kind} has no action \`${verb}\`; ${known}.`,
    })
  }
  const checked = checkValue(definition.input, request.input ?? {})
  if (!checked.ok) throw badInput(checked.flaws)
  return run({ session, base, resource, input: checked.value, info: withReason(request) })
}

const reasonSchema = s.looseObject({ reason: s.string().optional() })

/** The reason stands in the audit whether it came in the body or beside it. */
function withReason({ input, info }: { input: unknown; info: CommitInfo }): CommitInfo {
  const reason = reasonSchema.safeParse(input).data?.reason
  return reason === undefined || info.note !== undefined ? info : { ...info, note: reason }
}

function badInput(
  flaws: readonly Pick<Problem, 'path' | 'code' | 'message' | 'suggestion'>[],
): HeadgateError {
  const problems = flaws.map(({ path, code, message, suggestion }) => ({
    severity: 'error',
    code,
    path,
    message,
    ...(suggestion !== undefined && { suggestion }),
  }))
  const [first] = problems
  const place = first === undefined || first.path.length === 0 ? '' : `${first.path.join('.')} `
  return new HeadgateError('admin.invalid_request', {
    message: `${place}${first?.message ?? 'the input is not valid'}`,
    detail: { problems },
  })
}

const setSplitInput = s.looseObject({
  weights: s.record(s.string(), s.union([s.string(), s.number()])),
})

async function setSplit({
  session,
  base,
  resource,
  input,
  info,
}: ActionCall): Promise<ActionAnswer> {
  const spec = specOf(upstream, resource)
  const weights = expandWeights(setSplitInput.parse(input).weights)
  const flaws = weightFlaws(weights, spec)
  if (flaws.length > 0) throw badInput(flaws)
  const split: RuntimeSplit = {
    weights,
    declared: declaredHash(spec),
    setAt: new Date(session.deps.clock.wallMs()).toISOString(),
    actor: info.actor,
    ...(info.note !== undefined && { reason: info.note }),
  }
  const prepared = prepareOperation(session, base, new Map([[resource.name, split]]))
  return operate(session, prepared, { resource, info, action: 'setSplit' })
}

function weightFlaws(weights: Readonly<Record<string, number>>, spec: UpstreamSpec) {
  const known = Object.keys(spec.versions)
  const flaws = Object.keys(weights)
    .filter((version) => !known.includes(version))
    .map((version) => ({
      path: ['weights', version],
      code: 'config.bad_value' as const,
      message: `must be one of the versions: ${known.join(', ')}`,
    }))
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  if (total === basisPointsWhole) return flaws
  const message = `must add up to 100 %, not ${formatShare(total).replace('%', ' %')}`
  return [...flaws, { path: ['weights'], code: 'config.bad_value' as const, message }]
}

async function clearSplit({ session, base, resource, info }: ActionCall): Promise<ActionAnswer> {
  const prepared = prepareOperation(session, base, new Map([[resource.name, undefined]]))
  return operate(session, prepared, { resource, info, action: 'clearSplit' })
}

async function operate(
  session: Session,
  prepared: Prepared,
  { resource, info, action }: { resource: Resource; info: CommitInfo; action: string },
): Promise<ActionAnswer> {
  const { previous, assignments } = prepared.traffic
  const now = assignments.get(resource.name)
  const detail = { before: previous.get(resource.name)?.weights, weights: now?.weights }
  await commitAndPublish(session, prepared, {
    info,
    audit: { action, object: objectOf(resource), detail },
    ownerOf: (stored) => keepOwner(stored, info),
  })
  return { weights: now?.weights, splitSource: now?.source, epoch: now?.epoch }
}

const issueKeyInput = s.looseObject({ name: s.string(), expiresAt: s.string().optional() })

/** The key itself stands in this answer and nowhere else. */
async function issueKey(call: ActionCall): Promise<ActionAnswer> {
  const { session, base, resource, info } = call
  const { name, expiresAt } = issueKeyInput.parse(call.input)
  const keys = specOf(app, resource).keys ?? []
  if (keys.some((key) => key.name === name)) {
    throw new HeadgateError('admin.conflict', {
      message: `${objectOf(resource)} has a key \`${name}\` already; choose another name`,
    })
  }
  const end = expiresAt === undefined ? {} : { expiresAt }
  if (session.mode === 'file') throw keyLine(resource, { name, ...end })
  const { key, hash, prefix } = makeAppKey(session.deps.random)
  const changed = withKey(resource, { name, hash, prefix, ...end })
  const wanted = base.resources.map((one) => (one === resource ? changed : one))
  const prepared = await prepareDefinition(session, base, writtenAs(wanted))
  const revision = await commitAndPublish(session, prepared, {
    info,
    audit: { action: 'issueKey', object: objectOf(resource), detail: { name, prefix, ...end } },
    // A key is an addition to the definition; it does not take the app over from its owner.
    ownerOf: (stored) => keepOwner(stored, info),
  })
  return { key, name, prefix, hash, ...end, revision }
}

function withKey(resource: Resource, key: AppKeySpec): Resource {
  const spec = specOf(app, resource)
  return { ...resource, spec: { ...spec, keys: [...(spec.keys ?? []), key] } }
}

/** A key made here could not be kept, so none is made: the files hold the hashes. */
function keyLine(resource: Resource, key: Pick<AppKeySpec, 'name' | 'expiresAt'>): HeadgateError {
  const hash = 'sha256:…'
  const after = withKey(resource, { ...key, hash })
  const { detail } = fileOwned([{ action: 'change', subject: after, before: resource, after }])
  return new HeadgateError('admin.file_owned', {
    message: `The definition is kept in files: \`headgate key new ${key.name}\` makes a key and prints the hash to write in place of \`${hash}\`.`,
    detail,
  })
}
