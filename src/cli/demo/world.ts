/** Everything that runs in a demo, and the four things that a person can do to it. */
import { HeadgateError } from '../../base/errors.ts'
import type { HostPort } from '../../base/host-port.ts'
import type { RunningGateway, VersionTraffic } from '../../control/gateway-options.ts'
import { defaultWorkspace } from '../../kinds/define-kind.ts'
import { makeAppKey } from '../../control/app-key.ts'
import type { CliDeps } from '../deps.ts'
import {
  type Bookshop,
  type BookshopVersion,
  demoFaults,
  keyField,
  noFaults,
  startBookshop,
} from './bookshop.ts'
import { type Callers, type Experience, startCallers } from './callers.ts'
import { accountVariables, type DemoApp, demoDocument, demoUpstream } from './document.ts'

export type DemoWorld = {
  readonly listenUrl: string
  readonly adminUrl: string
  readonly ownerToken: string | undefined
  readonly apps: readonly DemoApp[]
  /** Share of v2 that is set now, in percent. */
  v2Percent(): number
  isBroken(): boolean
  /** What callers experience, and the share of v2 that the gateway counted, if it counted any. */
  observe(): Observation
  /** Each answers with a sentence about what it did. */
  upgrade(): Promise<string>
  toggleFaults(): string
  rollBack(): Promise<string>
  readonly failed: Promise<Error>
  close(): Promise<void>
}

export type Observation = {
  readonly experience: Experience
  /** From the gateway's own counters: percent of the requests that went to v2. */
  readonly v2PercentObserved: number | undefined
}

const upgradeSteps = [5, 25, 50, 100] as const
const drainMs = 2_000
/** Observations that are added up, so that 5 % of 20 requests is more than noise. */
const observationsKept = 5

export type DemoOptions = {
  readonly listen: HostPort
  readonly admin: HostPort
  readonly workers: number
  log(line: string): void
}

/** Starts shops, gateway and callers, in this order; when one cannot start, the others are closed again. */
export async function startDemoWorld(deps: CliDeps, options: DemoOptions): Promise<DemoWorld> {
  const apps = demoApps(deps)
  const v1 = await openShop('v1', deps)
  const v2 = await openShop('v2', deps)
  const closeShops = () => Promise.all([v1.shop.close(), v2.shop.close()])
  try {
    const gateway = await deps.startGateway({
      source: {
        type: 'document',
        name: 'demo',
        text: demoDocument({
          v1Url: v1.shop.url,
          v2Url: v2.shop.url,
          accountField: keyField,
          apps,
        }),
      },
      listen: options.listen,
      admin: options.admin,
      dataDir: undefined,
      workers: options.workers,
      drainMs,
      ownerToken: deps.env.HEADGATE_OWNER_TOKEN || undefined,
      newOwnerToken: false,
      env: { ...deps.env, [accountVariables.v1]: v1.key, [accountVariables.v2]: v2.key },
      log: options.log,
    })
    const callers = startCallers({
      url: gateway.listenUrl.replace('//0.0.0.0:', '//127.0.0.1:'),
      apps: apps.map(({ name, apiKey, weight }) => ({ name, key: apiKey.key, weight })),
      clock: deps.clock,
      random: deps.random,
    })
    return assemble({ gateway, callers, apps, v2: v2.shop, closeShops })
  } catch (thrown) {
    await closeShops()
    throw thrown
  }
}

function demoApps({ random }: CliDeps): DemoApp[] {
  return [
    { name: 'mobile-app', consumer: 'Readers Ltd', apiKey: makeAppKey(random), weight: 10 },
    { name: 'web-shop', consumer: 'Readers Ltd', apiKey: makeAppKey(random), weight: 7 },
    { name: 'partner-sync', consumer: 'Paper & Ink', apiKey: makeAppKey(random), weight: 3 },
  ]
}

async function openShop(
  version: BookshopVersion,
  { clock, random }: CliDeps,
): Promise<{ shop: Bookshop; key: string }> {
  const key = Buffer.from(random.secretBytes(16)).toString('hex')
  return { key, shop: await startBookshop({ version, key, clock, random }) }
}

type Parts = {
  readonly gateway: RunningGateway
  readonly callers: Callers
  readonly apps: readonly DemoApp[]
  readonly v2: Bookshop
  closeShops(): Promise<unknown>
}

function assemble({ gateway, callers, apps, v2, closeShops }: Parts): DemoWorld {
  let percent = 0
  let isBroken = false
  const counted: (readonly VersionTraffic[])[] = []
  const moveTo = async (next: number) => {
    const weights = { v1: `${100 - next}%`, v2: `${next}%` }
    const key = { workspace: defaultWorkspace, kind: 'Upstream', name: demoUpstream }
    await gateway.control.act(key, 'setSplit', { weights }, { actor: 'demo', origin: 'demo' })
    percent = next
    // What was counted before the move says nothing about it.
    counted.length = 0
    gateway.traffic()
  }
  return {
    listenUrl: gateway.listenUrl,
    adminUrl: gateway.adminUrl,
    ownerToken: gateway.ownerToken,
    apps,
    failed: gateway.failed,
    v2Percent: () => percent,
    isBroken: () => isBroken,
    observe() {
      counted.push(gateway.traffic())
      if (counted.length > observationsKept) counted.shift()
      return {
        experience: callers.experience(),
        v2PercentObserved: shareOfV2(counted.flat()),
      }
    },
    async upgrade() {
      const next = upgradeSteps.find((step) => step > percent)
      if (next === undefined) return 'v2 has all the traffic already'
      await moveTo(next)
      return `${next} % of the traffic goes to v2 now`
    },
    toggleFaults() {
      isBroken = !isBroken
      v2.setFaults(isBroken ? demoFaults : noFaults)
      return isBroken
        ? 'v2 is broken now: +300 ms, 5 % errors, sometimes a price of the wrong type'
        : 'v2 is mended'
    },
    async rollBack() {
      await moveTo(0)
      return 'all traffic is back on v1'
    },
    async close() {
      await callers.close()
      await gateway.stop({ budgetMs: drainMs })
      await closeShops()
    },
  }
}

function shareOfV2(traffic: readonly VersionTraffic[]): number | undefined {
  const requestsOf = (version: string | undefined) =>
    traffic
      .filter((entry) => entry.upstream === demoUpstream)
      .filter((entry) => version === undefined || entry.version === version)
      .reduce((sum, entry) => sum + entry.requests, 0)
  const total = requestsOf(undefined)
  return total === 0 ? undefined : (100 * requestsOf('v2')) / total
}

/** `EADDRINUSE` in the words of the demo: which address, and how to choose another. */
export function explainStart(thrown: unknown): unknown {
  if (!(thrown instanceof HeadgateError) || thrown.code !== 'run.address_in_use') return thrown
  return new HeadgateError(thrown.code, {
    message: thrown.message,
    cause: thrown.cause,
    detail: {
      ...thrown.detail,
      todo: 'headgate demo --listen 127.0.0.1:18080 --admin 127.0.0.1:19090',
    },
  })
}
