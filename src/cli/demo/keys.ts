/** Single keys on a terminal, the first letter of each line elsewhere. */
import type { InputStream } from '../deps.ts'

const interruptKey = '\u0003'
const lineCharactersMax = 4_096

/** Calls `onKey` with a lower-case letter, or `q` for Ctrl-C in raw mode, until closed. */
export function readKeys(input: InputStream, onKey: (key: string) => void): { close(): void } {
  const isRaw = input.isTTY === true && input.setRawMode !== undefined
  if (isRaw) input.setRawMode?.(true)
  let rest = ''
  const onData = (chunk: Buffer | string) => {
    const text = chunk.toString()
    if (isRaw) {
      for (const key of text) onKey(key === interruptKey ? 'q' : key.toLowerCase())
      return
    }
    const lines = (rest + text).split('\n')
    rest = (lines.pop() ?? '').slice(0, lineCharactersMax)
    for (const line of lines) {
      const key = line.trim().charAt(0).toLowerCase()
      if (key !== '') onKey(key)
    }
  }
  input.on('data', onData)
  input.resume()
  return {
    close() {
      input.removeListener('data', onData)
      if (isRaw) input.setRawMode?.(false)
      input.pause()
    },
  }
}
