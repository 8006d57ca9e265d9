/** `plan` and `apply`: many objects at once, as a list of changes or as a whole configuration document. */
import { s } from '../../base/schema.ts'
import { defaultWorkspace } from '../../kinds/define-kind.ts'
import type { ChangeRequest } from '../control-api.ts'
import { checkBody, decodeText, mediaTypeOf, mediaTypes, parseJson } from './body.ts'
import { readConfigDocument } from './config-document.ts'
import { type AdminDeps, adminLimits } from './deps.ts'
import { type Call, commitInfo, defineOperation, json, type Operation } from './operation.ts'
import { changeQuery } from './query.ts'
import {
  inputOf,
  inTermsOfBody,
  type Locate,
  pathInBody,
  planView,
  resourceInChange,
} from './resource-body.ts'

const tag = 'changes'

/** Who owns what is applied when the caller does not say. */
const managedByDefault = 'api'

export type ChangeQuery = s.infer<typeof changeQuery>

/** The JSON body of a change; options may stand here or in the query. */
export function changeBody(kindNames: readonly [string, ...string[]]) {
  const key = s.strictObject({
    kind: s.enum(kindNames),
    name: s.string().min(1).max(63),
    workspace: s.literal(defaultWorkspace).optional(),
  })
  return s.strictObject({
    puts: s.array(resourceInChange(kindNames)).max(adminLimits.changesMax).optional(),
    deletes: s.array(key).max(adminLimits.changesMax).optional(),
    ...changeOptions,
  })
}

export const changeOptions = {
  prune: s
    .boolean()
    .optional()
    .describe('Also delete what `managedBy` owns and this change does not name.'),
  baseRevision: s
    .int()
    .min(0)
    .optional()
    .describe('From the plan: refuse when the definition has changed since.'),
  managedBy: s
    .name()
    .optional()
    .describe(`Owner of what is created. Default \`${managedByDefault}\`.`),
  reason: s.string().max(1_024).optional().describe('Why; kept in revision and audit.'),
}

export function changeOperations(deps: AdminDeps): Operation[] {
  const [first = '', ...others] = deps.kinds.map(({ kind }) => kind)
  const bodySchema = changeBody([first, ...others])
  const common = {
    method: 'POST',
    tag,
    query: changeQuery,
    body: {
      content: {
        'application/json': 'ChangeRequest',
        ...Object.fromEntries(mediaTypes.yaml.map((mediaType) => [mediaType, undefined])),
      },
      isRequired: true,
      description:
        'A list of changes, or a whole configuration document as in a file. `${VARIABLES}` are not expanded here: the environment is yours, not the gateway’s.',
    },
    headers: { 'Idempotency-Key': 'Repeated with the same key, the first answer is given again.' },
  } as const
  return [
    defineOperation({
      ...common,
      id: 'planChange',
      path: '/api/v1/plan',
      summary: 'Runs every check of `apply` and says what it would do.',
      access: 'read',
      responses: { 200: { description: 'The plan.', schema: 'Plan' } },
      async handle(call) {
        const change = await readChange(call, bodySchema)
        return json(200, await planned(deps, change))
      },
    }),
    defineOperation({
      ...common,
      id: 'applyChange',
      path: '/api/v1/apply',
      summary: 'Makes all changes in one revision, or none.',
      description: 'With `dryRun` the answer is the plan.',
      access: 'write',
      responses: { 200: { description: 'Applied.', schema: 'ApplyResult' } },
      async handle(call) {
        const change = await readChange(call, bodySchema)
        if (call.query.dryRun === true) {
          return json(200, { dryRun: true, plan: await planned(deps, change) })
        }
        const info = commitInfo(call, change.reason)
        const { plan, revision } = await change.attempt(() =>
          deps.control.apply(change.request, info),
        )
        return json(200, { revision, plan: planView(plan, change.locate) })
      },
    }),
  ]
}

async function planned(deps: AdminDeps, change: ReadChange) {
  return planView(await change.attempt(() => deps.control.plan(change.request)), change.locate)
}

type ReadChange = {
  readonly request: ChangeRequest
  readonly reason: string | undefined
  readonly locate: Locate
  /** Runs it, telling what it throws in terms of the body. */
  attempt<Result>(run: () => Promise<Result>): Promise<Result>
}

async function readChange(
  call: Call<ChangeQuery>,
  schema: ReturnType<typeof changeBody>,
): Promise<ReadChange> {
  const mediaType = mediaTypeOf(call.request, [...mediaTypes.json, ...mediaTypes.yaml])
  const bytes = await call.bytes()
  if (!mediaTypes.json.some((name) => name === mediaType)) {
    return documentChange(call.query, decodeText(bytes))
  }
  const body = checkBody(schema, parseJson(bytes))
  const puts = (body.puts ?? []).map((put) => inputOf(put, put))
  const indexes = new Map(puts.map(({ kind, name }, index) => [`${kind}/${name}`, index]))
  const locate: Locate = (object, path) => {
    const index = indexes.get(object ?? '')
    return index === undefined ? undefined : ['puts', index, ...pathInBody(path)]
  }
  const deletes = (body.deletes ?? []).map(({ kind, name }) => ({
    workspace: defaultWorkspace,
    kind,
    name,
  }))
  const options = {
    prune: body.prune ?? call.query.prune,
    baseRevision: body.baseRevision ?? call.query.baseRevision,
    managedBy: body.managedBy ?? call.query.managedBy,
    reason: body.reason ?? call.query.reason,
  }
  return {
    request: { puts, deletes, ...requestOptions(options) },
    reason: options.reason,
    locate,
    attempt: (run) => attempted(run, (thrown) => inTermsOfBody(thrown, locate)),
  }
}

/** A YAML body has no pointers: places are told as line and column. */
function documentChange(query: ChangeQuery, text: string): ReadChange {
  const { documents, withLocations } = readConfigDocument(text)
  const locate: Locate = () => undefined
  return {
    request: { puts: documents, deletes: [], ...requestOptions(query) },
    reason: query.reason,
    locate,
    attempt: (run) => attempted(run, (thrown) => inTermsOfBody(withLocations(thrown), locate)),
  }
}

function requestOptions(options: {
  readonly prune?: boolean | undefined
  readonly baseRevision?: number | undefined
  readonly managedBy?: string | undefined
}): Pick<ChangeRequest, 'prune' | 'baseRevision' | 'managedBy'> {
  const { prune, baseRevision, managedBy = managedByDefault } = options
  return {
    managedBy,
    ...(prune !== undefined && { prune }),
    ...(baseRevision !== undefined && { baseRevision }),
  }
}

async function attempted<Result>(
  run: () => Promise<Result>,
  translate: (thrown: unknown) => unknown,
): Promise<Result> {
  try {
    return await run()
  } catch (thrown) {
    throw translate(thrown)
  }
}
