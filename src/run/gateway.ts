/** Starts a whole gateway in the right order, and stops it in the other one. */
import { join } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { HeadgateError, messageOf } from '../base/errors.ts'
import { formatHostPort, type HostPort } from '../base/host-port.ts'
import { systemRandom } from '../base/random.ts'
import { createAdminApp } from '../control/admin/app.ts'
import { type AdminServer, serveAdmin } from '../control/admin/serve.ts'
import { createTokenVerifier, ensureOwnerToken, renewOwnerToken } from '../control/admin/tokens.ts'
import { type Controller, createController } from '../control/controller.ts'
import { loadCatalog } from '../control/controller-catalog.ts'
import { createSecretResolver } from '../control/controller-secrets.ts'
import type { GatewayOptions, RunningGateway } from '../control/gateway-options.ts'
import { kinds } from '../kinds/index.ts'
import { ledgerMemory, ledgerRowsDefault } from '../ledger/memory.ts'
import { openSharedLedger } from '../ledger/shared-ledger.ts'
import { policyCatalog } from '../proxy/policies/catalog.ts'
import { openMemoryStore } from '../store/memory.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import type { Store } from '../store/store.ts'
import { Supervisor } from './supervisor.ts'
import { startTelemetry, type Telemetry } from './telemetry.ts'
import { verifySnapshot } from './verify-snapshot.ts'

/** Everything that must be closed again, in the order in which it was opened. */
type Opened = { readonly name: string; close(): Promise<unknown> }

const storeFile = 'headgate.sqlite'

export async function startGateway(
  options: GatewayOptions,
  version: string,
): Promise<RunningGateway> {
  const opened: Opened[] = []
  try {
    return await open(options, version, opened)
  } catch (thrown) {
    await closeAll(opened, options.log)
    throw thrown
  }
}

async function open(
  options: GatewayOptions,
  version: string,
  opened: Opened[],
): Promise<RunningGateway> {
  const clock = systemClock()
  const random = systemRandom()
  const { log } = options
  const store = await openStore(options)
  opened.push({ name: 'store', close: () => store.close() })
  await guardAdmin(options, store)

  const memory = ledgerMemory(ledgerRowsDefault, random)
  const telemetry = startTelemetry({
    clock,
    log,
    version,
    ledger: openSharedLedger(memory, { clock }),
    workers: () => supervisor.views(),
  })
  opened.push({ name: 'telemetry', close: () => telemetry.close() })
  const supervisor = new Supervisor({
    workerCount: options.workers,
    listen: options.listen,
    tlsListen: options.tlsListen,
    // For the case that the fast transport misbehaves on a platform in a way its test does not see.
    transport: options.env.HEADGATE_TRANSPORT === 'socket' ? 'socket' : 'handle',
    clock,
    random,
    ledgerMemory: memory,
    telemetry,
    log,
  })
  opened.push({ name: 'workers', close: () => supervisor.stop(0) })

  const controller = await createController({
    store,
    source: options.source,
    env: options.env,
    clock,
    random,
    loadCatalog,
    resolveSecrets: createSecretResolver(options.env, clock),
    verifySnapshot: (snapshot) => verifySnapshot(snapshot, { clock, random }),
    async publish(snapshot, leases, keys) {
      telemetry.describe(snapshot)
      await supervisor.publish({ snapshot, leases, keys })
      telemetry.setRevision(snapshot.revision)
    },
    workers: () => supervisor.views(),
    log,
  })
  opened.push({ name: 'control', close: () => controller.close() })
  const outcome = await controller.start()

  const admin = await openAdmin(options, { controller, store, telemetry, version })
  opened.push({ name: 'admin API', close: () => admin.close() })
  const ownerToken = await makeOwnerToken(options, store)
  return {
    listenUrl: `http://${formatHostPort({ ...options.listen, port: supervisor.port })}`,
    get tlsUrl() {
      const address = supervisor.tlsAddress
      return address && `https://${formatHostPort(address)}`
    },
    adminUrl: admin.url,
    ownerToken,
    control: controller,
    notices: outcome.notices,
    traffic: () => telemetry.traffic(),
    reopenLogs: () => telemetry.reopenLogs(),
    failed: supervisor.failed,
    async stop({ budgetMs }) {
      await supervisor.stop(budgetMs)
      await closeAll(opened, log)
    },
  }
}

/** Last opened, first closed; one that fails does not keep the others from closing. */
async function closeAll(opened: Opened[], log: GatewayOptions['log']): Promise<void> {
  for (const { name, close } of opened.splice(0).reverse()) {
    await close().catch((thrown) => log(`${name} did not close cleanly: ${messageOf(thrown)}`))
  }
}

async function openStore({ dataDir }: GatewayOptions): Promise<Store> {
  const clock = systemClock()
  if (dataDir === undefined) return openMemoryStore({ clock })
  return openSqliteStore(join(dataDir, storeFile), { clock, random: systemRandom() })
}

/** Before anything listens: the admin API must not be open, and a token that was given counts. */
async function guardAdmin(options: GatewayOptions, store: Store): Promise<void> {
  requireGuardedAdmin(options, (await store.getValue('admin.tokens')) !== undefined)
  const given = options.ownerToken
  if (given !== undefined) await ensureOwnerToken({ store, random: systemRandom(), given })
}

/**
 * The owner token when it was just made; undefined when it is known already. Made last: a start
 * that fails never shows it, and what is stored but was never shown would lock its owner out.
 */
async function makeOwnerToken(options: GatewayOptions, store: Store): Promise<string | undefined> {
  const random = systemRandom()
  if (options.newOwnerToken) return (await renewOwnerToken({ store, random })).token
  if (options.ownerToken !== undefined) return undefined
  return (await ensureOwnerToken({ store, random })).token
}

/** Reachable from outside, the API needs a token that somebody already holds. */
function requireGuardedAdmin({ admin, ownerToken }: GatewayOptions, hasToken: boolean): void {
  if (isLoopback(admin) || ownerToken !== undefined || hasToken) return
  throw new HeadgateError('run.admin_exposed', {
    message: `The admin address ${formatHostPort(admin)} can be reached from other machines and there is no owner token yet`,
  })
}

function isLoopback({ host }: HostPort): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

type AdminParts = { controller: Controller; store: Store; telemetry: Telemetry; version: string }

function openAdmin(options: GatewayOptions, parts: AdminParts): Promise<AdminServer> {
  const { controller, store, telemetry, version } = parts
  const app = createAdminApp({
    control: controller,
    tokens: createTokenVerifier(store),
    kinds,
    catalog: policyCatalog(),
    metrics: () => telemetry.metricsText(),
    version,
    clock: systemClock(),
    random: systemRandom(),
    log: options.log,
  })
  return serveAdmin(app, options.admin)
}
