import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { completeLock, missingFromLock } from './complete-lock.ts'

const lock = (packages: Record<string, unknown>) => JSON.stringify({ lockfileVersion: 3, packages })

const parser = {
  version: '1.2.3',
  resolved: 'https://example.test/parser.tgz',
  license: 'MIT',
  dev: true,
  optionalDependencies: { '@p/binding-linux-x64-musl': '1.2.3', '@p/binding-win32-x64': '1.2.3' },
}

test('an optional package without an entry is missing, wherever its parent lies', () => {
  const text = lock({
    'node_modules/a/node_modules/parser': parser,
    'node_modules/@p/binding-win32-x64': {},
  })
  deepEqual(missingFromLock(text), ['@p/binding-linux-x64-musl'])
})

test('a completed lock misses nothing, has no addresses and stays as it is when completed again', () => {
  const completed = completeLock(lock({ '': {}, 'node_modules/parser': parser }))
  deepEqual(missingFromLock(completed), [])
  equal(completed.includes('resolved'), false)
  equal(completeLock(completed), completed)
  deepEqual(JSON.parse(completed).packages['node_modules/@p/binding-linux-x64-musl'], {
    version: '1.2.3',
    cpu: ['x64'],
    dev: true,
    libc: ['musl'],
    license: 'MIT',
    optional: true,
    os: ['linux'],
  })
})

test('a package whose name tells no platform is not made up', () => {
  const text = lock({ 'node_modules/a': { optionalDependencies: { fancy: '1.0.0' } } })
  throws(() => completeLock(text), /tells no platform/)
})
