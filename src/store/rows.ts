/** Rows to values. What stands in the file is not trusted: a damaged row is an error that says so. */
import { HeadgateError } from '../base/errors.ts'
import { s } from '../base/schema.ts'
import type { Resource } from '../kinds/define-kind.ts'
import type { Row } from './sql.ts'
import type { ResourceKey, StoredResource } from './store.ts'

/** The envelope only: the spec is checked by its kind when it is admitted. */
const resourceSchema = s.object({
  kind: s.string(),
  name: s.string(),
  workspace: s.string(),
  labels: s.record(s.string(), s.string()),
  description: s.string().optional(),
  owner: s.string().optional(),
  spec: s.unknown(),
})

const mapSchema = s.record(s.string(), s.unknown())

export function text(row: Row, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw damaged(column)
  return value
}

export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column)
}

export function integer(row: Row, column: string): number {
  const value = row[column]
  if (typeof value !== 'number') throw damaged(column)
  return value
}

export function json(row: Row, column: string): Readonly<Record<string, unknown>> {
  return parseAs(mapSchema, text(row, column), column)
}

export function keyOf(row: Row): ResourceKey {
  return { workspace: text(row, 'workspace'), kind: text(row, 'kind'), name: text(row, 'name') }
}

export function resource(row: Row, column: string): Resource {
  return parseAs(resourceSchema, text(row, column), column)
}

export function storedResource(row: Row): StoredResource {
  return {
    ...resource(row, 'body'),
    revision: integer(row, 'revision'),
    createdAt: text(row, 'created_at'),
    updatedAt: text(row, 'updated_at'),
    managedBy: text(row, 'managed_by'),
  }
}

/** The text that is stored and compared. Keys in a fixed order; the spec keeps the order it came in. */
export function resourceText(value: Resource): string {
  const { kind, name, workspace, description, owner, spec } = value
  const labels = Object.fromEntries(
    Object.entries(value.labels).sort(([left], [right]) => (left < right ? -1 : 1)),
  )
  return JSON.stringify({ kind, name, workspace, labels, description, owner, spec })
}

function parseAs<Value>(schema: s.ZodType<Value>, body: string, column: string): Value {
  try {
    return schema.parse(JSON.parse(body))
  } catch (thrown) {
    throw damaged(column, thrown)
  }
}

function damaged(column: string, cause?: unknown): HeadgateError {
  return new HeadgateError('store.failed', {
    message: `The database holds a damaged value in \`${column}\`; restore the data folder from a backup`,
    cause,
  })
}
