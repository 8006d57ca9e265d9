/**
 * The operations that every kind has: list, read, replace, patch, delete, and its actions. A new kind
 * gets them all from its definition.
 */
import { HeadgateError } from '../../base/errors.ts'
import { checkValue } from '../../base/schema-check.ts'
import { defaultWorkspace, type KindDefinition } from '../../kinds/define-kind.ts'
import type { ResourceKey } from '../../store/store.ts'
import type { ChangeRequest, ResourceInput, ResourceView } from '../control-api.ts'
import { actionOperations } from './action-operations.ts'
import { checkBody, mediaTypeOf, mediaTypes, parseJson } from './body.ts'
import { type AdminDeps, adminLimits } from './deps.ts'
import { mergePatch } from './merge-patch.ts'
import { type Call, commitInfo, defineOperation, json, type Operation } from './operation.ts'
import { changed, etagOf, expectationOf, isNotModified } from './preconditions.ts'
import { noQuery, pageQuery, writeQuery } from './query.ts'
import {
  entryInBody,
  inputOf,
  inTermsOfBody,
  type Locate,
  pathInBody,
  planView,
  resourceBody,
} from './resource-body.ts'

type WriteQuery = { dryRun?: boolean | undefined; reason?: string | undefined }

const ifMatch = 'The `ETag` that the change is based on, or `*`.'
const dryRunNote = 'With `dryRun` the answer is the object as it would be, and the plan.'

/** Who owns what this API creates; what exists keeps its owner. */
const managedByApi = 'api'

export function kindOperations(deps: AdminDeps, definition: KindDefinition): Operation[] {
  return [
    ...readOperations(deps, definition),
    ...writeOperations(deps, definition),
    ...actionOperations(deps, definition),
  ]
}

/** What `GET`, `PUT` and `PATCH` answer with. */
function shownAs(kind: string, description: string) {
  return { description, schema: kind, headers: { ETag: 'Its revision in quotes.' } }
}

function readOperations(deps: AdminDeps, definition: KindDefinition): Operation[] {
  const { kind, plural } = definition
  return [
    defineOperation({
      id: `list${upperFirst(plural)}`,
      method: 'GET',
      path: `/api/v1/${plural}`,
      tag: plural,
      summary: `Lists ${plural}, ordered by name.`,
      access: 'read',
      query: pageQuery,
      responses: { 200: { description: 'A page.', schema: `${kind}Page` } },
      async handle({ query: { limit, after } }) {
        const page = { limit: limit ?? adminLimits.pageSizeDefault, ...(after && { after }) }
        return json(200, { ...(await deps.control.list(kind, page)) })
      },
    }),
    defineOperation({
      id: `get${kind}`,
      method: 'GET',
      path: `/api/v1/${plural}/{name}`,
      tag: plural,
      summary: `Reads one. ${definition.summary}`,
      description:
        'The `ETag` names the definition; run-time status may change under the same one, so poll status without `If-None-Match`.',
      access: 'read',
      query: noQuery,
      headers: {
        'If-None-Match': 'An `ETag` known already: 304 when the definition has not changed.',
      },
      responses: {
        200: shownAs(kind, 'The resource.'),
        304: { description: 'The definition has not changed.' },
      },
      handle: (call) => read(deps, definition, call),
    }),
  ]
}

function writeOperations(deps: AdminDeps, definition: KindDefinition): Operation[] {
  const { kind, plural } = definition
  const common = { path: `/api/v1/${plural}/{name}`, tag: plural, access: 'write' } as const
  return [
    defineOperation({
      ...common,
      id: `put${kind}`,
      method: 'PUT',
      summary: 'Creates it or replaces it whole.',
      description: `\`If-Match\` is required to overwrite; \`If-None-Match: *\` only creates. ${dryRunNote}`,
      query: writeQuery,
      headers: { 'If-Match': ifMatch, 'If-None-Match': '`*`: create, do not overwrite.' },
      body: { content: { 'application/json': `${kind}Input` }, isRequired: true },
      responses: { 200: shownAs(kind, 'Replaced.'), 201: shownAs(kind, 'Created.') },
      handle: (call) => put(deps, definition, call),
    }),
    defineOperation({
      ...common,
      id: `patch${kind}`,
      method: 'PATCH',
      summary: 'Changes the members that the body names (JSON Merge Patch, RFC 7396).',
      description: `The patch is merged into the long form, as \`GET\` shows it; \`null\` removes a member. ${dryRunNote}`,
      query: writeQuery,
      headers: { 'If-Match': `${ifMatch} Required.` },
      body: {
        content: { 'application/merge-patch+json': 'MergePatch', 'application/json': 'MergePatch' },
        isRequired: true,
      },
      responses: { 200: shownAs(kind, 'Changed.') },
      handle: (call) => patch(deps, definition, call),
    }),
    defineOperation({
      ...common,
      id: `delete${kind}`,
      method: 'DELETE',
      summary: 'Deletes it.',
      description: 'Refused while others refer to it. With `dryRun` the answer is the plan.',
      query: writeQuery,
      headers: { 'If-Match': `${ifMatch} Optional.` },
      responses: {
        200: { description: 'With `dryRun`: the plan.', schema: 'DryRun' },
        204: { description: 'Deleted.' },
      },
      handle: (call) => remove(deps, definition, call),
    }),
  ]
}

async function read(deps: AdminDeps, definition: KindDefinition, call: Call): Promise<Response> {
  const view = await existing(deps, keyOf(definition, call))
  const headers = { etag: etagOf(view) }
  if (isNotModified(call.request, headers.etag)) return new Response(null, { status: 304, headers })
  return json(200, view, headers)
}

async function put(
  deps: AdminDeps,
  definition: KindDefinition,
  call: Call<WriteQuery>,
): Promise<Response> {
  mediaTypeOf(call.request, mediaTypes.json)
  const body = parseJson(await call.bytes())
  const key = keyOf(definition, call)
  const present = await deps.control.get(key)
  const expected = expectationOf(call.request, present, { isGuardRequired: true })
  return write(deps, definition, { call, key, present, expected, body })
}

async function patch(
  deps: AdminDeps,
  definition: KindDefinition,
  call: Call<WriteQuery>,
): Promise<Response> {
  mediaTypeOf(call.request, mediaTypes.mergePatch)
  const change = parseJson(await call.bytes())
  const key = keyOf(definition, call)
  const present = await existing(deps, key)
  const expected = expectationOf(call.request, present, { isGuardRequired: true })
  const { labels, description, owner, spec } = present
  const body = mergePatch({ labels, description, owner, spec }, change)
  // Merged with what was read, so it must still be that, also with `If-Match: *`.
  return write(deps, definition, {
    call,
    key,
    present,
    expected: expected ?? present.revision,
    body,
  })
}

type Write = {
  readonly call: Call<WriteQuery>
  readonly key: ResourceKey
  readonly present: ResourceView | undefined
  readonly expected: number | 'absent' | undefined
  readonly body: unknown
}

async function write(deps: AdminDeps, definition: KindDefinition, what: Write): Promise<Response> {
  const { call, key, present, expected } = what
  const body = checkBody(resourceBody, what.body)
  checkIdentity(key, body)
  const input = inputOf(key, body)
  const request: ChangeRequest = {
    puts: [input],
    deletes: [],
    managedBy: present?.managedBy ?? managedByApi,
    ...(expected !== undefined && { expected: new Map([[objectOf(key), expected]]) }),
  }
  const locate: Locate = (object, path) => (object === objectOf(key) ? pathInBody(path) : undefined)
  if (call.query.dryRun === true) {
    const plan = await guarded(deps, key, expected, locate, () => deps.control.plan(request))
    const object = wouldBe(definition, input)
    return json(200, { dryRun: true, object, plan: planView(plan, locate) })
  }
  const info = commitInfo(call, call.query.reason)
  const result = await guarded(deps, key, expected, locate, () => deps.control.apply(request, info))
  const view = await deps.control.get(key)
  if (view === undefined) {
    throw new HeadgateError('admin.conflict', {
      message: `It was written with revision ${result.revision}, and somebody deleted it right after.`,
    })
  }
  // The plan warns about the whole definition; here only what is about this object is of interest.
  const warnings = result.plan.warnings
    .filter(({ object }) => object === objectOf(key))
    .map((problem) => entryInBody(problem, locate))
  return json(
    present === undefined ? 201 : 200,
    { ...view, ...(warnings.length > 0 && { warnings }) },
    {
      etag: etagOf(view),
      ...(present === undefined && {
        location: `/api/v1/${definition.plural}/${encodeURIComponent(key.name)}`,
      }),
    },
  )
}

async function remove(
  deps: AdminDeps,
  definition: KindDefinition,
  call: Call<WriteQuery>,
): Promise<Response> {
  const key = keyOf(definition, call)
  const present = await existing(deps, key)
  const expected = expectationOf(call.request, present, { isGuardRequired: false })
  const request: ChangeRequest = {
    puts: [],
    deletes: [key],
    managedBy: present.managedBy,
    ...(expected !== undefined && { expected: new Map([[objectOf(key), expected]]) }),
  }
  const nowhere: Locate = () => undefined
  if (call.query.dryRun === true) {
    const plan = await guarded(deps, key, expected, nowhere, () => deps.control.plan(request))
    return json(200, { dryRun: true, plan: planView(plan, nowhere) })
  }
  const info = commitInfo(call, call.query.reason)
  await guarded(deps, key, expected, nowhere, () => deps.control.apply(request, info))
  return new Response(null, { status: 204 })
}

/** Runs a change; what it throws is told in terms of the body and with both versions. */
async function guarded<Result>(
  deps: AdminDeps,
  key: ResourceKey,
  expected: number | 'absent' | undefined,
  locate: Locate,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run()
  } catch (thrown) {
    if (!(thrown instanceof HeadgateError) || thrown.code !== 'admin.precondition_failed')
      throw inTermsOfBody(thrown, locate)
    // Somebody was faster, between our reading and the commit.
    const tags = typeof expected === 'number' ? [`"${expected}"`] : 'absent'
    throw changed(tags, await deps.control.get(key), thrown)
  }
}

/** The object as it would be stored. It passed admission, so the schema takes it. */
function wouldBe(definition: KindDefinition, input: ResourceInput): ResourceInput {
  const checked = checkValue(definition.spec, input.spec)
  return checked.ok ? { ...input, spec: definition.expand(checked.value) } : input
}

function checkIdentity(
  key: ResourceKey,
  body: { kind?: string | undefined; name?: string | undefined },
): void {
  for (const member of ['kind', 'name'] as const) {
    const written = body[member]
    if (written === undefined || written === key[member]) continue
    const message = `must be \`${key[member]}\`, as in the path`
    throw new HeadgateError('admin.invalid_request', {
      message: `\`${member}\` ${message}; to rename, create the new one, move the references, delete the old one.`,
      detail: { errors: [{ pointer: `/${member}`, code: 'config.bad_value', message }] },
    })
  }
}

/** The resource, or `admin.not_found`. */
export async function existing(deps: AdminDeps, key: ResourceKey): Promise<ResourceView> {
  const view = await deps.control.get(key)
  if (view !== undefined) return view
  throw new HeadgateError('admin.not_found', {
    message: `There is no ${key.kind} \`${key.name.slice(0, 63)}\`.`,
  })
}

export function keyOf(definition: KindDefinition, call: Call): ResourceKey {
  return { workspace: defaultWorkspace, kind: definition.kind, name: call.parameters.name ?? '' }
}

function objectOf(key: ResourceKey): string {
  return `${key.kind}/${key.name}`
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
