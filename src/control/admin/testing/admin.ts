/** An admin API for tests: its token, a simulated clock, and every JSON answer held against the OpenAPI document. */
import { fail } from 'node:assert/strict'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { Hono } from 'hono'
import { type SimulatedClock, simulatedClock } from '../../../base/clock.ts'
import { seededRandom } from '../../../base/random.ts'
import { s } from '../../../base/schema.ts'
import { kinds } from '../../../kinds/index.ts'
import { policyCatalog } from '../../../proxy/policies/catalog.ts'
import { createAdminApp } from '../app.ts'
import type { AdminDeps, AdminEnv } from '../deps.ts'
import { createTokenVerifier, ensureOwnerToken } from '../tokens.ts'
import { type FakeControl, openFakeControl } from './fake-control.ts'

export type TestAdmin = {
  readonly app: Hono<AdminEnv>
  readonly fake: FakeControl
  readonly clock: SimulatedClock
  readonly token: string
  readonly logged: string[]
  /** Sends a request with the owner token; `body` is sent as JSON unless it is text. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
}

export type CallOptions = {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of the owner's; `''` sends none. */
  readonly token?: string
}

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The JSON body; an empty object when there is none. */
  readonly body: Readonly<Record<string, unknown>>
}

export const upstreamSpec = { versions: { v1: { url: 'http://127.0.0.1:7001' } } }

export async function openTestAdmin(changes: Partial<AdminDeps> = {}): Promise<TestAdmin> {
  const clock = simulatedClock()
  const fake = await openFakeControl(clock)
  const random = seededRandom(1)
  const { token = fail('a first start makes a token') } = await ensureOwnerToken({
    store: fake.store,
    random,
  })
  const logged: string[] = []
  const deps: AdminDeps = {
    control: fake.control,
    tokens: createTokenVerifier(fake.store),
    kinds,
    catalog: policyCatalog(),
    metrics: () => '# TYPE a counter\na_total 1\n# EOF\n',
    version: '1.2.3',
    clock,
    random,
    log: (line) => void logged.push(line),
  }
  // Not spread: getters among the changes stay getters.
  const app = createAdminApp(
    Object.defineProperties(deps, Object.getOwnPropertyDescriptors(changes)),
  )
  const describe = await describedAnswers(app)
  return {
    app,
    fake,
    clock,
    token,
    logged,
    async call(method, path, options = {}) {
      const answer = await send(app, token, method, path, options)
      describe(method, path, answer)
      return answer
    },
  }
}

async function send(
  app: Hono<AdminEnv>,
  ownToken: string,
  method: string,
  path: string,
  options: CallOptions,
): Promise<Answer> {
  const { body, token = ownToken } = options
  const isText = typeof body === 'string'
  const response = await app.request(path, {
    method,
    headers: {
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && !isText && { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== '' ? anyMap.parse(JSON.parse(text)) : {},
  }
}

const anyMap = s.record(s.string(), s.unknown())

/** Returns a check that an answer is what the OpenAPI document says of its operation. */
async function describedAnswers(
  app: Hono<AdminEnv>,
): Promise<(method: string, path: string, answer: Answer) => void> {
  const response = await app.request('/api/openapi.json')
  const document = documentSchema.parse(await response.json())
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: 'http://x/doc', ...document })
  const escaped = (text: string) =>
    encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'))
  const check = (pointer: string, answer: Answer) => {
    const isValid = ajv.validate({ $ref: `http://x/doc#${pointer}` }, answer.body)
    if (!isValid) fail(`${pointer}: ${ajv.errorsText()}\n${answer.text}`)
  }
  return (method, path, answer) => {
    if (answer.status >= 400) return check('/components/schemas/Problem', answer)
    const plain = path.split('?')[0] ?? ''
    const template = Object.keys(document.paths).find((each) => patternOf(each).test(plain))
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
    const operation = document.paths[template ?? '']?.[verb]
    const described = operation?.responses[answer.status]
    if (template === undefined || described === undefined)
      fail(`${method} ${path} answers ${answer.status}, which is not described`)
    if (method === 'HEAD' || described.content?.['application/json'] === undefined) return
    check(
      `/paths/${escaped(template)}/${verb}/responses/${answer.status}/content/${escaped('application/json')}/schema`,
      answer,
    )
  }
}

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/:]+')}$`)
}

const documentSchema = s.looseObject({
  paths: s.record(
    s.string(),
    s.record(
      s.string(),
      s.looseObject({
        responses: s.record(
          s.string(),
          s.looseObject({ content: s.record(s.string(), s.unknown()).optional() }),
        ),
      }),
    ),
  ),
})
