/** Where a request would go and why, for people. */
import type { RouteTestRequest } from '../../control/control-api.ts'
import type { RouteTestView } from '../admin-calls.ts'
import type { Paint } from '../terminal.ts'

/** Routes that did not match and are shown; `--full` shows all. */
const losersMax = 10

export function renderRouteTest(
  request: RouteTestRequest,
  answer: RouteTestView,
  { isFull, paint }: { isFull: boolean; paint: Paint },
): string {
  const { matched } = answer
  const parameters = Object.entries(matched?.parameters ?? {})
  return [
    `${request.method} ${request.url}`,
    matched === undefined
      ? paint.red('  no route matches: the answer is 404 [route.not_found]')
      : `  route     ${paint.green(matched.route)}`,
    ...parameters.map(([name, value]) => `    {${name}} = ${value}`),
    ...answer.policies.map(({ policy, scope }) => `  policy    ${policy} ${paint.dim(scope)}`),
    ...upstreamLines(answer.upstream, paint),
    ...triedLines(answer, { isFull, paint }),
  ].join('\n')
}

function upstreamLines(upstream: RouteTestView['upstream'], paint: Paint): string[] {
  if (upstream === undefined) return []
  return [
    `  upstream  ${upstream.name}`,
    `  version   ${paint.green(upstream.version)} ${paint.dim(`(${upstream.why})`)}`,
    ...upstream.endpoints.map(({ url, weight }) =>
      weight === 1 ? `  endpoint  ${url}` : `  endpoint  ${url} ${paint.dim(`weight ${weight}`)}`,
    ),
    ...(upstream.account === undefined ? [] : [`  account   ${upstream.account}`]),
    `  sent as   ${upstream.target} ${paint.dim(`Host: ${upstream.host}`)}`,
  ]
}

function triedLines(
  { tried }: RouteTestView,
  { isFull, paint }: { isFull: boolean; paint: Paint },
): string[] {
  const losers = tried.filter((entry) => !entry.isMatch)
  if (losers.length === 0) return []
  const shown = isFull ? losers : losers.slice(0, losersMax)
  const rest = losers.length - shown.length
  return [
    '  not these',
    ...shown.map(({ route, why }) => `    ${route}: ${paint.dim(why)}`),
    ...(rest > 0 ? [`    … and ${rest} more (--full)`] : []),
  ]
}
