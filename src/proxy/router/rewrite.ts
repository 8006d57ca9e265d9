/**
 * What a route makes of the request target: the path towards the upstream, or where a redirect leads.
 * What the client sent is passed on byte for byte wherever it is not replaced.
 */
import { HeadgateError } from '../../base/errors.ts'
import { splitTemplate } from '../../kinds/route-patterns.ts'
import type { Rewrite, RouteAction, Template } from '../snapshot.ts'
import type { RouteMatchResult } from './match.ts'
import { firstAfterSlashes, normalisePath, normaliseSegment } from './path.ts'

/** Stands in a template for what `/**` matched. */
const restIndex = -1

type Matched = Pick<RouteMatchResult, 'captures' | 'rest'>

/** Parses a template that the kind has accepted; `parameterNames` numbers the captures. */
export function parseTemplate(text: string, parameterNames: readonly string[]): Template {
  const parts = splitTemplate(text)
  if (parts === undefined) throw badTemplate(text, 'has a brace that stands alone')
  return parts.map((part) => {
    if (typeof part === 'string') return encodeForUri(part)
    if (part.insert === '**') return restIndex
    const index = parameterNames.indexOf(part.insert)
    if (index === -1) throw badTemplate(text, `inserts \`{${part.insert}}\`, which no path has`)
    return index
  })
}

function badTemplate(text: string, problem: string): HeadgateError {
  return new HeadgateError('config.bad_value', {
    message: `the template \`${text}\` ${problem}; use parameters of the route's path, or \`{**}\``,
  })
}

/** Percent-encodes what may not stand in a URI (RFC 3986 §2); triplets stay. */
function encodeForUri(text: string): string {
  return text.replace(/[^!-~]+|["<>\\^`{|}]/g, (run) => encodeURIComponent(run.toWellFormed()))
}

/** Fills in what the path matched, as it came on the wire. */
export function expandTemplate(
  template: Template,
  captures: readonly string[],
  rest: string,
): string {
  let text = ''
  for (let index = 0; index < template.length; index++) {
    const part = template[index]
    if (typeof part === 'string') text += part
    else if (part === restIndex) text += rest
    else if (part !== undefined) text += captures[part] ?? ''
  }
  return text
}

/** Whether the target goes to the upstream as it came. */
export function isIdentityRewrite(rewrite: Rewrite): boolean {
  return (
    rewrite.path === undefined &&
    rewrite.stripPrefix === undefined &&
    rewrite.addPrefix === undefined
  )
}

/** The request target for the upstream: `pathPrefix` of the endpoint, rewritten path, query as it was. */
export function rewriteTarget(
  rewrite: Rewrite,
  request: { readonly path: string; readonly query: string },
  matched: Matched,
  pathPrefix: string,
): string {
  const path = rewritePath(rewrite, request.path, matched)
  const whole = pathPrefix === '' ? path : pathPrefix + path
  return request.query === '' ? whole : `${whole}?${request.query}`
}

/** The path towards the upstream, before the prefix of the endpoint. */
export function rewritePath(rewrite: Rewrite, path: string, matched: Matched): string {
  if (rewrite.path !== undefined) return expandPath(rewrite.path, path, matched)
  const stripped =
    rewrite.stripPrefix === undefined ? path : withoutPrefix(path, rewrite.stripPrefix)
  return rewrite.addPrefix === undefined ? stripped : rewrite.addPrefix + stripped
}

function expandPath(template: Template, path: string, matched: Matched): string {
  const expanded = expandTemplate(template, matched.captures, matched.rest)
  // `/books` under `/books/**` has no slash at its end, so `/v2/{**}` must not add one.
  const isRestLast = template[template.length - 1] === restIndex
  const hasAddedSlash = isRestLast && matched.rest === '' && !path.endsWith('/')
  const text =
    hasAddedSlash && expanded.length > 1 && expanded.endsWith('/')
      ? expanded.slice(0, -1)
      : expanded
  return withOneSlash(text)
}

/**
 * Exactly one slash in front: `//host/x` at the start of a target is read by some as an authority, and
 * by every browser so in a `Location`.
 */
function withOneSlash(path: string): string {
  if (path.charCodeAt(0) === 0x2f && path.charCodeAt(1) !== 0x2f) return path
  return `/${path.slice(firstAfterSlashes(path, 0))}`
}

/** Cuts `prefix` (canonical, no slash at its end) off at the border of a segment, in any spelling. */
function withoutPrefix(path: string, prefix: string): string {
  const end = endOfPrefix(path, prefix)
  return end === -1 ? path : withOneSlash(path.slice(end))
}

/** Index behind the prefix in the path as it came; -1 when the path does not start with it. */
function endOfPrefix(path: string, prefix: string): number {
  if (path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/'))
    return prefix.length
  let pathAt = 0
  let prefixAt = 0
  while (prefixAt < prefix.length) {
    const start = firstAfterSlashes(path, pathAt)
    if (start === pathAt) return -1
    const end = endOfSegment(path, start)
    const prefixEnd = endOfSegment(prefix, prefixAt + 1)
    if (normaliseSegment(path.slice(start, end)) !== prefix.slice(prefixAt + 1, prefixEnd))
      return -1
    pathAt = end
    prefixAt = prefixEnd
  }
  return pathAt
}

function endOfSegment(path: string, from: number): number {
  const slashAt = path.indexOf('/', from)
  return slashAt === -1 ? path.length : slashAt
}

/** The canonical spelling of a configured prefix; undefined when it is only slashes. */
export function canonicalPrefix(prefix: string): string | undefined {
  const path = normalisePath(encodeForUri(prefix))
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path
  return trimmed === '' ? undefined : trimmed
}

/** The `Host` towards the upstream. */
export function upstreamHost(
  rewrite: Rewrite,
  hosts: { readonly client: string; readonly endpoint: string },
): string {
  if (rewrite.host.mode === 'Literal') return rewrite.host.value
  return rewrite.host.mode === 'Preserve' ? hosts.client : hosts.endpoint
}

export type RedirectAction = Extract<RouteAction, { type: 'redirect' }>

export type RedirectedRequest = {
  readonly path: string
  readonly query: string
  /** Without port. */
  readonly host: string
  readonly scheme: string
}

/**
 * The `Location` of a redirect. With `location` exactly what it says; else the request's own target with
 * scheme, host or path replaced and the query kept. Without scheme and host it stays relative, so that
 * the client's `Host` is not echoed.
 */
export function redirectLocation(
  action: RedirectAction,
  request: RedirectedRequest,
  matched: Matched,
): string {
  if (action.location !== undefined) return expandLocation(action.location, request.path, matched)
  const raw =
    action.path === undefined ? request.path : expandPath(action.path, request.path, matched)
  const query = request.query === '' ? '' : `?${encodeForUri(request.query)}`
  const target = `${withOneSlash(encodeForUri(raw))}${query}`
  if (action.scheme === undefined && action.host === undefined) return target
  return `${action.scheme ?? request.scheme}://${action.host ?? request.host}${target}`
}

function expandLocation(template: Template, path: string, matched: Matched): string {
  const head = typeof template[0] === 'string' ? template[0] : ''
  if (template.every((part) => typeof part === 'string')) return head
  const safe: Matched = {
    captures: matched.captures.map((text) => encodeInserted(template, text)),
    rest: encodeInserted(template, matched.rest),
  }
  // The kind allows a fixed host or a path before what is inserted, nothing else.
  if (/^(?:https?:)?\/\/[^/?#\\]/i.test(head))
    return expandTemplate(template, safe.captures, safe.rest)
  return expandPath(template, path, safe)
}

/** Text of the path made safe: it must not begin a fragment or, in a query, another parameter. */
function encodeInserted(template: Template, text: string): string {
  const encoded = encodeForUri(text).replace(/[?#]/g, encodeURIComponent)
  const hasQuery = template.some((part) => typeof part === 'string' && part.includes('?'))
  return hasQuery ? encoded.replace(/[&=+;]/g, encodeURIComponent) : encoded
}
