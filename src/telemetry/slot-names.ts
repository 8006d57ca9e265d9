/** What the slots of a snapshot are called. A slot never changes its name. */
export type SlotName = {
  readonly family: 'route' | 'version' | 'endpoint' | 'app'
  readonly slot: number
  /** `books` for a route or an app, `books/v1` for a version, `books/v1/http://…` for an endpoint. */
  readonly name: string
}

/** Shared by all names that found no slot of their own, so that it has no one name. */
const sharedSlot = 0

/** What to call a slot, also one whose name is not known (yet). */
export function slotText(slot: number, name: string | undefined): string {
  if (slot === sharedSlot) return '(others)'
  return name ?? `#${slot}`
}

/** The two parts of the name of a version. */
export function versionParts(name: string): { upstream: string; version: string } {
  const slash = name.lastIndexOf('/')
  return { upstream: name.slice(0, Math.max(0, slash)), version: name.slice(slash + 1) }
}

/** The address in the name of an endpoint. */
export function endpointUrl(name: string): string {
  const afterUpstream = name.indexOf('/') + 1
  return name.slice(name.indexOf('/', afterUpstream) + 1)
}
