/** Routes that match the same requests, and routes that never get any. */
import { checkValue } from '../../base/schema-check.ts'
import { route } from '../../kinds/route.ts'
import { findRouteOverlaps } from '../../proxy/router/overlap.ts'
import type { Problem } from '../problem.ts'
import { type Candidate, problemAt } from './candidate.ts'

export function checkRoutes(candidates: readonly Candidate[]): Problem[] {
  const routes = new Map<string, Candidate>()
  const specs = candidates.flatMap((candidate) => {
    const { kind, name, spec } = candidate.resource
    if (kind !== route.kind || routes.has(name)) return []
    routes.set(name, candidate)
    // Canonical specs are valid input of their own schema; this gives them their type back.
    const checked = checkValue(route.spec, spec)
    return checked.ok ? [{ name, spec: route.expand(checked.value) }] : []
  })
  return findRouteOverlaps(specs).flatMap((overlap) => {
    const candidate = routes.get(overlap.route)
    if (candidate === undefined) return []
    const isConflict = overlap.type === 'conflict'
    return problemAt(candidate, {
      severity: isConflict ? 'error' : 'warning',
      code: isConflict ? 'config.route_conflict' : 'config.route_shadowed',
      path: ['match'],
      message: overlap.message,
    })
  })
}
