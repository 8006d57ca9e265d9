import { equal, ok } from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { simulatedClock } from '../../base/clock.ts'
import type { AppEntry } from '../snapshot.ts'
import { apiKeyCharsMax, createAppDirectory, switchableAppDirectory } from './app-directory.ts'

function appWith(name: string, keys: readonly string[], expiresAtMs?: number): AppEntry {
  return {
    name,
    slot: 0,
    consumer: name,
    isSuspended: false,
    keys: keys.map((key, index) => ({
      name: `key-${index}`,
      sha256: hash('sha256', key),
      expiresAtMs,
    })),
  }
}

test('a key expires at its time although it was found before', () => {
  const clock = simulatedClock()
  const directory = createAppDirectory([appWith('a', ['k'], clock.wallMs() + 1_000)], { clock })
  equal(directory.find('k').found, true)
  clock.advance(999)
  equal(directory.find('k').found, true)
  clock.advance(1)
  const match = directory.find('k')
  equal(match.found ? 'found' : match.reason, 'expired')
})

test('the same key gives the same object again, so that a request allocates nothing', () => {
  const directory = createAppDirectory([appWith('a', ['k'])], { clock: simulatedClock() })
  equal(directory.find('k'), directory.find('k'))
  equal(directory.find('no'), directory.find('neither'))
})

test('each of 100,000 keys leads to its app, and expires from the cache without being lost', () => {
  const apps = Array.from({ length: 100_000 }, (_, index) => appWith(`app-${index}`, [`k${index}`]))
  const directory = createAppDirectory(apps, { clock: simulatedClock() })
  for (const round of [1, 2]) {
    for (let index = 0; index < apps.length; index++) {
      const match = directory.find(`k${index}`)
      ok(match.found && match.app.name === `app-${index}`, `key ${index} in round ${round}`)
    }
  }
})

test('a key of the greatest length is looked up, a longer one is unknown', () => {
  const longest = 'k'.repeat(apiKeyCharsMax)
  const directory = createAppDirectory([appWith('a', [longest, `${longest}k`])], {
    clock: simulatedClock(),
  })
  equal(directory.find(longest).found, true)
  equal(directory.find(`${longest}k`).found, false)
})

test('a switched directory answers from the new apps', () => {
  const clock = simulatedClock()
  const apps = switchableAppDirectory(createAppDirectory([appWith('a', ['k'])], { clock }))
  equal(apps.find('k').found, true)
  apps.switchTo(createAppDirectory([appWith('b', ['other'])], { clock }))
  equal(apps.find('k').found, false)
  equal(apps.find('other').found, true)
})
