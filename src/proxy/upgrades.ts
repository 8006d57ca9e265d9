/**
 * Which protocols a request may change its connection to (RFC 9110 §7.8). `Upgrade` and `Connection`
 * end at this hop; for protocols that the route allows we say them anew, on both sides.
 */
import type { ErrorCode } from '../base/errors.ts'
import { connectionOptions } from '../wire/http1/framing.ts'
import { fieldId } from '../wire/http1/fields.ts'
import type { Head } from '../wire/http1/head.ts'
import type { Inbound } from '../wire/inbound.ts'
import type { Tunnel } from '../wire/tunnel.ts'
import type { Timeouts } from './snapshot.ts'

const upgradeId = fieldId('upgrade')
const none: readonly string[] = []

/** What the client asks for and the route allows, in lower case; mostly nothing. */
export function upgradesAskedFor(inbound: Inbound, allowed: readonly string[]): readonly string[] {
  const { head } = inbound
  if (!head.hasKnown(upgradeId) || allowed.length === 0) return none
  // Only HTTP/1.1 upgrades, and a body would have to end before the new protocol can begin.
  const canUpgrade =
    inbound.upgrade !== undefined && head.minorVersion === 1 && inbound.bodyFraming === 'none'
  const isMeant = connectionOptions(head).named.some(({ name }) => name === 'upgrade')
  if (!canUpgrade || !isMeant) return none
  const asked = (head.combinedValue('upgrade') ?? '').toLowerCase().split(',')
  return asked.map((protocol) => protocol.trim()).filter((protocol) => allowed.includes(protocol))
}

/** The two lines that go with an upgrade, each with CRLF; empty for no protocols. */
export function upgradeLines(protocols: readonly string[]): string {
  return protocols.length === 0 ? '' : `connection: upgrade\r\nupgrade: ${protocols.join(', ')}\r\n`
}

/** The same for the answer, which names the protocols that the upstream has chosen. */
export function upgradeAnswerLines(head: Head): string {
  return `connection: upgrade\r\nupgrade: ${head.combinedValue('upgrade') ?? ''}\r\n`
}

/** The time limit that a tunnel has reached. */
export function tunnelExcess(
  { activeAtMs, startedAtMs }: Tunnel,
  timeouts: Timeouts | undefined,
  nowMs: number,
): Extract<ErrorCode, `tunnel.${string}`> | undefined {
  if (timeouts === undefined) return undefined
  if (nowMs - activeAtMs > timeouts.tunnelIdleMs) return 'tunnel.idle_timeout'
  const { tunnelTotalMs } = timeouts
  const isTooOld = tunnelTotalMs !== undefined && nowMs - startedAtMs > tunnelTotalMs
  return isTooOld ? 'tunnel.total_timeout' : undefined
}
