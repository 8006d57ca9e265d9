import { HeadgateError } from '../../base/errors.ts'
import type { Resource } from '../../kinds/define-kind.ts'
import type { RespondSpec, RewriteSpec, RouteSpec } from '../../kinds/route.ts'
import { parameterNamesOf } from '../../proxy/router/pattern.ts'
import { canonicalPrefix, parseTemplate } from '../../proxy/router/rewrite.ts'
import type { Rewrite, RouteAction, RouteEntry, Template } from '../../proxy/snapshot.ts'
import { compilePartialTimeouts } from './gateway.ts'
import type { PolicyTable } from './policies.ts'
import type { SlotAllocation } from './slots.ts'
import { implicitUpstreamName } from './upstreams.ts'

export type RouteContext = {
  readonly upstreamIndices: ReadonlyMap<string, number>
  readonly policies: PolicyTable
  readonly slotOf: SlotAllocation['slotOf']
}

export function compileRoute(route: Resource<RouteSpec>, context: RouteContext): RouteEntry {
  const parameterNames = parameterNamesOf(route.spec.match)
  return {
    name: route.name,
    slot: context.slotOf('route', route.name),
    parameterNames,
    priority: route.spec.priority,
    policyIndices: context.policies.indicesOf(route.name, route.spec.policies),
    action: compileAction(route, parameterNames, context),
  }
}

function compileAction(
  { name, spec }: Resource<RouteSpec>,
  parameterNames: readonly string[],
  { upstreamIndices }: RouteContext,
): RouteAction {
  if (spec.redirect !== undefined) {
    const { status = 308, location, scheme, host, path } = spec.redirect
    return {
      type: 'redirect',
      status,
      location: optionalTemplate(location, parameterNames),
      scheme,
      host,
      path: optionalTemplate(path, parameterNames),
    }
  }
  if (spec.respond !== undefined) return compileRespond(spec.respond)
  return {
    type: 'proxy',
    upstreamIndex: upstreamIndexOf(name, spec, upstreamIndices),
    timeouts: compilePartialTimeouts(spec.timeouts),
    rewrite: compileRewrite(spec.rewrite ?? {}, parameterNames),
    upgrades: [...(spec.upgrades ?? ['websocket'])].sort(),
  }
}

function upstreamIndexOf(
  route: string,
  spec: RouteSpec,
  upstreamIndices: ReadonlyMap<string, number>,
): number {
  const upstream =
    spec.target !== undefined && 'upstreamRef' in spec.target
      ? spec.target.upstreamRef
      : implicitUpstreamName(route)
  const index = upstreamIndices.get(upstream)
  if (index === undefined)
    throw new HeadgateError('config.unknown_reference', {
      message: `route ${route}: there is no upstream \`${upstream}\`; correct the name or add the upstream`,
      detail: { route, upstream },
    })
  return index
}

function compileRewrite(rewrite: RewriteSpec, parameterNames: readonly string[]): Rewrite {
  return {
    path: optionalTemplate(rewrite.path, parameterNames),
    stripPrefix:
      rewrite.stripPrefix === undefined ? undefined : canonicalPrefix(rewrite.stripPrefix),
    addPrefix: rewrite.addPrefix === undefined ? undefined : canonicalPrefix(rewrite.addPrefix),
    host: compileHost(rewrite.host ?? 'Upstream'),
  }
}

function compileHost(host: string): Rewrite['host'] {
  if (host === 'Upstream' || host === 'Preserve') return { mode: host }
  return { mode: 'Literal', value: host }
}

function optionalTemplate(
  text: string | undefined,
  parameterNames: readonly string[],
): Template | undefined {
  return text === undefined ? undefined : parseTemplate(text, parameterNames)
}

/** The written fields, and a `content-type` where there is a body that has none. */
function compileRespond(spec: RespondSpec): RouteAction {
  const fields = Object.entries(spec.headers ?? {}).sort(([left], [right]) =>
    left < right ? -1 : 1,
  )
  const body = spec.json === undefined ? (spec.body ?? '') : JSON.stringify(spec.json)
  const type = spec.json === undefined ? 'text/plain; charset=utf-8' : 'application/json'
  const hasType = fields.some(([name]) => name === 'content-type')
  if (body !== '' && !hasType) fields.unshift(['content-type', type])
  return { type: 'respond', status: spec.status, fields, body }
}
