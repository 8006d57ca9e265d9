import type { Exchange } from './exchange.ts'

/**
 * The last phase of every exchange, whatever became of it: counters, histograms and the call record.
 * Runs before the last bytes are handed to the kernel, while the head is still valid.
 */
export function settle(exchange: Exchange): void {
  const { services, activeRoute, version } = exchange
  const durationUs = Math.round((services.clock.now() - exchange.startedAtMs) * 1_000)
  const { status, requestBytes, responseBytes, isAnsweredByGateway } = exchange
  if (activeRoute !== undefined) {
    activeRoute.series.leave()
    activeRoute.series.observe(status, durationUs, requestBytes, responseBytes, isAnsweredByGateway)
  }
  if (version !== undefined) {
    version.series.observe(status, durationUs, requestBytes, responseBytes, isAnsweredByGateway)
    if (exchange.upstreamMs >= 0)
      version.series.observeUpstream(Math.round(exchange.upstreamMs * 1_000))
  }
  services.record(exchange, durationUs)
}
