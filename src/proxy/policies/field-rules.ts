/** Which field lines a policy may write, and what their values may hold. */
import { isFramingField } from '../../base/framing-fields.ts'
import { s } from '../../base/schema.ts'

const namePattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const forbiddenInValue = /[^\t\x20-\x7e\x80-\xff]/
const notPrintableAscii = /[^\x20-\x7e]/

/** Whether a policy may write a field of this name, in any case of letters. */
export function isWritableField(name: string): boolean {
  return namePattern.test(name) && !isFramingField(name)
}

/** Whether the text may stand as a field value: no CR, LF, NUL or other control (RFC 9110 §5.5). */
export function isFieldValue(value: string): boolean {
  return !forbiddenInValue.test(value)
}

/** Text from outside made fit for a field value: what is not printable ASCII is percent-encoded. */
export function fieldSafe(text: string): string {
  // A lone surrogate has no UTF-8 form, and encodeURIComponent throws on it.
  return notPrintableAscii.test(text)
    ? text.toWellFormed().replace(/[^\x20-\x7e]+/g, encodeURIComponent)
    : text
}

/** A field name, in lower case, that a policy may write. */
export function writableFieldName() {
  return s.fieldName().refine(isWritableField, {
    message:
      'belongs to the connection or frames the message, so the gateway alone writes it; remove it here',
  })
}

/** A literal field value: visible ASCII, spaces between. */
export function fieldValue(charsMax = 4_096) {
  return s
    .string()
    .max(charsMax)
    .regex(/^(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?$/, {
      message: 'must be printable ASCII without line breaks and without spaces at either end',
    })
}
