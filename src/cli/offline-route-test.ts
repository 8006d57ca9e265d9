/** `route test -c`: compiles the files in memory and asks the router, without a gateway. */
import { compile } from '../control/compile/compile.ts'
import { resourcesOf } from '../control/compile/of-kind.ts'
import { emptySlotTable } from '../control/compile/slots.ts'
import type { RouteTestAnswer, RouteTestRequest } from '../control/control-api.ts'
import { explainRoute } from '../control/explain-route.ts'
import { upstream } from '../kinds/upstream.ts'
import type { CheckedConfig } from './check-config.ts'

/** Splits are those of the files: run-time state is with the gateway. */
export function testRouteOffline(
  { resources, catalog }: CheckedConfig,
  request: RouteTestRequest,
): RouteTestAnswer {
  const { snapshot } = compile({
    revision: 0,
    resources,
    splits: new Map(),
    catalog,
    slots: emptySlotTable,
    policyModules: [],
    caPems: unreadAuthorities(resources),
    appKeyHashes: new Map(),
  })
  return explainRoute(snapshot, request)
}

/** Nothing is connected, so the content of the files of authorities does not matter. */
function unreadAuthorities(resources: CheckedConfig['resources']): ReadonlyMap<string, string> {
  const files = resourcesOf(resources, upstream).flatMap(({ spec }) =>
    Object.values(spec.versions).flatMap(({ tls }) => tls?.caFile ?? []),
  )
  return new Map(files.map((file) => [file, '']))
}
