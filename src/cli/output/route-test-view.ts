/** Where a request would go and why, for people. */
import type { RouteTestAnswer, RouteTestRequest } from '../../control/control-api.ts'
import type { RouteTestView } from '../admin-calls.ts'
import type { Paint } from '../terminal.ts'

/** From the gateway, or from files. */
type Shown = RouteTestView | RouteTestAnswer

/** Routes that did not match and are shown; `--full` shows all. */
const losersMax = 10

export function renderRouteTest(
  request: RouteTestRequest,
  answer: Shown,
  { isFull, paint }: { isFull: boolean; paint: Paint },
): string {
  const { matched, refused } = answer
  const parameters = Object.entries(matched?.parameters ?? {})
  return [
    `${request.method} ${request.url}`,
    ...(refused === undefined
      ? []
      : [`  ${paint.red('refused')}   ${refused.why} ${paint.dim(`[${refused.code}]`)}`]),
    ...(matched === undefined ? [] : [`  route     ${paint.green(matched.route)}`]),
    ...parameters.map(([name, value]) => `    {${name}} = ${value}`),
    ...answer.policies.map(({ policy, scope }) => `  policy    ${policy} ${paint.dim(scope)}`),
    ...answerLines(answer.answer),
    ...upstreamLines(answer.upstream, paint),
    ...triedLines(answer, { isFull, paint }),
  ].join('\n')
}

function answerLines(answer: Shown['answer']): string[] {
  if (answer === undefined) return []
  const { type, status, location } = answer
  return [`  answer    ${status} ${type}${location === undefined ? '' : ` ${location}`}`]
}

function upstreamLines(upstream: Shown['upstream'], paint: Paint): string[] {
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
  { tried, triedOmitted = 0 }: Shown,
  { isFull, paint }: { isFull: boolean; paint: Paint },
): string[] {
  const losers = tried.filter((entry) => !entry.isMatch)
  if (losers.length === 0) return []
  const shown = isFull ? losers : losers.slice(0, losersMax)
  const rest = losers.length - shown.length + triedOmitted
  return [
    '  not these',
    ...shown.map(({ route, why }) => `    ${route}: ${paint.dim(why)}`),
    ...(rest > 0 ? [`    … and ${rest} more${isFull ? '' : ' (--full)'}`] : []),
  ]
}
