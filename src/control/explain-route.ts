/**
 * What the gateway would do with a request, and why, without sending it. Everything is decided by the
 * code that decides at run time; this file only asks it and finds the words.
 */
import { HeadgateError } from '../base/errors.ts'
import { formatShare } from '../base/units.ts'
import { parseCookies } from '../proxy/request-facts.ts'
import { explainRoutes } from '../proxy/router/explain.ts'
import {
  activateRouter,
  type RoutableRequest,
  type RouteMatchResult,
} from '../proxy/router/match.ts'
import { isAmbiguousPath } from '../proxy/router/path.ts'
import { redirectLocation, rewriteTarget, upstreamHost } from '../proxy/router/rewrite.ts'
import type {
  AppEntry,
  RouteAction,
  RouteEntry,
  Snapshot,
  UpstreamEntry,
} from '../proxy/snapshot.ts'
import {
  chooseVersion,
  forcedVersionOf,
  forcedVersionRule,
  stickyUnitOf,
} from '../proxy/upstreams/split.ts'
import type { RouteTestAnswer, RouteTestRequest } from './control-api.ts'

/** Routes listed in an answer; those of matching host and path come first. */
export const tracedRoutesMax = 1_000

/** Explains what a gateway that serves `snapshot` does with a request. */
export function explainRoute(snapshot: Snapshot, request: RouteTestRequest): RouteTestAnswer {
  const test = testRequestOf(request)
  if (isAmbiguousPath(test.path)) {
    const why = `servers read the path ${test.path} differently, so it is not routed at all`
    return { refused: { code: 'wire.path_ambiguous', why }, tried: [], policies: [] }
  }
  const app = appOf(snapshot, request.app)
  const { match, traces } = explainRoutes(snapshot, activateRouter(snapshot.router), test)
  const tried = traces.slice(0, tracedRoutesMax)
  const omitted = traces.length - tried.length
  const entry = match && snapshot.routes[match.routeIndex]
  return {
    ...(match !== undefined &&
      entry !== undefined && {
        matched: { route: entry.name, parameters: parametersOf(entry, match) },
      }),
    tried,
    ...(omitted > 0 && { triedOmitted: omitted }),
    policies: (entry?.policyIndices ?? []).flatMap((index) => {
      const policy = snapshot.policies[index]
      return policy === undefined ? [] : [{ policy: policy.policy, scope: policy.scope }]
    }),
    ...(match === undefined || entry === undefined
      ? { refused: { code: 'route.not_found', why: 'no route matches' } }
      : explainAction(entry.action, { snapshot, test, match, app })),
  }
}

type TestRequest = RoutableRequest & {
  readonly query: string
  readonly scheme: string
  /** Host and port as the client would write them. */
  readonly authority: string
}

/** Takes the address apart without resolving anything in it: `new URL` would hide dot segments. */
function testRequestOf(request: RouteTestRequest): TestRequest {
  const parts = /^(?:(https?):\/\/([^/?#]+))?([^?#]*)(?:\?([^#]*))?/i.exec(request.url)
  requireAuthority(parts?.[2])
  const fields = new Map<string, string[]>()
  for (const [name, value] of request.headers) {
    const lower = name.toLowerCase()
    fields.set(lower, [...(fields.get(lower) ?? []), value.trim()])
  }
  const field = (name: string) => fields.get(name)?.[0]
  const authority = field('host') ?? parts?.[2] ?? ''
  const query = parts?.[4] ?? ''
  const parameters = new URLSearchParams(query)
  const cookies = parseCookies(fields.get('cookie')?.join(', ') ?? '')
  return {
    method: request.method,
    host: authority.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase(),
    path: parts?.[3] === '' ? '/' : (parts?.[3] ?? '/'),
    query,
    scheme: parts?.[1]?.toLowerCase() ?? 'http',
    authority,
    clientAddress: request.clientAddress,
    field,
    cookie: (name) => cookies.get(name),
    queryParameter: (name) => parameters.get(name) ?? undefined,
  }
}

function requireAuthority(authority: string | undefined): void {
  if (authority === undefined || URL.canParse(`http://${authority}`)) return
  throw new HeadgateError('admin.invalid_request', {
    message: `\`${authority}\` is no host and port; write an address such as \`http://example.com/books\``,
  })
}

function appOf(snapshot: Snapshot, name: string | undefined): AppEntry | undefined {
  if (name === undefined) return undefined
  const app = snapshot.apps.find((entry) => entry.name === name)
  if (app !== undefined) return app
  throw new HeadgateError('admin.invalid_request', {
    message: `there is no app \`${name}\`; \`headgate get apps\` lists them`,
  })
}

/** What the path matched, by name; `**` is what `/**` took. */
function parametersOf(entry: RouteEntry, match: RouteMatchResult): Record<string, string> {
  const parameters: Record<string, string> = {}
  for (const [index, name] of entry.parameterNames.entries()) {
    const value = match.captures[index]
    if (value !== undefined && value !== '') parameters[name] = value
  }
  if (match.rest !== '') parameters['**'] = match.rest
  return parameters
}

type ActionContext = {
  readonly snapshot: Snapshot
  readonly test: TestRequest
  readonly match: RouteMatchResult
  readonly app: AppEntry | undefined
}

type ActionAnswer = Pick<RouteTestAnswer, 'answer' | 'refused' | 'upstream'>

function explainAction(action: RouteAction, context: ActionContext): ActionAnswer {
  const { snapshot, test, match } = context
  if (action.type === 'respond') return { answer: { type: 'respond', status: action.status } }
  if (action.type === 'redirect') {
    const location = redirectLocation(action, test, match)
    return { answer: { type: 'redirect', status: action.status, location } }
  }
  const upstream = snapshot.upstreams[action.upstreamIndex]
  if (upstream === undefined) return {}
  const choice = explainVersion(upstream, context)
  const version = upstream.versions[choice.versionIndex]
  if (version === undefined) return { refused: { code: 'route.version_unknown', why: choice.why } }
  const { endpoints } = version
  // Endpoints of one version may differ in prefix; the first that takes traffic stands for all.
  const endpoint = endpoints.find(({ weight }) => weight > 0) ?? endpoints[0]
  return {
    upstream: {
      name: upstream.name,
      version: version.name,
      why: choice.why,
      endpoints: endpoints.map(({ url, weight }) => ({ url, weight })),
      ...(version.account !== undefined && { account: version.account }),
      target: rewriteTarget(action.rewrite, test, match, endpoint?.pathPrefix ?? ''),
      host: upstreamHost(action.rewrite, {
        client: test.authority,
        endpoint: endpoint?.authority ?? '',
      }),
    },
  }
}

type ExplainedVersion = { readonly versionIndex: number; readonly why: string }

function explainVersion(upstream: UpstreamEntry, { test, app }: ActionContext): ExplainedVersion {
  const rule = forcedVersionRule(upstream)
  const forced = rule && forcedVersionOf(rule, test, app?.name)
  if (forced?.type === 'forced')
    return { versionIndex: forced.versionIndex, why: `forced by header ${rule?.header}` }
  if (forced?.type === 'unknown') {
    const known = upstream.versions.map(({ name }) => name).join(', ')
    return {
      versionIndex: -1,
      why: `header ${rule?.header} asks for version ${forced.name}; there is ${known}`,
    }
  }
  const dealt = explainSplit(upstream, { test, app })
  if (forced?.type !== 'unauthorised') return dealt
  const ignored = `header ${rule?.header} is ignored: neither app nor address may use it`
  return { ...dealt, why: `${dealt.why}; ${ignored}` }
}

function explainSplit(
  { split, versions }: UpstreamEntry,
  { test, app }: Pick<ActionContext, 'test' | 'app'>,
): ExplainedVersion {
  const { arms, sticky } = split
  if (arms.length <= 1)
    return {
      versionIndex: arms[0]?.versionIndex ?? -1,
      why: arms.length === 0 ? 'no version takes traffic' : 'live: it takes all traffic',
    }
  const shares = arms
    .map(
      ({ versionIndex, basisPoints }) =>
        `${versions[versionIndex]?.name} ${formatShare(basisPoints)}`,
    )
    .join(', ')
  const unit = stickyUnitOf(split, test, app?.consumer)
  if (sticky !== undefined && unit !== undefined) {
    const { versionIndex, bucket } = chooseVersion(split, unit, 0)
    const share = formatShare(
      arms.find((arm) => arm.versionIndex === versionIndex)?.basisPoints ?? 0,
    )
    return {
      versionIndex,
      why: `split ${share} of ${shares}: bucket ${bucket} of 10000 by ${unitName(sticky)}`,
    }
  }
  const likely = arms.reduce((best, arm) => (arm.basisPoints > best.basisPoints ? arm : best))
  const reason = sticky === undefined ? '' : `, for lack of ${unitName(sticky)}`
  return {
    versionIndex: likely.versionIndex,
    why: `split ${shares}: each request is dealt by chance${reason}; the likeliest version is shown`,
  }
}

function unitName({ by, name }: NonNullable<UpstreamEntry['split']['sticky']>): string {
  if (by === 'Consumer') return 'consumer'
  if (by === 'ClientAddress') return 'client address'
  return `${by.toLowerCase()} ${name}`
}
