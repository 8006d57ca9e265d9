/** Turns valid messages into ones that are nearly valid, which find more than noise does. */
import type { Random } from '../../src/base/random.ts'

/** What parsers stumble over. */
const tokens = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '\0',
  '\x7f',
  '\x80',
  '\xff',
  '0',
  '-1',
  '+',
  '0x',
  'ffffffff',
  '99999999999999999999',
  'chunked',
  'identity',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'Connection: close\r\n',
  'Connection: content-length\r\n',
  'Host: b\r\n',
  'Expect: 100-continue\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/0.9',
  '/../',
  '%2e%2e/',
  '%00',
  '//',
  '\\',
  '?',
  '#',
  '0\r\n\r\n',
  '1\r\nZ\r\n',
] as const

const changesMax = 4

export function mutate(text: string, random: Random): string {
  const below = (limit: number) => Math.floor(random.fraction() * limit)
  let mutated = text
  for (let count = 1 + below(changesMax); count > 0; count--) {
    const at = below(mutated.length + 1)
    const length = 1 + below(8)
    const before = mutated.slice(0, at)
    const after = mutated.slice(at)
    switch (below(6)) {
      case 0:
        mutated = before + (tokens[below(tokens.length)] ?? '') + after
        break
      case 1:
        mutated = before + after.slice(length)
        break
      case 2:
        mutated = before + String.fromCharCode(below(256)) + after.slice(1)
        break
      case 3:
        mutated = before + after.slice(0, length * 4) + after
        break
      case 4:
        mutated = before + (tokens[below(tokens.length)] ?? '') + after.slice(length)
        break
      default: {
        const from = below(mutated.length + 1)
        mutated = before + mutated.slice(from, from + length * 4) + after
      }
    }
  }
  return mutated
}

/** The text in a few pieces. */
export function pieces(text: string, random: Random): string[] {
  if (random.fraction() < 0.6) return [text]
  const cut = Math.floor(random.fraction() * text.length)
  return [text.slice(0, cut), text.slice(cut)]
}
