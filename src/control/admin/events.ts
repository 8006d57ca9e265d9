/**
 * `GET /api/v1/events`: what changes, as server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html). The `id` of an event is its
 * sequence number in the store, which resumes after `Last-Event-ID`; where that is no longer possible
 * an event `reset` tells the reader to read everything afresh. An event names the objects that changed
 * and does not carry them, so that it stays small; run-time state, which is small, it does carry. A reader that does not keep up is cut
 * off and may resume; nothing is buffered for it beyond a bound.
 */
import { suggestion } from '../../base/did-you-mean.ts'
import { HeadgateError } from '../../base/errors.ts'
import { s } from '../../base/schema.ts'
import type { RevisionChange, StoreEvent } from '../../store/store.ts'
import type { AdminCounters } from './counters.ts'
import { type AdminDeps, adminLimits } from './deps.ts'
import { openEventStream } from './event-stream.ts'
import { type Call, defineOperation, type Operation } from './operation.ts'

const eventsQuery = s.strictObject({
  kind: s.string().max(63).optional().describe('Only what concerns objects of this kind.'),
  name: s.string().max(63).optional().describe('Only what concerns objects of this name.'),
})

type Filter = s.infer<typeof eventsQuery>

export function eventsOperation(deps: AdminDeps, counters: AdminCounters): Operation {
  return defineOperation({
    id: 'watchEvents',
    method: 'GET',
    path: '/api/v1/events',
    tag: 'gateway',
    summary: 'Streams changes as server-sent events, with resume and heartbeats.',
    description:
      'Events: `revision` (the definition changed), `runtime` (an operation changed run-time state), `reset` (events were missed: read everything afresh). Data is JSON of the schema `Event`.',
    access: 'read',
    query: eventsQuery,
    headers: { 'Last-Event-ID': 'Id of the last event seen: the stream goes on after it.' },
    responses: { 200: { description: 'The stream.', mediaType: 'text/event-stream' } },
    handle(call) {
      checkFilter(call.query, deps)
      const after = lastEventId(call)
      if (counters.eventReaders >= adminLimits.eventReadersMax) {
        throw new HeadgateError('admin.too_many_streams', {
          message: `There are ${counters.eventReaders} event streams, which is the limit.`,
          detail: { limit: adminLimits.eventReadersMax },
        })
      }
      const headers = { 'content-type': 'text/event-stream; charset=utf-8' }
      // A HEAD request comes here too, and nobody would ever close its stream.
      if (call.request.method === 'HEAD') return new Response(null, { headers })
      const body = openEventStream({
        clock: deps.clock,
        counters,
        closing: call.closing,
        disconnect: () => call.disconnect(),
        subscribe: (onEvent) => subscribe(deps, call.query, after, onEvent),
      })
      return new Response(body, { headers })
    },
  })
}

/** Passes matching events on as text; `isComplete` is false when some were missed since `after`. */
function subscribe(
  deps: AdminDeps,
  filter: Filter,
  after: number | undefined,
  onEvent: (text: string) => void,
): { isComplete: boolean; close(): void } {
  const watch = deps.control.watch(
    (event) => {
      const text = eventText(event, filter)
      if (text !== undefined) onEvent(text)
    },
    after === undefined ? {} : { after },
  )
  return { isComplete: after === undefined || watch.isComplete, close: () => watch.close() }
}

/** The event as it goes over the wire; undefined when the filter leaves nothing of it. */
export function eventText(event: StoreEvent, filter: Filter): string | undefined {
  const isWanted = ({ key }: Pick<RevisionChange, 'key'>) =>
    (filter.kind === undefined || filter.kind === key.kind) &&
    (filter.name === undefined || filter.name === key.name)
  const head = `id: ${event.sequence}\nevent: ${event.type}\n`
  if (event.type === 'runtime') {
    if (!isWanted(event)) return undefined
    const { type, sequence, key, state } = event
    return `${head}data: ${JSON.stringify({ type, sequence, key, state })}\n\n`
  }
  const { changes, ...revision } = event.revision
  const wanted = changes.filter(isWanted)
  if (wanted.length === 0) return undefined
  const shown = wanted.slice(0, adminLimits.eventChangesMax).map(({ key, before, after }) => ({
    action: before === undefined ? 'create' : after === undefined ? 'delete' : 'change',
    key,
  }))
  const changesOmitted = wanted.length - shown.length
  const data = {
    type: event.type,
    sequence: event.sequence,
    revision: { ...revision, changes: shown },
    ...(changesOmitted > 0 && { changesOmitted }),
  }
  return `${head}data: ${JSON.stringify(data)}\n\n`
}

function checkFilter(filter: Filter, deps: AdminDeps): void {
  const known = deps.kinds.map(({ kind }) => kind)
  if (filter.kind === undefined || known.includes(filter.kind)) return
  const message = `must be one of ${known.map((kind) => `\`${kind}\``).join(', ')}`
  const hint = suggestion(filter.kind, known)
  throw new HeadgateError('admin.invalid_request', {
    message: `The query parameter \`kind\` ${message}.`,
    detail: {
      errors: [
        {
          parameter: 'kind',
          code: 'config.bad_value',
          message,
          ...(hint !== undefined && { suggestion: hint }),
        },
      ],
    },
  })
}

function lastEventId(call: Call): number | undefined {
  const text = call.request.headers.get('last-event-id')?.trim()
  if (text === undefined || text === '') return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const message = 'must be the `id` of an event of this gateway, a whole number'
  throw new HeadgateError('admin.invalid_request', {
    message: `\`Last-Event-ID\` ${message}.`,
    detail: { errors: [{ parameter: 'Last-Event-ID', code: 'config.bad_value', message }] },
  })
}
