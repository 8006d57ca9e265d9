/** The checks of `headgate doctor`, in the order in which problems hide one another. */
import { access, constants, stat } from 'node:fs/promises'
import { createServer, connect } from 'node:net'
import { dirname, resolve } from 'node:path'
import { errorCatalog, HeadgateError, messageOf } from '../../base/errors.ts'
import { formatHostPort, type HostPort } from '../../base/host-port.ts'
import { s } from '../../base/schema.ts'
import { resourcesOf } from '../../control/compile/of-kind.ts'
import { sentenceFor } from '../../control/problem.ts'
import { upstream } from '../../kinds/upstream.ts'
import { type ConfigReport, reportOnConfig } from '../check-config.ts'
import { checkSecrets } from '../check-secrets.ts'
import { isHandleStreamSound } from '../../wire/tcp/open-stream.ts'
import type { CommandContext, ServerInput } from '../define-command.ts'
import type { CliDeps } from '../deps.ts'
import { findDefaultConfig } from '../find-config.ts'

export type CheckResult = {
  readonly name: string
  readonly state: 'ok' | 'warning' | 'failed' | 'skipped'
  readonly message: string
  readonly todo?: string
}

export type DoctorInput = ServerInput & {
  readonly config?: string | undefined
  readonly listen: HostPort
  readonly admin: HostPort
  readonly data: string
}

const nodeMajorMin = 24
const connectMs = 2_000
/** Beyond this the rest is counted: a doctor's visit is not a load test. */
const endpointsMax = 50

export async function runChecks(
  input: DoctorInput,
  context: CommandContext,
): Promise<readonly CheckResult[]> {
  const { deps } = context
  const config = await loadReport(input, deps)
  const gateway = await findGateway(input, context)
  return [
    checkRuntime(),
    await checkTransport(),
    ...configResults(config, deps),
    ...(await secretResults(config, deps)),
    ...(await upstreamResults(config, deps)),
    await checkAddress('listen', input.listen, gateway),
    await checkAddress('admin', input.admin, gateway),
    await checkDataFolder(resolve(deps.cwd, input.data)),
    ...gatewayResults(gateway, input, deps),
  ]
}

function checkRuntime(): CheckResult {
  const { node } = process.versions
  const major = Number(node.split('.')[0])
  if (major >= nodeMajorMin) return { name: 'runtime', state: 'ok', message: `Node ${node}` }
  return {
    name: 'runtime',
    state: 'failed',
    message: `Node ${node} is too old`,
    todo: `start with bin/headgate, which brings Node ${nodeMajorMin} or newer`,
  }
}

/** The fast way to sockets leans on parts of Node that are not public; workers test it when they start. */
async function checkTransport(): Promise<CheckResult> {
  if (await isHandleStreamSound()) {
    return {
      name: 'transport',
      state: 'ok',
      message: 'sockets are read and written on their handles',
    }
  }
  return {
    name: 'transport',
    state: 'warning',
    message:
      'this Node keeps its socket handles to itself: the public API is used, a little slower',
  }
}

type LoadedReport = ConfigReport | HeadgateError | undefined

async function loadReport(input: DoctorInput, deps: CliDeps): Promise<LoadedReport> {
  if (input.config === undefined && findDefaultConfig(deps.cwd) === undefined) return undefined
  try {
    return await reportOnConfig(input.config, deps)
  } catch (thrown) {
    if (thrown instanceof HeadgateError) return thrown
    throw thrown
  }
}

function configResults(report: LoadedReport, deps: CliDeps): CheckResult[] {
  const name = 'configuration'
  if (report === undefined) {
    const message = `no headgate.yaml in ${deps.cwd}: \`run\` would use store mode`
    return [{ name, state: 'skipped', message }]
  }
  if (report instanceof HeadgateError) {
    return [{ name, state: 'failed', message: report.message, todo: report.definition.todo }]
  }
  const errors = report.problems.filter(({ severity }) => severity === 'error')
  const [first] = errors
  if (first !== undefined) {
    const message = `${report.name}: ${errors.length} errors; first: ${sentenceFor(first)}`
    return [{ name, state: 'failed', message, todo: `headgate validate ${report.name}` }]
  }
  const warnings = report.problems.length
  return [
    warnings === 0
      ? { name, state: 'ok', message: `${report.name} is valid` }
      : {
          name,
          state: 'warning',
          message: `${report.name} is valid, with ${warnings} warnings`,
          todo: `headgate validate ${report.name}`,
        },
  ]
}

function usable(report: LoadedReport): ConfigReport | undefined {
  if (report === undefined || report instanceof HeadgateError) return undefined
  return report.resources === undefined ? undefined : report
}

async function secretResults(report: LoadedReport, deps: CliDeps): Promise<CheckResult[]> {
  const config = usable(report)
  if (config === undefined) return []
  const { resources, problems } = await checkSecrets(config, deps)
  const name = 'secrets'
  if (resources !== undefined) return [{ name, state: 'ok', message: 'all can be read' }]
  return problems
    .filter(({ severity }) => severity === 'error')
    .map((problem) => ({
      name,
      state: 'failed',
      message: sentenceFor(problem),
      todo: errorCatalog[problem.code].todo,
    }))
}

async function upstreamResults(report: LoadedReport, deps: CliDeps): Promise<CheckResult[]> {
  const resources = usable(report)?.resources ?? []
  const endpoints = resourcesOf(resources, upstream).flatMap(({ name, spec }) =>
    Object.entries(spec.versions).flatMap(([version, { endpoints }]) =>
      endpoints.map(({ url }) => ({ label: `${name}/${version}`, url })),
    ),
  )
  const checked = endpoints.slice(0, endpointsMax)
  const results = await Promise.all(checked.map((endpoint) => checkEndpoint(endpoint, deps)))
  const rest = endpoints.length - checked.length
  if (rest === 0) return results
  const message = `${rest} more endpoints were not tried`
  return [...results, { name: 'upstream', state: 'skipped', message }]
}

async function checkEndpoint(
  { label, url }: { label: string; url: string },
  deps: CliDeps,
): Promise<CheckResult> {
  const { hostname, port, protocol } = new URL(url)
  const address = {
    // An IPv6 address stands in brackets in a URL and without them everywhere else.
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  }
  const failure = await tryConnect(address, deps)
  if (failure === undefined) {
    return { name: 'upstream', state: 'ok', message: `${label} ${url} accepts connections` }
  }
  return {
    name: 'upstream',
    state: 'failed',
    message: `${label} ${url}: ${failure}`,
    todo: errorCatalog['upstream.connect_failed'].todo,
  }
}

/** Undefined when it connects, else why not. */
function tryConnect({ host, port }: HostPort, { clock }: CliDeps): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = connect({ host, port })
    const finish = (failure: string | undefined) => {
      timer.cancel()
      socket.destroy()
      done(failure)
    }
    const timer = clock.after(connectMs, () => finish(`no answer within ${connectMs} ms`))
    socket.once('connect', () => finish(undefined))
    socket.once('error', (error) => finish(messageOf(error)))
  })
}

/** What answers at `--server`; undefined when nobody does. */
type FoundGateway = {
  readonly identity: s.infer<typeof whoAmI> | HeadgateError
}

const whoAmI = s.looseObject({
  version: s.string(),
  mode: s.string(),
  name: s.string(),
})

async function findGateway(
  input: DoctorInput,
  context: CommandContext,
): Promise<FoundGateway | undefined> {
  try {
    const identity = await context
      .connect({ ...input, timeout: Math.min(input.timeout, connectMs) })
      .json({ path: '/api/v1/whoami' }, whoAmI)
    return { identity }
  } catch (thrown) {
    if (!(thrown instanceof HeadgateError)) throw thrown
    return thrown.code === 'cli.server_unreachable' ? undefined : { identity: thrown }
  }
}

/** Free, taken by the gateway that runs already, or taken by somebody else. */
async function checkAddress(
  name: string,
  address: HostPort,
  gateway: FoundGateway | undefined,
): Promise<CheckResult> {
  const shown = formatHostPort(address)
  const failure = await tryListen(address)
  if (failure === undefined) return { name, state: 'ok', message: `${shown} is free` }
  if (gateway !== undefined && failure.includes('EADDRINUSE')) {
    return { name, state: 'ok', message: `${shown} is in use; a gateway is running` }
  }
  return {
    name,
    state: 'failed',
    message: `${shown}: ${failure}`,
    todo: errorCatalog[failure.includes('EADDRINUSE') ? 'run.address_in_use' : 'run.listen_failed']
      .todo,
  }
}

function tryListen({ host, port }: HostPort): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error) => done(messageOf(error)))
    server.listen({ host, port, exclusive: true }, () => server.close(() => done(undefined)))
  })
}

async function checkDataFolder(path: string): Promise<CheckResult> {
  const name = 'data folder'
  const found = await stat(path).catch(() => undefined)
  if (found !== undefined && !found.isDirectory()) {
    return { name, state: 'failed', message: `${path} is not a folder`, todo: dataTodo }
  }
  // A folder that is not there is made by `run`, if the one above allows it.
  const writable = found === undefined ? dirname(path) : path
  try {
    await access(writable, constants.W_OK | constants.X_OK)
  } catch (thrown) {
    return { name, state: 'failed', message: `${writable}: ${messageOf(thrown)}`, todo: dataTodo }
  }
  const message = found === undefined ? `${path} will be made` : `${path} is writable`
  return { name, state: 'ok', message }
}

const dataTodo = errorCatalog['run.data_dir_unusable'].todo

function gatewayResults(
  gateway: FoundGateway | undefined,
  input: DoctorInput,
  { version }: CliDeps,
): CheckResult[] {
  const name = 'gateway'
  if (gateway === undefined) {
    return [{ name, state: 'skipped', message: `none answers at ${input.server}` }]
  }
  const { identity } = gateway
  if (identity instanceof HeadgateError) {
    const todo = errorCatalog[identity.code].todo
    return [{ name, state: 'warning', message: `${input.server}: ${identity.message}`, todo }]
  }
  const message = `${input.server} runs ${identity.version} in ${identity.mode} mode; the token is \`${identity.name}\``
  if (identity.version === version) return [{ name, state: 'ok', message }]
  return [
    {
      name,
      state: 'warning',
      message: `${message}; this command line is ${version}`,
      todo: 'use the same version on both sides',
    },
  ]
}
