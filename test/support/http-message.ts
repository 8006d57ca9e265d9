/**
 * Takes HTTP/1.1 messages off received bytes, for tests: a second reader that shares no code with
 * the product, so that both cannot be wrong in the same way. It throws on whatever it cannot place.
 */

export type HttpMessage = {
  readonly startLine: string
  /** As received, without the empty line. */
  readonly head: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** First value of a field by its lower-case name. */
  field(name: string): string | undefined
  /** All values of a field. */
  all(name: string): readonly string[]
  readonly body: Buffer
  readonly text: string
  /** Of responses; 0 otherwise. */
  readonly status: number
  /** Bytes of the whole message, framing included. */
  readonly size: number
  readonly trailers: string
}

export type ReadOptions = {
  readonly kind: 'request' | 'response'
  /** Method of the request that a response answers. */
  readonly method?: string
  /** The other end has sent FIN. */
  readonly isEnded: boolean
}

const headEnd = Buffer.from('\r\n\r\n')

/** The first message in `bytes`, or undefined when it is not complete. */
export function readMessage(bytes: Buffer, options: ReadOptions): HttpMessage | undefined {
  const end = bytes.indexOf(headEnd)
  if (end === -1) return undefined
  const head = bytes.toString('latin1', 0, end)
  const [startLine = '', ...lines] = head.split('\r\n')
  const fields = lines.map((line) => {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line)
    if (match?.[1] === undefined) throw new Error(`not a field line: ${JSON.stringify(line)}`)
    return [match[1], match[2] ?? ''] as const
  })
  const all = (name: string) =>
    fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
  const status = options.kind === 'response' ? statusOf(startLine) : 0
  const rest = bytes.subarray(end + 4)
  const body = readBody(rest, { ...options, status, all })
  if (body === undefined) return undefined
  return {
    startLine,
    head,
    fields,
    field: (name) => all(name)[0],
    all,
    body: body.data,
    text: body.data.toString('latin1'),
    status,
    size: end + 4 + body.size,
    trailers: body.trailers,
  }
}

function statusOf(startLine: string): number {
  const match = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/.exec(startLine)
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(startLine)}`)
  return Number(match[1])
}

type Body = { data: Buffer; size: number; trailers: string }
const noBody: Body = { data: Buffer.alloc(0), size: 0, trailers: '' }

function readBody(
  bytes: Buffer,
  options: ReadOptions & { status: number; all(name: string): readonly string[] },
): Body | undefined {
  const { kind, status, method, all } = options
  const codings = all('transfer-encoding')
  const lengths = all('content-length')
  if (codings.length > 0 && lengths.length > 0) throw new Error('both framings in one message')
  if (lengths.length > 1 || codings.length > 1) throw new Error('a framing field twice')
  const isBodyless = status === 204 || status === 304 || (status >= 100 && status < 200)
  if (kind === 'response' && (isBodyless || method === 'HEAD')) return noBody
  if (codings[0] !== undefined) {
    if (codings[0] !== 'chunked') throw new Error(`transfer coding ${codings[0]}`)
    return readChunked(bytes)
  }
  if (lengths[0] !== undefined) {
    const length = Number(lengths[0])
    if (bytes.length < length) return undefined
    return { data: bytes.subarray(0, length), size: length, trailers: '' }
  }
  if (kind === 'request') return noBody
  return options.isEnded ? { data: bytes, size: bytes.length, trailers: '' } : undefined
}

function readChunked(bytes: Buffer): Body | undefined {
  const parts: Buffer[] = []
  let position = 0
  while (true) {
    const lineEnd = bytes.indexOf('\r\n', position)
    if (lineEnd === -1) return undefined
    const line = bytes.toString('latin1', position, lineEnd)
    const match = /^([0-9a-fA-F]+)(?:;[^\r\n]*)?$/.exec(line)
    if (match?.[1] === undefined) throw new Error(`not a chunk size: ${JSON.stringify(line)}`)
    const size = Number.parseInt(match[1], 16)
    position = lineEnd + 2
    if (size === 0) break
    if (bytes.length < position + size + 2) return undefined
    parts.push(bytes.subarray(position, position + size))
    if (bytes.toString('latin1', position + size, position + size + 2) !== '\r\n')
      throw new Error('chunk data without its line end')
    position += size + 2
  }
  if (bytes.toString('latin1', position, position + 2) === '\r\n')
    return { data: Buffer.concat(parts), size: position + 2, trailers: '' }
  const end = bytes.indexOf(headEnd, position)
  if (end === -1) return undefined
  const trailers = bytes.toString('latin1', position, end)
  return { data: Buffer.concat(parts), size: end + 4, trailers }
}
