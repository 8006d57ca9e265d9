/** What the demo shows: a banner, and a line about what callers experience. Pure text. */
import { type Paint, plainPaint } from '../terminal.ts'
import type { DemoWorld, Observation } from './world.ts'

export const keyHelp =
  'Press u to shift more traffic to v2 · b to break or mend v2 · r to roll back to v1 · q to quit'

export type BannerOptions = {
  /** How the reader calls Headgate. */
  readonly command: string
  readonly version: string
  readonly runtime: string
  readonly paint: Paint
}

export function bannerText(
  world: DemoWorld,
  { command, version, runtime, paint }: BannerOptions,
): string {
  const gateway = world.listenUrl.replace('//0.0.0.0:', '//127.0.0.1:')
  const key = world.apps[0]?.apiKey.key ?? ''
  const label = (text: string) => paint.dim(text.padEnd(8))
  const token = world.ownerToken
  return [
    `${paint.bold(`Headgate ${version}`)} · demo world (in memory, nothing is stored) · ${runtime}`,
    `  ${label('gateway')} ${paint.cyan(gateway)}`,
    `  ${label('admin')} ${paint.cyan(world.adminUrl)}`,
    ...(token === undefined
      ? []
      : [`  ${label('token')} ${token}  ${paint.dim('(owner token of this demo, gone with it)')}`]),
    `  ${label('traffic')} 20 req/s from ${world.apps.length} demo apps → bookshop v1`,
    `  ${label('call it')} curl -H 'x-api-key: ${key}' ${gateway}/books`,
    ...(token === undefined
      ? []
      : [
          `  ${label('operate')} HEADGATE_TOKEN=${token} ${command} get upstreams${
            world.adminUrl === 'http://127.0.0.1:9090' ? '' : ` --server ${world.adminUrl}`
          }`,
        ]),
    keyHelp,
  ].join('\n')
}

/** `20.0 req/s · errors 0.0 % · p95 19 ms · v1 95 % v2 5 % (set 95/5)`. */
export function liveLine(world: DemoWorld, observation: Observation, paint: Paint): string {
  const { experience, v2PercentObserved: observed } = observation
  const set = world.v2Percent()
  const errors = `errors ${percentText(experience.errorShare)}`
  const v2 = experience.versions.get('v2')
  const shares =
    observed === undefined
      ? 'v1 –  v2 –'
      : `v1 ${(100 - observed).toFixed(0)} %  v2 ${observed.toFixed(0)} %`
  return [
    `${experience.requestsPerSecond.toFixed(1)} req/s`,
    experience.errorShare > 0 ? paint.red(errors) : paint.green(errors),
    `p95 ${experience.p95Ms.toFixed(0)} ms`,
    `${shares} ${paint.dim(`(set ${100 - set}/${set})`)}`,
    ...(v2 === undefined
      ? []
      : [`v2: errors ${percentText(v2.errorShare)}, p95 ${v2.p95Ms.toFixed(0)} ms`]),
    ...(world.isBroken() ? [paint.yellow('v2 is broken')] : []),
    ...(experience.lastError === undefined ? [] : [paint.dim(`last: ${experience.lastError}`)]),
  ].join(' · ')
}

/** The line on a terminal, where it is redrawn in place and must not wrap: colour is dropped first. */
export function liveLineWithin(
  columns: number,
  world: DemoWorld,
  { observation, paint }: { observation: Observation; paint: Paint },
): string {
  const plain = liveLine(world, observation, plainPaint)
  return plain.length < columns ? liveLine(world, observation, paint) : plain.slice(0, columns - 1)
}

function percentText(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
