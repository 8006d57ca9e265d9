/**
 * Builds outgoing heads by splicing: our lines, then the received field lines that pass on, copied
 * in runs, then the first bytes of the body, all in one buffer for one write.
 */
import { HeadgateError } from '../../base/errors.ts'
import { isFramingField } from '../../base/framing-fields.ts'
import { fieldValueBytes, tokenLower } from './characters.ts'
import {
  cachedFieldKey,
  type FieldKey,
  fieldId,
  type KnownField,
  knownFieldCount,
} from './fields.ts'
import type { Head } from './head.ts'

/** Known ids that do not pass on: 1 at their index. */
export type DropTable = Uint8Array

export function dropTable(names: readonly KnownField[]): DropTable {
  const table = new Uint8Array(knownFieldCount)
  for (const name of names) table[fieldId(name)] = 1
  return table
}

export const dropNothing: DropTable = dropTable([])

/** Changes to the fields of a head, recorded by policies and by the proxy itself. */
export class FieldEditList {
  /** Names whose received lines do not pass on. */
  readonly removed: FieldKey[] = []
  /** Lines to add. */
  readonly #added: (readonly [name: string, value: string])[] = []

  set(name: string, value: string): void {
    this.remove(name)
    this.add(name, value)
  }

  add(name: string, value: string): void {
    requireValidField(name, value)
    this.#added.push([name, value])
  }

  remove(name: string): void {
    if (isOwnField(name)) requireValidField(name, '')
    this.removed.push(cachedFieldKey(name))
    for (let index = this.#added.length - 1; index >= 0; index--) {
      if (this.#added[index]?.[0] === name) this.#added.splice(index, 1)
    }
  }

  /** The value that an edit gives a field; undefined when no edit adds it. */
  valueOf(name: string): string | undefined {
    return this.#added.find((line) => line[0] === name)?.[1]
  }

  hasRemoved(name: string): boolean {
    return this.removed.some((key) => key.name === name)
  }

  /** `name: value\r\n` for every added line. */
  lines(): string {
    let text = ''
    for (const [name, value] of this.#added) text += `${name}: ${value}\r\n`
    return text
  }
}

/** The proxy writes these itself. */
function isOwnField(name: string): boolean {
  return name === 'host' || isFramingField(name)
}

/** Nothing that could end a line or a name early, or the message itself, may get into a head. */
function requireValidField(name: string, value: string): void {
  let isValid = name !== '' && !isOwnField(name)
  for (let index = 0; index < name.length; index++) {
    if (tokenLower[name.charCodeAt(index)] !== name.charCodeAt(index)) isValid = false
  }
  for (let index = 0; index < value.length; index++) {
    if (fieldValueBytes[value.charCodeAt(index)] !== 1) isValid = false
  }
  if (isValid) return
  throw new HeadgateError('policy.failed', {
    message: `a policy set the header field ${JSON.stringify(name)} in a way that no policy may: names are lower case and none of those that frame the message, values have no line breaks or control characters`,
  })
}

export type HeadParts = {
  /** Start line and our own lines, each with CRLF. Characters up to U+00FF only. */
  readonly text: string
  /** Received head whose fields pass on. */
  readonly source: Head | undefined
  readonly drop: DropTable
  /** More names that do not pass on. */
  readonly removed: readonly FieldKey[]
}

const noKeys: readonly FieldKey[] = []

export function composeHead(parts: HeadParts, body: Buffer | undefined): Buffer {
  const { text, source } = parts
  const sourceSize = source === undefined ? 0 : source.fieldsEnd - source.fieldsStart
  const size = text.length + sourceSize + 2 + (body === undefined ? 0 : body.length)
  const target = Buffer.allocUnsafe(size)
  let position = target.write(text, 0, 'latin1')
  if (source !== undefined)
    position = copyFields(target, position, source, parts.drop, parts.removed)
  target[position++] = 0x0d
  target[position++] = 0x0a
  if (body !== undefined) {
    body.copy(target, position)
    position += body.length
  }
  return position === size ? target : target.subarray(0, position)
}

function copyFields(
  target: Buffer,
  offset: number,
  source: Head,
  drop: DropTable,
  removed: readonly FieldKey[] = noKeys,
): number {
  let position = offset
  let runStart = source.fieldsStart
  for (let index = 0; index < source.fieldCount; index++) {
    const isDropped =
      drop[source.idAt(index)] === 1 || (removed.length > 0 && isRemoved(source, index, removed))
    if (!isDropped) continue
    const runEnd = source.nameStart(index)
    if (runEnd > runStart) position += source.bytes.copy(target, position, runStart, runEnd)
    runStart = source.lineEnd(index)
  }
  if (source.fieldsEnd > runStart) {
    position += source.bytes.copy(target, position, runStart, source.fieldsEnd)
  }
  return position
}

function isRemoved(source: Head, index: number, removed: readonly FieldKey[]): boolean {
  const hash = source.hashAt(index)
  for (const key of removed) {
    if (key.hash === hash && source.indexOf(key, index) === index) return true
  }
  return false
}
