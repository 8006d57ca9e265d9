/** Durations, sizes, rates and shares: strings in resources, numbers in code. */

const durationUnitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const durationPattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)/

/**
 * Parses `"250ms"`, `"30s"`, `"1h30m"` to milliseconds; undefined when it is not a duration.
 * Units: ms, s, m, h, d. What no number can hold exactly is none.
 */
export function parseDuration(text: string): number | undefined {
  let rest = text
  let totalMs = 0
  while (rest !== '') {
    const match = durationPattern.exec(rest)
    if (match === null) return undefined
    totalMs += Number(match[1]) * (durationUnitsMs[match[2] ?? ''] ?? 0)
    rest = rest.slice(match[0].length)
  }
  // Finer than a microsecond is an artefact of binary fractions: 1.001 s are not 1000.9999… ms.
  totalMs = Math.round(totalMs * 1_000) / 1_000
  return text === '' || totalMs > Number.MAX_SAFE_INTEGER ? undefined : totalMs
}

/** Writes milliseconds in the shortest form that `parseDuration` reads back: `90000` to `"1m30s"`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  let rest = ms
  let text = ''
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const unitMs = durationUnitsMs[unit] ?? 1
    const count = unit === 'ms' ? rest : Math.floor(rest / unitMs)
    if (count > 0) text += `${count}${unit}`
    rest = Math.round((rest - count * unitMs) * 1_000) / 1_000
  }
  return text
}

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
}

/** Parses `"512B"`, `"64KiB"`, `"10MB"` to bytes; undefined when it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|KiB|MiB|GiB)$/.exec(text)
  if (match === null) return undefined
  const bytes = Math.round(Number(match[1]) * (sizeUnits[match[2] ?? ''] ?? 0))
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

export type Rate = { readonly count: number; readonly periodMs: number }

/** Parses `"100/min"`, `"5/s"`, `"10/30s"` to a count per period; undefined when it is not a rate. */
export function parseRate(text: string): Rate | undefined {
  const match = /^(\d+)\/(?:(s|sec|second|m|min|minute|h|hour|d|day)|(\d+(?:ms|s|m|h|d)))$/.exec(
    text,
  )
  if (match === null) return undefined
  const word = match[2]
  const periodMs =
    word === undefined ? parseDuration(match[3] ?? '') : durationUnitsMs[word.charAt(0)]
  const count = Number(match[1])
  if (periodMs === undefined || periodMs === 0 || !Number.isSafeInteger(count)) return undefined
  return { count, periodMs }
}

/** One whole in basis points, the unit of every traffic weight. */
export const basisPointsWhole = 10_000

/** Parses `"5%"`, `"0.25%"` to basis points; undefined when it is not a share or is finer than 0.01 %. */
export function parseShare(text: string): number | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,2})?)%$/.exec(text)
  if (match === null) return undefined
  const basisPoints = Math.round(Number(match[1]) * 100)
  return basisPoints <= basisPointsWhole ? basisPoints : undefined
}

/** Writes basis points as `parseShare` reads them: `525` to `"5.25%"`. */
export function formatShare(basisPoints: number): string {
  return `${basisPoints / 100}%`
}
