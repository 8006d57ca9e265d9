/**
 * The phases of an exchange, in order. This file is the table of contents of the data plane.
 *
 * | phase                       | where                                              |
 * |-----------------------------|----------------------------------------------------|
 * | accept                      | `listener.ts`                                      |
 * | read head                   | `wire/http1/server-connection.ts`, `scan.ts`       |
 * | route                       | `route` below, `router/match.ts`                   |
 * | access, authenticate, admit, transform request | `policies/run-chain.ts`         |
 * | choose version              | `choose-upstream.ts`, `upstreams/split.ts`         |
 * | choose endpoint             | `upstreams/cluster.ts`, `upstreams/balancers/`     |
 * | attach account, compose     | `exchange.ts` (`composeRequest`)                   |
 * | attempt                     | `attempt.ts`, `upstreams/pool.ts`                  |
 * | transform response          | `policies/run-chain.ts` (`runResponse`)            |
 * | deliver                     | `exchange.ts` (`onResponse`), the codec            |
 * | settle, always              | `settle.ts`                                        |
 */
import { unreachable } from '../base/errors.ts'
import { textAnswer } from './answers.ts'
import { activeUpstreamOf, chooseActiveVersion } from './choose-upstream.ts'
import type { Exchange } from './exchange.ts'
import { runRequest } from './policies/run-chain.ts'
import { matchRoute, type RouteMatchResult } from './router/match.ts'
import { isAmbiguousPath } from './router/path.ts'
import { redirectLocation } from './router/rewrite.ts'
import type { RouteAction } from './snapshot.ts'

/** Takes an exchange from its head to its answer, or to the first attempt at an upstream. */
export function runPhases(exchange: Exchange): void {
  if (!route(exchange)) return
  if (exchange.isBodyTooLarge(exchange.inbound.bodyLength)) return
  const chain = exchange.activeRoute?.chain
  if (chain === undefined || chain.requestSteps.length === 0) {
    exchange.policiesEntered = chain?.length ?? 0
    act(exchange)
    return
  }
  const verdict = runRequest(chain, exchange)
  if (verdict instanceof Promise) {
    // `decide` catches what follows from the verdict, and the chain turns failures into verdicts.
    void verdict.then((late) => exchange.decide(late, () => act(exchange)))
    return
  }
  exchange.decide(verdict, () => act(exchange))
}

function route(exchange: Exchange): boolean {
  const { request, active } = exchange
  if (isAmbiguousPath(request.path)) {
    exchange.services.onRefusedMessage('wire.path_ambiguous')
    exchange.refuse('wire.path_ambiguous')
    return false
  }
  const match = preflightMatch(exchange) ?? matchRoute(active.router, request)
  if (match === undefined) {
    exchange.refuse('route.not_found')
    return false
  }
  exchange.match = match
  exchange.activeRoute = active.routes[match.routeIndex]
  exchange.activeRoute?.series.enter()
  return true
}

/**
 * A CORS preflight asks about another request (Fetch §4.8): it belongs to the route of that one when
 * the route answers preflights, also if the route does not match OPTIONS.
 */
function preflightMatch({ request, active }: Exchange): RouteMatchResult | undefined {
  if (request.method !== 'OPTIONS' || request.field('origin') === undefined) return undefined
  const method = request.field('access-control-request-method')
  if (method === undefined) return undefined
  const match = matchRoute(active.router, request.withMethod(method))
  const chain = match && active.routes[match.routeIndex]?.chain
  return chain?.answersPreflight === true ? match : undefined
}

/** What the route does with a request that its policies let through. */
function act(exchange: Exchange): void {
  const action = exchange.activeRoute?.entry.action
  if (action === undefined) return
  switch (action.type) {
    case 'respond':
      exchange.answer(textAnswer(action.status, action.fields, action.body))
      return
    case 'redirect':
      redirect(exchange, action)
      return
    case 'proxy': {
      const upstream = activeUpstreamOf(exchange.active, action.upstreamIndex)
      const choice = chooseActiveVersion(upstream, exchange.request, {
        consumer: exchange.consumer,
        fraction: exchange.services.fraction,
      })
      if (choice.ok) exchange.proxyTo(choice.version)
      else exchange.refuse(choice.code, { message: choice.message })
      return
    }
    default:
      unreachable(action)
  }
}

function redirect(exchange: Exchange, action: Extract<RouteAction, { type: 'redirect' }>): void {
  if (exchange.match === undefined) return
  const location = redirectLocation(action, exchange.request, exchange.match)
  exchange.answer(textAnswer(action.status, [['location', location]], ''))
}
