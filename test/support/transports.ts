import { equal } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { chooseTransport, type Transport } from '../../src/wire/tcp/open-stream.ts'

/** Defines a test twice: over Node's sockets and over bare handles. */
export function testOnEachTransport(
  name: string,
  run: (t: TestContext, transport: Transport) => Promise<void>,
): void {
  for (const transport of ['socket', 'handle'] as const) {
    test(`${name} (over ${transport}s)`, async (t) => {
      equal(await chooseTransport(transport), transport)
      await run(t, transport)
    })
  }
}
