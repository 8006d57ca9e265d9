/** One run of wrk and what it says. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Load = {
  readonly core: number
  readonly connections: number
  readonly seconds: number
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export type LoadResult = {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers other than 2xx and 3xx, and socket errors. */
  readonly failures: number
}

const report = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`

export function runWrk(load: Load, folder: string): Promise<LoadResult> {
  const script = join(folder, 'report.lua')
  writeFileSync(script, report)
  const headers = Object.entries(load.headers).flatMap(([name, value]) => [
    '-H',
    `${name}: ${value}`,
  ])
  const args = [
    '-c',
    String(load.core),
    'wrk',
    '-t1',
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    '-s',
    script,
    ...headers,
  ]
  return new Promise((resolve, reject) => {
    execFile('taskset', [...args, `http://127.0.0.1:${load.port}${load.path}`], (error, stdout) => {
      const match = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(stdout)
      if (error !== null || match === null) {
        reject(error ?? new Error(`wrk said nothing of use: ${stdout}`))
        return
      }
      const [requests = 0, durationUs = 1, p50Us = 0, p99Us = 0, failures = 0] = match
        .slice(1)
        .map(Number)
      resolve({
        requests,
        requestsPerSecond: requests / (durationUs / 1e6),
        p50Ms: p50Us / 1_000,
        p99Ms: p99Us / 1_000,
        failures,
      })
    })
  })
}
