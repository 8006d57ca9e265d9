/**
 * `If-Match` and `If-None-Match` (RFC 9110 §13). The tag of a resource is the revision of its
 * definition; run-time status may move under the same tag, so a 304 says nothing about status.
 */
import { HeadgateError } from '../../base/errors.ts'
import type { ResourceView } from '../control-api.ts'

const tagsMax = 64

type Tags = '*' | readonly string[] | undefined

/** The entity tag of a resource. */
export function etagOf(resource: { readonly revision: number }): string {
  return `"${resource.revision}"`
}

/** Whether the client has this version already, so that 304 answers it (RFC 9110 §13.1.2). */
export function isNotModified(request: Request, etag: string): boolean {
  const tags = tagsOf(request, 'if-none-match')
  if (tags === undefined) return false
  return tags === '*' || tags.some((tag) => tag.replace(/^W\//, '') === etag)
}

/**
 * What the resource must be when the change is made: a revision, `'absent'`, or undefined for
 * whatever it is. Throws when the header fields of the request forbid the change as things stand;
 * `isGuardRequired` demands one of them before something existing is overwritten.
 */
export function expectationOf(
  request: Request,
  existing: ResourceView | undefined,
  options: { readonly isGuardRequired: boolean },
): number | 'absent' | undefined {
  const match = tagsOf(request, 'if-match')
  const noneMatch = tagsOf(request, 'if-none-match')
  if (noneMatch !== undefined && noneMatch !== '*') {
    throw new HeadgateError('admin.invalid_request', {
      message: 'With a write, `If-None-Match` can only be `*`: create, do not overwrite.',
    })
  }
  if (existing === undefined) {
    if (match !== undefined) throw changed(match, undefined)
    return 'absent'
  }
  if (noneMatch === '*') throw changed('absent', existing)
  if (match === undefined && options.isGuardRequired) {
    throw new HeadgateError('admin.precondition_required', {
      message: `\`${existing.kind}/${existing.name}\` exists with ETag ${etagOf(existing)}; send that in \`If-Match\`, or \`*\` to overwrite whatever is there.`,
      detail: { currentEtag: etagOf(existing) },
    })
  }
  if (match === undefined || match === '*') return undefined
  if (!match.includes(etagOf(existing))) throw changed(match, existing)
  return existing.revision
}

/** Both versions stand in the answer: what was expected and what is, with the present object. */
export function changed(
  expected: Tags | 'absent',
  current: ResourceView | undefined,
  cause?: unknown,
): HeadgateError {
  const expectedEtag =
    expected === 'absent' ? 'absent' : Array.isArray(expected) ? expected.join(', ') : expected
  return new HeadgateError('admin.precondition_failed', {
    message:
      current === undefined
        ? 'It does not exist (any more), and the request asks for it to be there.'
        : `It is at ${etagOf(current)}, and the request expects ${expectedEtag === 'absent' ? 'that it does not exist' : expectedEtag}.`,
    cause,
    detail: {
      expectedEtag,
      currentEtag: current === undefined ? 'absent' : etagOf(current),
      ...(current !== undefined && { current }),
    },
  })
}

/** The list of a conditional field; throws `admin.invalid_request` when it is not one. */
function tagsOf(request: Request, name: 'if-match' | 'if-none-match'): Tags {
  const text = request.headers.get(name)?.trim()
  if (text === undefined) return undefined
  if (text === '*') return '*'
  const tags = text.split(/\s*,\s*/)
  if (tags.length > tagsMax || !tags.every((tag) => /^(?:W\/)?"[\x21\x23-\x7e]*"$/.test(tag))) {
    const field = name === 'if-match' ? 'If-Match' : 'If-None-Match'
    const message = `must be \`*\` or entity tags in double quotes such as \`"12"\``
    throw new HeadgateError('admin.invalid_request', {
      message: `\`${field}\` ${message}.`,
      detail: { errors: [{ parameter: field, code: 'config.bad_value', message }] },
    })
  }
  return tags
}
