/**
 * A call record as bytes in a ring: numbers at fixed places, then the lengths of the texts, then the
 * texts one after the other. Texts longer than their cap are cut; the caps bound a record to
 * `callBytesMax`, so that one reservation fits every record.
 */

/** Places of 64-bit floats, counted in floats from the start of the record. */
export const callFloat = {
  atMs: 0,
  durationUs: 1,
  upstreamUs: 2,
  requestBytes: 3,
  responseBytes: 4,
} as const

/** Places of 32-bit integers, counted in integers from the start of the record. */
export const callInt = {
  status: 10,
  attempts: 11,
  routeSlot: 12,
  versionSlot: 13,
  endpointSlot: 14,
  appSlot: 15,
} as const

/** The texts in their order, with the most bytes of each. */
export const callTexts = [
  { name: 'requestId', bytesMax: 128 },
  { name: 'clientAddress', bytesMax: 45 },
  { name: 'method', bytesMax: 32 },
  { name: 'host', bytesMax: 255 },
  { name: 'path', bytesMax: 512 },
  { name: 'reason', bytesMax: 64 },
  { name: 'traceId', bytesMax: 32 },
] as const

/** Two bytes each, low byte first. */
export const textLengthsAt = 64
export const textsAt = textLengthsAt + 2 * callTexts.length

export const callBytesMax = callTexts.reduce((sum, { bytesMax }) => sum + bytesMax, textsAt)

/** Default size of a worker's ring: some 7,000 records, a twentieth of a second at full load and more. */
export const callRingBytes = 2 * 1_024 * 1_024
