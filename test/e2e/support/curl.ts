/** curl, as people and scripts use it against the admin API. */
import { execFile } from 'node:child_process'
import { type Json, jsonOf } from './gateway.ts'

export type CurlAnswer = {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
  readonly body: Json
}

/** Runs curl with these arguments; rejects when it cannot talk to the server at all. */
export function curl(...argv: readonly string[]): Promise<CurlAnswer> {
  return new Promise((resolve, reject) => {
    // `--max-time` makes a hang a failure; the proxy of the machine has nothing to do with us.
    const all = ['-sS', '-i', '--max-time', '20', '--noproxy', '*', ...argv]
    execFile('curl', all, { maxBuffer: 50_000_000 }, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`curl ${argv.join(' ')}: ${stderr}`))
      else resolve(answerOf(stdout))
    })
  })
}

function answerOf(output: string): CurlAnswer {
  let rest = output
  let head = ''
  do {
    const end = rest.indexOf('\r\n\r\n')
    head = rest.slice(0, end)
    rest = rest.slice(end + 4)
    // Interim answers such as 100 come first.
  } while (/^HTTP\/1\.1 1/.test(head))
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { status: Number(statusLine.split(' ')[1]), headers, text: rest, body: jsonOf(rest) }
}
