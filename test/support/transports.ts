import { equal } from 'node:assert/strict'
import { before, describe } from 'node:test'
import { chooseTransport, type Transport } from '../../src/wire/tcp/open-stream.ts'

/** Defines the same tests twice: over Node's sockets and over bare handles. */
export function onEachTransport(define: (transport: Transport) => void): void {
  for (const transport of ['socket', 'handle'] as const) {
    describe(`over ${transport}s`, () => {
      before(async () => equal(await chooseTransport(transport), transport))
      define(transport)
    })
  }
}
