/**
 * Cursors of paged lists: the position of the last item, encoded so that nobody is tempted to read
 * or build one. They hold no secret and need no signature: a forged one only starts elsewhere.
 */
import { HeadgateError } from '../base/errors.ts'
import { s } from '../base/schema.ts'
import type { Page, Paged } from './store.ts'

/** More than this many items are never read for one page. */
export const pageItemsMax = 1_000

const cursorLengthMax = 1_024

export function encodeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/** The position in a cursor, checked by `schema`; throws `admin.invalid_request` for anything else. */
export function decodeCursor<Position>(cursor: string, schema: s.ZodType<Position>): Position {
  const position = cursor.length > cursorLengthMax ? undefined : parseJson(cursor)
  const parsed = schema.safeParse(position)
  if (parsed.success) return parsed.data
  throw new HeadgateError('admin.invalid_request', {
    message: '`after` must be the `next` of an earlier answer, unchanged',
  })
}

function parseJson(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch (thrown) {
    // Not JSON is not a cursor; the schema refuses what stands in for it, with the one message.
    return thrown
  }
}

export const numberPosition = s.tuple([s.int().min(0)])
export const keyPosition = s.tuple([s.string(), s.string()])

export function pageSize(page: Page | undefined): number {
  return Math.min(Math.max(Math.floor(page?.limit ?? pageItemsMax), 1), pageItemsMax)
}

/** Cuts a page out of one item more than it holds: that one proves that there is a next page. */
export function pageOf<Item>(
  items: readonly Item[],
  limit: number,
  positionOf: (item: Item) => readonly (string | number)[],
): Paged<Item> {
  const shown = items.slice(0, limit)
  const last = shown.at(-1)
  if (items.length <= limit || last === undefined) return { items: shown }
  return { items: shown, next: encodeCursor(positionOf(last)) }
}
