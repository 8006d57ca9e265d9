import { HeadgateError } from '../../base/errors.ts'
import { parseDuration, parseSize } from '../../base/units.ts'
import type { GatewaySpec } from '../../kinds/gateway.ts'
import type { GatewaySettings, PartialTimeouts, Timeouts } from '../../proxy/snapshot.ts'

/** As documented in `kinds/gateway.ts`. */
const timeoutDefaults: Timeouts = {
  connectMs: 5_000,
  firstByteMs: 60_000,
  idleMs: 60_000,
  totalMs: undefined,
  tunnelIdleMs: 600_000,
  tunnelTotalMs: undefined,
}

/** Settings of the gateway with every default filled in. */
export function compileGateway(spec: GatewaySpec): GatewaySettings {
  const { requestId, clientTimeouts, limits } = spec
  return {
    trustedProxies: [...(spec.trustedProxies ?? [])].sort(),
    requestIdHeader: requestId?.header ?? 'x-request-id',
    requestIdAccept: requestId?.accept ?? 'FromTrusted',
    accessLog: { output: spec.accessLog?.output ?? 'Off', path: spec.accessLog?.path },
    clientTimeouts: {
      headMs: durationOr(clientTimeouts?.head, 10_000),
      bodyMs: durationOr(clientTimeouts?.body, 60_000),
      idleMs: durationOr(clientTimeouts?.idle, 75_000),
    },
    limits: {
      headBytesMax: sizeOr(limits?.headBytes, 32 * 1_024),
      fieldCountMax: limits?.fieldCount ?? 100,
      targetBytesMax: sizeOr(limits?.targetBytes, 8 * 1_024),
      bodyBytesMax: sizeOr(limits?.bodyBytes, undefined),
      connectionsMax: limits?.connections ?? 20_000,
      requestsPerConnectionMax: limits?.requestsPerConnection,
    },
  }
}

type TimeoutsSpec = NonNullable<GatewaySpec['timeouts']>

/** What was set, in milliseconds. */
export function compilePartialTimeouts(spec: TimeoutsSpec = {}): PartialTimeouts {
  return {
    ...(spec.connect !== undefined && { connectMs: durationOr(spec.connect, 0) }),
    ...(spec.firstByte !== undefined && { firstByteMs: durationOr(spec.firstByte, 0) }),
    ...(spec.idle !== undefined && { idleMs: durationOr(spec.idle, 0) }),
    ...(spec.total !== undefined && { totalMs: durationOr(spec.total, 0) }),
    ...(spec.tunnelIdle !== undefined && { tunnelIdleMs: durationOr(spec.tunnelIdle, 0) }),
    ...(spec.tunnelTotal !== undefined && { tunnelTotalMs: durationOr(spec.tunnelTotal, 0) }),
  }
}

/** The time limits of a version: its own, else those of the gateway, else the defaults. */
export function compileTimeouts(
  version: TimeoutsSpec | undefined,
  gateway: TimeoutsSpec | undefined,
): Timeouts {
  return {
    ...timeoutDefaults,
    ...compilePartialTimeouts(gateway),
    ...compilePartialTimeouts(version),
  }
}

export function durationOr(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  return parseDuration(text) ?? fail('duration', text)
}

function sizeOr<Fallback>(text: string | undefined, fallback: Fallback): number | Fallback {
  if (text === undefined) return fallback
  return parseSize(text) ?? fail('size', text)
}

/** Unreachable for what admission let through; better refused than replaced by a default. */
function fail(what: string, text: string): never {
  throw new HeadgateError('config.bad_value', { message: `\`${text}\` is not a ${what}` })
}
