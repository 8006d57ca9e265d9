/**
 * For tests: a gateway that is a few lines long. It serves a document with one upstream over real HTTP,
 * deals requests by the split, checks API keys, and stops; nothing else.
 */
import { createHash } from 'node:crypto'
import { createServer, request as httpRequest, type Server } from 'node:http'
import { parse } from 'yaml'
import { systemRandom } from '../../base/random.ts'
import { s } from '../../base/schema.ts'
import { parseShare } from '../../base/units.ts'
import type { ControlApi } from '../../control/control-api.ts'
import type {
  GatewayOptions,
  RunningGateway,
  VersionTraffic,
} from '../../control/gateway-options.ts'

const document = s.looseObject({
  upstreams: s.array(
    s.looseObject({
      name: s.string(),
      versions: s.record(s.string(), s.looseObject({ url: s.string(), account: s.string() })),
    }),
  ),
  accounts: s.array(
    s.looseObject({ name: s.string(), header: s.object({ name: s.string(), secret: s.string() }) }),
  ),
  apps: s.array(s.looseObject({ keys: s.array(s.looseObject({ hash: s.string() })) })),
})

export type FakeGateway = RunningGateway & {
  readonly acts: { readonly verb: string; readonly input: unknown }[]
  readonly stops: number[]
  fail(error: Error): void
}

/** Only the members that the command line calls; anything else is a test that went wrong. */
export function controlWith(members: Partial<ControlApi>): ControlApi {
  const refuse = () => Promise.reject(new Error('the fake gateway cannot do that'))
  return {
    mode: 'file',
    get: refuse,
    list: refuse,
    plan: refuse,
    apply: refuse,
    act: refuse,
    reload: refuse,
    revisions: refuse,
    revision: refuse,
    diff: refuse,
    revert: refuse,
    audit: refuse,
    exportYaml: refuse,
    testRoute: refuse,
    workers: () => [{ index: 0, state: 'serving', revision: 3, restarts: 0, tunnels: [] }],
    notReadyReason: () => undefined,
    watch: () => ({ isComplete: true, close: () => undefined }),
    ...members,
  }
}

const setSplit = s.object({ weights: s.record(s.string(), s.string()) })

/** A gateway that serves nothing: for tests of `run`. */
export function idleGateway(members: Partial<RunningGateway> = {}): FakeGateway {
  const failed = Promise.withResolvers<Error>()
  const stops: number[] = []
  return {
    listenUrl: 'http://0.0.0.0:8080',
    adminUrl: 'http://127.0.0.1:9090',
    ownerToken: undefined,
    control: controlWith({}),
    notices: [],
    traffic: () => [],
    reopenLogs: () => undefined,
    async stop({ budgetMs }) {
      stops.push(budgetMs)
    },
    failed: failed.promise,
    ...members,
    acts: [],
    stops,
    fail: failed.resolve,
  }
}

/** Serves the document of `options` on a free port. */
export async function startFakeGateway(options: GatewayOptions): Promise<FakeGateway> {
  if (options.source.type !== 'document') throw new Error('the fake gateway needs a document')
  const { upstreams, accounts, apps } = document.parse(parse(options.source.text))
  const upstream = upstreams[0] ?? { name: '', versions: {} }
  const hashes = new Set(apps.flatMap(({ keys }) => keys.map(({ hash }) => hash)))
  const acts: FakeGateway['acts'] = []
  const counts = new Map<string, number>()
  let v2Share = 0
  const server = createServer((request, response) => {
    const key = String(request.headers['x-api-key'])
    if (!hashes.has(`sha256:${createHash('sha256').update(key).digest('hex')}`)) {
      response.writeHead(401).end()
      return
    }
    const version = systemRandom().fraction() < v2Share ? 'v2' : 'v1'
    counts.set(version, (counts.get(version) ?? 0) + 1)
    const { url = '', account } = upstream.versions[version] ?? {}
    const lease = accounts.find(({ name }) => name === account)?.header
    const secret = options.env[lease?.secret.replace('env:', '') ?? ''] ?? ''
    const onward = httpRequest(
      new URL(request.url ?? '/', url),
      { headers: { [lease?.name ?? 'x']: secret } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    onward.on('error', () => response.destroy())
    onward.end()
  })
  const port = await listen(server)
  const control = controlWith({
    async act(_key, verb, input) {
      // As slow as a real one, which asks its workers: keys pressed meanwhile must wait.
      await new Promise((resolve) => setImmediate(resolve))
      acts.push({ verb, input })
      const share = parseShare(setSplit.parse(input).weights.v2 ?? '0%') ?? 0
      v2Share = share / 10_000
      return {}
    },
  })
  const idle = idleGateway({ control, ownerToken: 'owner-token-of-the-test' })
  return {
    ...idle,
    listenUrl: `http://127.0.0.1:${port}`,
    acts,
    traffic() {
      const traffic = [...counts].map(
        ([version, requests]): VersionTraffic => ({
          upstream: upstream.name,
          version,
          requests,
          errors: 0,
          p95Ms: 1,
        }),
      )
      counts.clear()
      return traffic
    },
    async stop() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      resolve(typeof bound === 'object' && bound !== null ? bound.port : 0)
    })
  })
}
