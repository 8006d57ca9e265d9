/**
 * Delivers events to watchers, each through its own queue, in microtasks: a watcher always has its
 * handle before its first event, and one that commits while it is being told sees no other order.
 * The queues need no bound of their own: they are empty again before the next task runs.
 */
import type { StoreEvent, Watch } from './store.ts'

export type Watchers = {
  /** `missed` are delivered first; undefined says that they are no longer known. */
  add(onEvent: (event: StoreEvent) => void, missed: readonly StoreEvent[] | undefined): Watch
  tell(events: readonly StoreEvent[]): void
  close(): void
}

export function createWatchers(): Watchers {
  const queues = new Map<(event: StoreEvent) => void, { events: StoreEvent[] }>()
  const push = (deliver: (event: StoreEvent) => void, events: readonly StoreEvent[]) => {
    const queue = queues.get(deliver)
    if (queue === undefined || events.length === 0) return
    for (const event of events) queue.events.push(event)
    if (queue.events.length === events.length) queueMicrotask(() => drain(deliver))
  }
  const drain = (deliver: (event: StoreEvent) => void) => {
    const queue = queues.get(deliver)
    const event = queue?.events[0]
    if (queue === undefined || event === undefined) return
    // Taken out only after the call: `push` from within must see that a drain is under way.
    try {
      deliver(event)
    } finally {
      queue.events.shift()
      if (queue.events.length > 0) queueMicrotask(() => drain(deliver))
    }
  }
  return {
    add(onEvent, missed) {
      // A function of its own per watch, so that one callback may watch twice.
      const deliver = (event: StoreEvent) => onEvent(event)
      queues.set(deliver, { events: [] })
      push(deliver, missed ?? [])
      return { isComplete: missed !== undefined, close: () => void queues.delete(deliver) }
    },
    tell(events) {
      for (const deliver of queues.keys()) push(deliver, events)
    },
    close: () => queues.clear(),
  }
}
