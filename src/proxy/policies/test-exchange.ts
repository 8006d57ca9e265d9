/** A `PolicyExchange` for tests of policies: what it was told to do can be read back. */
import type { FieldEdits, FieldLine, PolicyExchange, ResponseView } from './define-policy.ts'

export type TestRequest = {
  readonly method?: string
  /** Path and query. */
  readonly target?: string
  readonly host?: string
  readonly scheme?: string
  /** Names in any case. */
  readonly fields?: readonly FieldLine[] | Readonly<Record<string, string>>
  readonly headBytes?: number
  readonly contentLength?: number | undefined
  readonly address?: string
  readonly route?: string
  readonly requestId?: string
}

/** Edits in the order in which they were recorded, and what they make of a message. */
export type RecordedEdits = FieldEdits & {
  readonly log: readonly (readonly [edit: 'set' | 'add' | 'remove', name: string, value?: string])[]
  /** The field lines after the edits. */
  applyTo(lines: readonly FieldLine[]): FieldLine[]
}

export type TestExchange = PolicyExchange & {
  readonly requestFields: RecordedEdits
  readonly responseFields: RecordedEdits
  /** The lowest limit set; undefined when none was. */
  readonly bodyBytesMax: () => number | undefined
  readonly removedQueryParameters: readonly string[]
  /** As if the client had gone away. */
  abort(): void
}

export function testExchange(request: TestRequest = {}): TestExchange {
  const removedQueryParameters: string[] = []
  const controller = new AbortController()
  let bodyBytesMax: number | undefined
  return {
    request: requestViewOf(request),
    client: { address: request.address ?? '192.0.2.1', port: 50_000 },
    route: { name: request.route ?? 'books' },
    requestId: request.requestId ?? 'request-1',
    policiesEntered: 0,
    consumer: undefined,
    limitRequestBody(bytes) {
      bodyBytesMax = Math.min(bodyBytesMax ?? bytes, bytes)
    },
    removeQueryParameter: (name) => void removedQueryParameters.push(name),
    requestFields: recordedEdits(),
    responseFields: recordedEdits(),
    signal: controller.signal,
    bodyBytesMax: () => bodyBytesMax,
    removedQueryParameters,
    abort: () => controller.abort(),
  }
}

export function testResponse(
  status = 200,
  fields: Readonly<Record<string, string>> = {},
): ResponseView {
  const lines = linesOf(fields)
  return { status, isFromUpstream: true, field: (name) => valuesOf(lines, name)[0] }
}

function requestViewOf(request: TestRequest): PolicyExchange['request'] {
  const lines = linesOf(request.fields ?? {})
  const [path = '/', query = ''] = (request.target ?? '/books').split(/\?(.*)/s)
  const cookies = new Map(
    valuesOf(lines, 'cookie')
      .flatMap((value) => value.split('; '))
      .map((pair): [string, string] => [
        pair.split('=')[0] ?? '',
        pair.slice(pair.indexOf('=') + 1),
      ]),
  )
  return {
    method: request.method ?? 'GET',
    path,
    query,
    host: request.host ?? 'api.example.com',
    scheme: request.scheme ?? 'http',
    headBytes: request.headBytes ?? 200,
    contentLength: 'contentLength' in request ? request.contentLength : 0,
    field: (name) => valuesOf(lines, name)[0],
    fieldAll(name) {
      const values = valuesOf(lines, name)
      return values.length === 0 ? undefined : values.join(', ')
    },
    fieldCount: () => lines.length,
    cookie: (name) => cookies.get(name),
    queryParameter: (name) => new URLSearchParams(query).get(name) ?? undefined,
  }
}

function linesOf(fields: readonly FieldLine[] | Readonly<Record<string, string>>): FieldLine[] {
  const lines: readonly FieldLine[] = isLines(fields) ? fields : Object.entries(fields)
  return lines.map(([name, value]) => [name.toLowerCase(), value])
}

function isLines(fields: object): fields is readonly FieldLine[] {
  return Array.isArray(fields)
}

function valuesOf(lines: readonly FieldLine[], name: string): string[] {
  return lines.filter(([each]) => each === name).map(([, value]) => value)
}

function recordedEdits(): RecordedEdits {
  const log: ['set' | 'add' | 'remove', string, string?][] = []
  const record = (edit: 'set' | 'add', name: string, value: string) => {
    if (/[\r\n\0]/.test(value)) throw new Error(`the value of ${name} breaks the line`)
    log.push([edit, name, value])
  }
  return {
    log,
    set: (name, value) => record('set', name, value),
    add: (name, value) => record('add', name, value),
    remove: (name) => void log.push(['remove', name]),
    applyTo(lines) {
      let result = [...lines]
      for (const [edit, name, value = ''] of log) {
        if (edit !== 'add') result = result.filter(([each]) => each !== name)
        if (edit !== 'remove') result.push([name, value])
      }
      return result
    },
  }
}
