/** Somebody who follows a guide: types its commands, saves its files, looks at what is printed. */
import { equal, match } from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { delimiter } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type HeadgateProcess, type Workbench, workbench } from '../../support/headgate-process.ts'
import { patternOfPrinted, type Step, stepsOf } from './document.ts'
import { freePort, listenOn } from './upstream.ts'
import { eventually } from './wait.ts'

export const repository = fileURLToPath(new URL('../../../', import.meta.url))

const printedMsMax = 10_000
/** In documents Headgate is on its default ports and APIs are on 7001 and 7002; here they are anywhere. */
const documentedPorts = ['8080', '9090', '7001', '7002'] as const

export class Reader {
  readonly bench: Workbench
  readonly #ports: ReadonlyMap<string, number>
  readonly #test: TestContext
  readonly #env: Record<string, string>
  #gateway: HeadgateProcess | undefined
  #output = ''
  /** What was typed last; asked again until what the guide says is printed. */
  #lastCommand: Extract<Step, { type: 'run' | 'terminal' }> | undefined
  #keyLine = ''

  private constructor(t: TestContext, bench: Workbench, ports: ReadonlyMap<string, number>) {
    this.#test = t
    this.bench = bench
    this.#ports = ports
    const { PATH = '', HOME = '' } = process.env
    this.#env = {
      HOME,
      PATH: `${repository}bin${delimiter}${PATH}`,
      HEADGATE_LISTEN: `0.0.0.0:${this.port('8080')}`,
      HEADGATE_ADMIN: `127.0.0.1:${this.port('9090')}`,
      HEADGATE_SERVER: `http://127.0.0.1:${this.port('9090')}`,
      HEADGATE_WORKERS: '1',
    }
  }

  static async open(t: TestContext): Promise<Reader> {
    const ports = new Map<string, number>()
    for (const documented of documentedPorts) ports.set(documented, await freePort())
    return new Reader(t, await workbench(t), ports)
  }

  port(documented: (typeof documentedPorts)[number]): number {
    return this.#ports.get(documented) ?? 0
  }

  /** The APIs that a guide takes for granted. */
  async startApis(): Promise<void> {
    for (const [documented, version] of [
      ['7001', 'v1'],
      ['7002', 'v2'],
    ] as const) {
      const server = createServer((request, response) => {
        response.end(`${JSON.stringify({ version, path: request.url })}\n`)
      })
      await listenOn(server, this.port(documented))
      this.#test.after(() => {
        server.closeAllConnections()
        server.close()
      })
    }
  }

  /** With our ports in the place of the documented ones. */
  translated(text: string): string {
    let result = text
    for (const [documented, port] of this.#ports) {
      result = result.replaceAll(new RegExp(`(?<![\\d.])${documented}\\b`, 'g'), String(port))
    }
    return result.replaceAll(/.*\{ name: default, hash: "sha256:…".*/g, (line) =>
      this.#keyLine === '' ? line : `${/^ */.exec(line)?.[0]}${this.#keyLine}`,
    )
  }

  async follow(markdown: string): Promise<void> {
    for (const step of stepsOf(markdown)) await this.take(step)
  }

  async take(step: Step): Promise<void> {
    switch (step.type) {
      case 'file':
        return await this.#save(step.name, this.translated(step.text))
      case 'yaml': {
        const { exitCode, stderr } = await this.bench.run(['validate', '-'], { input: step.text })
        equal(exitCode, 0, `${step.text}\n${stderr}`)
        return
      }
      case 'gateway':
        return await this.startGateway(['run'])
      case 'terminal':
        return await this.#openTerminal(this.translated(step.command).trim())
      case 'run':
        this.#lastCommand = step
        return await this.#type(step.command, step.exitCode)
      case 'prints':
        return await this.#expectPrinted(patternOfPrinted(this.translated(step.text)))
    }
  }

  async startGateway(argv: readonly string[]): Promise<void> {
    const gateway = this.bench.start(argv, this.#env)
    this.#gateway = gateway
    await gateway.said(/serves http:\S+ .*\n/)
    const token = /owner token \(shown once\): (\S+)/.exec(gateway.stderr())?.[1]
    if (token !== undefined) this.#env.HEADGATE_TOKEN = token
  }

  async stopGateway(): Promise<void> {
    this.#gateway?.child.kill('SIGINT')
    equal((await this.#gateway?.ended)?.exitCode, 0)
  }

  /** Saves, and waits until the gateway, if it runs, has said what it makes of it. */
  async #save(name: string, text: string): Promise<void> {
    const before = this.#said().length
    await this.bench.write(name, text)
    this.#lastCommand = undefined
    if (this.#gateway === undefined || !name.endsWith('.yaml')) return
    await eventually(() => /^(?:reloaded|refused)/m.test(this.#said().slice(before)), {
      what: `what the gateway says to ${name}`,
    })
    this.#output = this.#said().slice(before)
  }

  #said(): string {
    return this.#gateway?.stderr() ?? ''
  }

  async #openTerminal(command: string): Promise<void> {
    const words = command.replace(/ *&$/, '').split(' ')
    if (words[0] === 'headgate') {
      await this.startGateway(words.slice(1))
      this.#output = `${this.#gateway?.stdout()}\n${this.#said()}`
      return
    }
    const child = spawn(words[0] ?? '', words.slice(1), { cwd: this.bench.cwd, stdio: 'ignore' })
    this.#test.after(() => child.kill())
  }

  async #type(command: string, exitCode = 0): Promise<void> {
    const ended = await this.#shell(command)
    equal(ended.exitCode, exitCode, `${command}\n${ended.output}`)
    this.#output = ended.output
    const key = /^(hg_\S+)\n(- \{.*\})$/m.exec(ended.output)
    if (key === null) return
    this.#env.KEY = key[1] ?? ''
    this.#keyLine = key[2] ?? ''
  }

  async #expectPrinted(pattern: RegExp): Promise<void> {
    const command = this.#lastCommand
    if (!pattern.test(this.#output) && command !== undefined) {
      // An API that is still starting, a change that is a moment away: ask again, as people do.
      await eventually(
        async () => {
          const ended = await this.#shell(command.command)
          this.#output = ended.output
          return pattern.test(ended.output)
        },
        { withinMs: printedMsMax, what: String(pattern) },
      ).catch(() => undefined)
    }
    match(this.#output, pattern)
  }

  #shell(command: string): Promise<{ exitCode: number; output: string }> {
    return new Promise((resolve) => {
      const options = { cwd: this.bench.cwd, env: this.#env, timeout: 20_000 }
      execFile('sh', ['-c', this.translated(command)], options, (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ exitCode, output: `${stdout}\n${stderr}` })
      })
    })
  }
}
