/**
 * Field names by number. Names that the gateway itself acts on have an id, found while scanning by a
 * hash that is then verified byte for byte (a forged collision must not pass for `content-length`).
 * Every field keeps its hash, so that policies find any other name without making strings.
 */

/** In lower case. The position plus one is the id; 0 means: none of these. */
export const knownFields = [
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
  'traceparent',
  'tracestate',
  'proxy-authorization',
  'proxy-authenticate',
  'date',
  'server',
  'content-type',
  'http2-settings',
  'client-cert',
  'client-cert-chain',
] as const

export type KnownField = (typeof knownFields)[number]

export const knownFieldCount = knownFields.length + 1

/** Id of a known field, from 1. */
export function fieldId(name: KnownField): number {
  return knownFields.indexOf(name) + 1
}

/** One step of the name hash; fed with lower-case bytes. */
export function hashStep(hash: number, lowerByte: number): number {
  return (Math.imul(hash, 31) + lowerByte) | 0
}

export type FieldKey = { readonly name: string; readonly hash: number; readonly bytes: Uint8Array }

/** Prepares a name for look-ups. `name` must be in lower case. */
export function fieldKey(name: string): FieldKey {
  const bytes = Buffer.from(name, 'latin1')
  let hash = 0
  for (const byte of bytes) hash = hashStep(hash, byte)
  return { name, hash, bytes }
}

const keysByName = new Map<string, FieldKey>()
const cachedKeysMax = 4_096

/** `fieldKey` remembered per name, for names that come as strings. */
export function cachedFieldKey(name: string): FieldKey {
  const cached = keysByName.get(name)
  if (cached !== undefined) return cached
  const key = fieldKey(name)
  // Names come from configuration and policies; a policy that makes them up must not grow memory.
  if (keysByName.size < cachedKeysMax) keysByName.set(name, key)
  return key
}

const knownKeys: readonly FieldKey[] = knownFields.map(fieldKey)
const slotMask = 1_023
const idBySlot = new Uint8Array(slotMask + 1)
for (const [index, key] of knownKeys.entries()) {
  let slot = key.hash & slotMask
  while (idBySlot[slot] !== 0) slot = (slot + 1) & slotMask
  idBySlot[slot] = index + 1
}

/** Id of the name in `bytes[start, end)` whose hash is `hash`, or 0. */
export function knownIdOf(bytes: Uint8Array, start: number, end: number, hash: number): number {
  let slot = hash & slotMask
  for (let id = idBySlot[slot] ?? 0; id !== 0; id = idBySlot[slot] ?? 0) {
    const key = knownKeys[id - 1]
    if (key !== undefined && key.hash === hash && isNameAt(bytes, start, end, key.bytes)) return id
    slot = (slot + 1) & slotMask
  }
  return 0
}

/** Whether the name in `bytes[start, end)` is `lowerName`, case aside. */
export function isNameAt(
  bytes: Uint8Array,
  start: number,
  end: number,
  lowerName: Uint8Array,
): boolean {
  if (end - start !== lowerName.length) return false
  for (let index = 0; index < lowerName.length; index++) {
    const byte = bytes[start + index] ?? 0
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    if (lower !== lowerName[index]) return false
  }
  return true
}
