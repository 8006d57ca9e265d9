/** What the admin API counts about itself, shown with the metrics of the gateway. */

export type AdminCounters = {
  /** By class of status: `2xx` … `5xx`. */
  readonly answers: Map<string, number>
  wrongTokens: number
  throttled: number
  eventReaders: number
  /** Readers of events that were too slow and were cut off. */
  eventReadersCutOff: number
  idempotentReplays: number
}

export function createCounters(): AdminCounters {
  return {
    answers: new Map(['2xx', '3xx', '4xx', '5xx'].map((name) => [name, 0])),
    wrongTokens: 0,
    throttled: 0,
    eventReaders: 0,
    eventReadersCutOff: 0,
    idempotentReplays: 0,
  }
}

export function countAnswer(counters: AdminCounters, status: number): void {
  const name = `${Math.floor(status / 100)}xx`
  counters.answers.set(name, (counters.answers.get(name) ?? 0) + 1)
}

const endMark = '# EOF'

/** Adds our counters to OpenMetrics text, before its end mark (OpenMetrics 1.0, "Overall Structure"). */
export function withCounters(metrics: string, counters: AdminCounters): string {
  const text = metrics.trimEnd()
  const body = text.endsWith(endMark) ? text.slice(0, -endMark.length).trimEnd() : text
  const lines = [
    ...family('headgate_admin_answers', 'counter', 'Answers of the admin API.'),
    ...[...counters.answers].map(
      ([status, count]) => `headgate_admin_answers_total{status="${status}"} ${count}`,
    ),
    ...counter('headgate_admin_wrong_tokens', 'Calls with a wrong token.', counters.wrongTokens),
    ...counter('headgate_admin_throttled', 'Calls refused after wrong tokens.', counters.throttled),
    ...family('headgate_admin_event_readers', 'gauge', 'Open event streams.'),
    `headgate_admin_event_readers ${counters.eventReaders}`,
    ...counter(
      'headgate_admin_event_readers_cut_off',
      'Event streams ended because their reader was too slow.',
      counters.eventReadersCutOff,
    ),
    ...counter(
      'headgate_admin_idempotent_replays',
      'Answers given again for a repeated Idempotency-Key.',
      counters.idempotentReplays,
    ),
    endMark,
  ]
  return `${body === '' ? '' : `${body}\n`}${lines.join('\n')}\n`
}

function family(name: string, type: string, help: string): string[] {
  return [`# TYPE ${name} ${type}`, `# HELP ${name} ${help}`]
}

function counter(name: string, help: string, value: number): string[] {
  return [...family(name, 'counter', help), `${name}_total ${value}`]
}
