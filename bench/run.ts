/**
 * CPU per request of headgate against nginx on the same work: gateway on core 0, wrk and the backend on
 * core 1, rounds interleaved, medians and ratios. `bench/run [rounds] [seconds]`.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  backendNginx,
  equalWorkNginx,
  keyOf,
  plainHeadgate,
  plainNginx,
  ports,
  routeCount,
  typicalHeadgate,
} from './lib/configs.ts'
import { cpuSeconds, requireFree, startPinned, stopAll, untilListening } from './lib/processes.ts'
import { type LoadResult, runWrk } from './lib/wrk.ts'

const gatewayCore = 0
const loadCore = 1
const connections = 64

const browserHeaders = {
  'User-Agent':
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language': 'en-US,en;q=0.9,de;q=0.8',
  'Accept-Encoding': 'gzip, deflate, br',
  'Cache-Control': 'no-cache',
  Cookie: 'session=0123456789abcdef0123456789abcdef; theme=dark; consent=1',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Site': 'none',
}

type Subject = { readonly name: string; readonly port: number; readonly pid: number | undefined }
type Workload = { readonly path: string; readonly headers: Readonly<Record<string, string>> }
type Sample = LoadResult & { readonly cpuUs: number }

const rounds = Number(process.argv[2] ?? 5)
const seconds = Number(process.argv[3] ?? 4)
const root = new URL('..', import.meta.url).pathname
const work = mkdtempSync(join(tmpdir(), 'headgate-bench-'))

function folder(name: string): string {
  const path = join(work, name)
  mkdirSync(path)
  return path
}

async function startNginx(
  name: string,
  core: number,
  config: (folder: string) => string,
  port: number,
): Promise<number> {
  const path = folder(name)
  writeFileSync(join(path, 'nginx.conf'), config(path))
  const child = startPinned(core, 'nginx', ['-p', path, '-c', join(path, 'nginx.conf')])
  await untilListening(port)
  return child.pid ?? 0
}

async function startHeadgate(name: string, config: (folder: string) => string): Promise<number> {
  const path = folder(name)
  writeFileSync(join(path, 'headgate.yaml'), config(path))
  const node = join(root, 'node_modules/node/bin/node')
  const args = [
    '--disable-warning=ExperimentalWarning',
    join(root, 'src/main.ts'),
    'run',
    '-c',
    join(path, 'headgate.yaml'),
  ]
  const child = startPinned(gatewayCore, node, [
    ...args,
    ...['--listen', `127.0.0.1:${ports.headgate}`, '--admin', `127.0.0.1:${ports.headgateAdmin}`],
    ...['--data', join(path, 'data'), '--workers', '1'],
  ])
  await untilListening(ports.headgate)
  return child.pid ?? 0
}

async function measure(
  subject: Subject,
  workload: Workload,
  durationSeconds: number,
): Promise<Sample> {
  const before = subject.pid === undefined ? 0 : cpuSeconds(subject.pid)
  const load = {
    core: loadCore,
    connections,
    seconds: durationSeconds,
    port: subject.port,
    ...workload,
  }
  const result = await runWrk(load, work)
  const used = subject.pid === undefined ? 0 : cpuSeconds(subject.pid) - before
  return { ...result, cpuUs: (used * 1e6) / result.requests }
}

async function profile(
  title: string,
  subjects: readonly Subject[],
  workload: Workload,
): Promise<void> {
  const samples = new Map<string, Sample[]>(subjects.map(({ name }) => [name, []]))
  for (const subject of subjects) await measure(subject, workload, 2)
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects)
      samples.get(subject.name)?.push(await measure(subject, workload, seconds))
  }
  const reference = median(samples.get('nginx') ?? [], (sample) => sample.cpuUs)
  console.log(`\n${title}\n`)
  console.log('| | req/s | p50 ms | p99 ms | CPU µs/request | × nginx | failures |')
  console.log('|---|---|---|---|---|---|---|')
  for (const { name, pid } of subjects) {
    const own = samples.get(name) ?? []
    const cpuUs = median(own, (sample) => sample.cpuUs)
    const cells = [
      name,
      Math.round(median(own, (sample) => sample.requestsPerSecond)),
      median(own, (sample) => sample.p50Ms).toFixed(2),
      median(own, (sample) => sample.p99Ms).toFixed(2),
      pid === undefined ? '' : cpuUs.toFixed(1),
      pid === undefined ? '' : (cpuUs / reference).toFixed(2),
      own.reduce((sum, sample) => sum + sample.failures, 0),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}

function median(samples: readonly Sample[], read: (sample: Sample) => number): number {
  const values = samples.map(read).sort((a, b) => a - b)
  return values[Math.floor(values.length / 2)] ?? Number.NaN
}

function describeMachine(): void {
  const nginx = execFileSync('sh', ['-c', 'nginx -v 2>&1']).toString().trim()
  const node = execFileSync(join(root, 'node_modules/node/bin/node'), ['-v']).toString().trim()
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores; Node ${node}; ${nginx}`,
  )
  console.log(`${rounds} rounds of ${seconds} s, ${connections} connections, interleaved; medians`)
}

const direct: Subject = { name: 'direct', port: ports.backendA, pid: undefined }

async function compare(
  title: string,
  configs: { nginx: (folder: string) => string; headgate: (folder: string) => string },
  workload: Workload,
): Promise<void> {
  const name = title.replaceAll(/[^a-z]+/gi, '-')
  await startNginx(`${name}-backend`, loadCore, backendNginx, ports.backendA)
  const nginx = await startNginx(`${name}-nginx`, gatewayCore, configs.nginx, ports.nginx)
  const headgate = await startHeadgate(`${name}-headgate`, configs.headgate)
  const subjects = [
    direct,
    { name: 'nginx', port: ports.nginx, pid: nginx },
    { name: 'headgate', port: ports.headgate, pid: headgate },
  ]
  await profile(title, subjects, workload)
  await stopAll()
}

try {
  await requireFree(Object.values(ports))
  describeMachine()
  await compare(
    'Pass-through, small GET',
    { nginx: plainNginx, headgate: plainHeadgate },
    { path: '/books/1', headers: {} },
  )
  await compare(
    'Pass-through, browser-size headers',
    { nginx: plainNginx, headgate: plainHeadgate },
    { path: '/books/1', headers: browserHeaders },
  )
  const typicalPath = `/api-${Math.floor(routeCount / 2)}/books/1`
  await compare(
    'Typical: key, rate limit, 1,000 routes, two endpoints, metrics, access log; nginx on equal work',
    { nginx: equalWorkNginx, headgate: typicalHeadgate },
    { path: typicalPath, headers: { 'X-Api-Key': keyOf(7) } },
  )
  await compare(
    'Typical with browser-size headers; nginx on equal work',
    { nginx: equalWorkNginx, headgate: typicalHeadgate },
    { path: typicalPath, headers: { ...browserHeaders, 'X-Api-Key': keyOf(7) } },
  )
} finally {
  await stopAll()
  rmSync(work, { recursive: true, force: true })
}
