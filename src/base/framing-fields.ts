/**
 * Fields that frame a message or belong to one connection (RFC 9110 §7.6.1, RFC 9112 §6). The codec
 * alone writes them: a configuration or policy that could, could make two readers disagree on where
 * a message ends (RFC 9112 §11.2).
 */
export const framingFields: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Whether a name, in any case of letters, is one of them. */
export function isFramingField(name: string): boolean {
  return framingFields.has(name.toLowerCase())
}
