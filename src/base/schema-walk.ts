/**
 * Reads the structure of a schema: which keys a map may have, what lies below a key, and whether
 * everything in it is bounded. zod keeps this in `_zod.def`, which is its public interface for
 * libraries (https://zod.dev/library-authors); nothing else of ours touches it.
 */
import { s } from './schema.ts'

type Schema = s.core.$ZodType

/**
 * The schemas that a value may be judged by, with wrappers (optional, default, transforms) taken
 * off and unions spread out.
 */
export function alternativesOf(schema: Schema): Schema[] {
  const inner = unwrap(schema)
  if (inner === undefined) return [schema]
  return inner.flatMap(alternativesOf)
}

/** One layer off, or undefined when there is none. */
function unwrap(schema: Schema): readonly Schema[] | undefined {
  if (schema instanceof s.core.$ZodOptional) return [schema._zod.def.innerType]
  if (schema instanceof s.core.$ZodNullable) return [schema._zod.def.innerType]
  if (schema instanceof s.core.$ZodDefault) return [schema._zod.def.innerType]
  if (schema instanceof s.core.$ZodPrefault) return [schema._zod.def.innerType]
  if (schema instanceof s.core.$ZodNonOptional) return [schema._zod.def.innerType]
  if (schema instanceof s.core.$ZodReadonly) return [schema._zod.def.innerType]
  if (schema instanceof s.core.$ZodCatch) return [schema._zod.def.innerType]
  if (schema instanceof s.core.$ZodLazy) return [schema._zod.innerType]
  if (schema instanceof s.core.$ZodPipe) {
    // `preprocess` is a pipe that begins with a transform: what may be written is its output.
    const isPreprocess = schema._zod.def.in instanceof s.core.$ZodTransform
    return [isPreprocess ? schema._zod.def.out : schema._zod.def.in]
  }
  if (schema instanceof s.core.$ZodUnion) return schema._zod.def.options
  if (schema instanceof s.core.$ZodIntersection) {
    return [schema._zod.def.left, schema._zod.def.right]
  }
  return undefined
}

/** The schemas of what stands under `key` (of a map) or at an index (of a list). */
export function childrenOf(schemas: readonly Schema[], key: string | number): Schema[] {
  return schemas.flatMap((schema) => {
    const child = childOf(schema, key)
    return child === undefined ? [] : alternativesOf(child)
  })
}

function childOf(schema: Schema, key: string | number): Schema | undefined {
  if (schema instanceof s.core.$ZodArray) return schema._zod.def.element
  if (schema instanceof s.core.$ZodRecord) return schema._zod.def.valueType
  if (!(schema instanceof s.core.$ZodObject)) return undefined
  const shape: Readonly<Record<string, Schema>> = schema._zod.def.shape
  return Object.hasOwn(shape, key) ? shape[key] : schema._zod.def.catchall
}

/** The schemas found by following `path` from `schema`; empty when it leads nowhere known. */
export function schemasAt(schema: Schema, path: readonly PropertyKey[]): Schema[] {
  let found = alternativesOf(schema)
  for (const key of path) {
    found = childrenOf(found, typeof key === 'symbol' ? String(key) : key)
  }
  return found
}

/** Keys that maps of these schemas name, in the order of definition. */
export function knownKeysOf(schemas: readonly Schema[]): string[] {
  const keys = schemas.flatMap((schema) =>
    schema instanceof s.core.$ZodObject ? Object.keys(schema._zod.def.shape) : [],
  )
  return [...new Set(keys)]
}

/** Whether a map judged by these schemas may only have the keys they name. */
export function isClosedMap(schemas: readonly Schema[]): boolean {
  const isClosed = (schema: Schema) =>
    schema instanceof s.core.$ZodObject && schema._zod.def.catchall instanceof s.core.$ZodNever
  const maps = schemas.filter((schema) => !isScalar(schema))
  return maps.length > 0 && maps.every(isClosed)
}

function isScalar(schema: Schema): boolean {
  return (
    schema instanceof s.core.$ZodString ||
    schema instanceof s.core.$ZodNumber ||
    schema instanceof s.core.$ZodBoolean ||
    schema instanceof s.core.$ZodEnum ||
    schema instanceof s.core.$ZodLiteral ||
    schema instanceof s.core.$ZodNull ||
    schema instanceof s.core.$ZodArray
  )
}

/**
 * `x-…` keys are for people and tools and mean nothing to us. They are taken out where a map has
 * a fixed set of keys; in free maps, such as header fields, they are ordinary keys.
 */
export function withoutExtensions(schema: Schema, value: unknown): unknown {
  // Most values have none; looking is much cheaper than walking the schema along.
  return hasExtension(value) ? stripBy(alternativesOf(schema), value) : value
}

function hasExtension(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(hasExtension)
  return Object.entries(value).some(([key, item]) => key.startsWith('x-') || hasExtension(item))
}

function stripBy(schemas: readonly Schema[], value: unknown): unknown {
  if (schemas.length === 0 || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const elements = schemas.filter((schema) => schema instanceof s.core.$ZodArray)
    const inner = childrenOf(elements, 0)
    return inner.length === 0 ? value : value.map((item) => stripBy(inner, item))
  }
  const maps = schemas.filter((schema) => !(schema instanceof s.core.$ZodArray))
  const known = isClosedMap(maps) ? new Set(knownKeysOf(maps)) : undefined
  const kept = Object.entries(value).filter(
    ([key]) => known === undefined || known.has(key) || !key.startsWith('x-'),
  )
  return Object.fromEntries(kept.map(([key, item]) => [key, stripBy(childrenOf(maps, key), item)]))
}

export type MarkedValue = {
  readonly path: readonly (string | number)[]
  readonly mark: unknown
  readonly value: unknown
}

/** Every value whose schema carries this key in its `.meta()`, with what it says there. */
export function markedValues(schema: Schema, value: unknown, key: string): MarkedValue[] {
  return marksBelow([schema], value, key)
}

function marksBelow(schemas: readonly Schema[], value: unknown, key: string): MarkedValue[] {
  const spread = schemas.flatMap(alternativesOf)
  const own = [...new Set([...schemas, ...spread])].find((each) => metaOf(each)[key] !== undefined)
  if (own !== undefined) return [{ path: [], mark: metaOf(own)[key], value }]
  if (typeof value !== 'object' || value === null) return []
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return entries.flatMap(([step, item]: readonly [string | number, unknown]) => {
    const children = spread.flatMap((each) => childOf(each, step) ?? [])
    return children.length === 0
      ? []
      : marksBelow(children, item, key).map((mark) => ({ ...mark, path: [step, ...mark.path] }))
  })
}

/**
 * Every place in a schema that sets no limit to what may be written: strings, lists and maps
 * without a maximum, and values of any kind. Each returned text is a path such as `match.hosts[]`.
 */
export function unboundedPlaces(schema: Schema, place = ''): string[] {
  const isBoundedByMeta = metaOf(schema).isBounded === true
  if (isBoundedByMeta) return []
  const inner = unwrap(schema)
  if (inner !== undefined) return inner.flatMap((each) => unboundedPlaces(each, place))
  const here = place === '' ? '(itself)' : place
  if (schema instanceof s.core.$ZodObject) {
    const shape: Readonly<Record<string, Schema>> = schema._zod.def.shape
    const isOpen =
      schema._zod.def.catchall !== undefined &&
      !(schema._zod.def.catchall instanceof s.core.$ZodNever)
    return [
      ...(isOpen ? [here] : []),
      ...Object.entries(shape).flatMap(([key, child]) =>
        unboundedPlaces(child, place === '' ? key : `${place}.${key}`),
      ),
    ]
  }
  if (schema instanceof s.core.$ZodArray) {
    const items = unboundedPlaces(schema._zod.def.element, `${place}[]`)
    return hasMaximum(schema, 'max_length') ? items : [here, ...items]
  }
  if (schema instanceof s.core.$ZodRecord) {
    const limits = metaOf(schema)
    return [
      ...(typeof limits.maxProperties === 'number' ? [] : [here]),
      ...unboundedPlaces(schema._zod.def.keyType, `${place}{key}`),
      ...unboundedPlaces(schema._zod.def.valueType, `${place}{}`),
    ]
  }
  if (schema instanceof s.core.$ZodString) return hasMaximum(schema, 'max_length') ? [] : [here]
  return isScalar(schema) ? [] : [here]
}

/** What `.meta()` and `.describe()` recorded. */
function metaOf(schema: Schema): Readonly<Record<string, unknown>> {
  return s.globalRegistry.get(schema) ?? {}
}

function hasMaximum(schema: Schema, check: string): boolean {
  const checks = schema._zod.def.checks ?? []
  const isFixedForm = schema instanceof s.core.$ZodISODateTime
  return isFixedForm || checks.some((each) => each._zod.def.check === check)
}
