/** The configuration that the demo serves; `headgate export` against it shows the same. */
import { stringify } from 'yaml'
import type { AppKey } from '../../control/app-key.ts'

export type DemoApp = {
  readonly name: string
  readonly apiKey: AppKey
  readonly consumer: string
  /** Relative share of the synthetic traffic. */
  readonly weight: number
}

export const demoUpstream = 'bookshop'

/** Variables that hold what the gateway is towards the two versions. */
export const accountVariables = { v1: 'DEMO_BOOKSHOP_KEY_V1', v2: 'DEMO_BOOKSHOP_KEY_V2' } as const

export function demoDocument(options: {
  v1Url: string
  v2Url: string
  accountField: string
  apps: readonly DemoApp[]
}): string {
  const { accountField, apps } = options
  return stringify({
    version: 1,
    upstreams: [
      {
        name: demoUpstream,
        description: 'Sample upstream; v2 calls the price `amount`.',
        versions: {
          v1: { url: options.v1Url, account: 'bookshop-v1' },
          v2: { url: options.v2Url, account: 'bookshop-v2' },
        },
        live: 'v1',
      },
    ],
    accounts: (['v1', 'v2'] as const).map((version) => ({
      name: `bookshop-${version}`,
      header: { name: accountField, secret: `env:${accountVariables[version]}` },
    })),
    routes: [
      {
        name: 'books',
        match: { path: '/books/**', methods: ['GET'] },
        to: demoUpstream,
        policies: [{ 'api-key': {} }, { 'rate-limit': { limit: '100/s', by: 'App' } }],
      },
    ],
    apps: apps.map(({ name, consumer, apiKey }) => ({
      name,
      consumer,
      keys: [{ name: 'demo', hash: apiKey.hash, prefix: apiKey.prefix }],
    })),
  })
}
