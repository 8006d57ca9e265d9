/** Commits the next number again and again, and prints each number once it is committed. */
import { writeSync } from 'node:fs'
import { systemClock } from '../../base/clock.ts'
import { systemRandom } from '../../base/random.ts'
import { defaultWorkspace } from '../../kinds/define-kind.ts'
import { openSqliteStore } from '../sqlite.ts'
import type { Change } from '../store.ts'

const path = process.argv[2] ?? ''
const store = await openSqliteStore(path, { clock: systemClock(), random: systemRandom() })
const key = (name: string) => ({ workspace: defaultWorkspace, kind: 'App', name })

for (let number = (await store.currentRevision()) + 1; ; number++) {
  const put = (name: string): Change => ({
    type: 'put',
    resource: { ...key(name), labels: {}, spec: { number } },
    managedBy: 'test',
  })
  await store.commit(
    [put('first'), put('second')],
    { actor: 'child', origin: 'test' },
    {
      runtime: [{ key: key('first'), state: { number } }],
      values: new Map([['number', String(number)]]),
    },
  )
  writeSync(1, `${number}\n`)
}
