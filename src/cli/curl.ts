/**
 * Reads a curl command line as people paste it: quotes and line continuations of a POSIX shell, the
 * flags that shape a request, and silence about those that only shape curl's output. Nothing runs.
 */
import type { RouteTestRequest } from '../control/control-api.ts'
import { usageError } from './report-error.ts'

const example = `headgate route test 'curl -H "Host: api.example.com" http://localhost:8080/books/1'`

/** `words` is one string with a whole command, or the words of it, or `METHOD URL`, or `URL`. */
export function parseRequestWords(
  words: readonly string[],
  clientAddress: string,
): RouteTestRequest {
  const parsed = words.length === 1 ? splitShellWords(words[0] ?? '') : [...words]
  if (parsed[0] === '$') parsed.shift()
  if (parsed[0] === 'curl') return parseCurl(parsed.slice(1), clientAddress)
  const [first = '', second] = parsed
  if (parsed.length > 2 || first === '') {
    throw usageError('expected a curl command, `METHOD URL` or `URL`', example)
  }
  const [method, url] = second === undefined ? ['GET', first] : [first.toUpperCase(), second]
  return { method, url: absoluteUrl(url), headers: [], clientAddress }
}

/** Splits as a POSIX shell does (quoting only: no variables, globs or substitutions). */
export function splitShellWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let index = 0
  const add = (text: string) => {
    word = (word ?? '') + text
  }
  while (index < line.length) {
    const rest = line.slice(index)
    const match =
      /^(?:(?<space>(?:\s|\\\r?\n)+)|'(?<single>[^']*)'|\$'(?<ansi>(?:[^'\\]|\\[\s\S])*)'|"(?<double>(?:[^"\\]|\\[\s\S])*)"|\\(?<escaped>[\s\S])|(?<plain>[^\s'"\\]))/.exec(
        rest,
      )
    if (match === null) throw usageError('the command has a quote that is not closed', example)
    const { space, single, ansi, double, escaped, plain } = match.groups ?? {}
    if (space !== undefined) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (double !== undefined) add(double.replace(/\\\n/g, '').replace(/\\([$`"\\])/g, '$1'))
    else if (ansi !== undefined) add(unescapeAnsi(ansi))
    else add(single ?? escaped ?? plain ?? '')
    index += match[0].length
  }
  if (word !== undefined) words.push(word)
  return words
}

/** `$'…'` as browsers write it in "copy as cURL". */
function unescapeAnsi(text: string): string {
  const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
  return text.replace(
    /\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([\s\S]))/g,
    (_, u: string | undefined, x: string | undefined, other: string | undefined) => {
      const hex = u ?? x
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      return letters[other ?? ''] ?? other ?? ''
    },
  )
}

type CurlState = {
  method: string | undefined
  urls: string[]
  headers: [string, string][]
  hasBody: boolean
  /** With `-G` the data goes into the query. */
  isGet: boolean
  data: string[]
}

type CurlFlag = (state: CurlState, value: string) => void

const withData: CurlFlag = (state, value) => {
  state.hasBody = true
  state.data.push(value)
}

/** Flags with a value that matter for routing. */
const valueFlags: Readonly<Record<string, CurlFlag>> = {
  '-X': (state, value) => {
    state.method = value
  },
  '-H': (state, value) => addHeader(state, value),
  '-d': withData,
  '--data-urlencode': withData,
  '-F': (state) => {
    state.hasBody = true
    state.headers.push(['content-type', 'multipart/form-data'])
  },
  '--json': (state, value) => {
    withData(state, value)
    state.headers.push(['content-type', 'application/json'], ['accept', 'application/json'])
  },
  '-u': (state, value) =>
    state.headers.push(['authorization', `Basic ${Buffer.from(value).toString('base64')}`]),
  '-A': (state, value) => state.headers.push(['user-agent', value]),
  '-e': (state, value) => state.headers.push(['referer', value]),
  '-b': (state, value) => {
    // Without `=` it names a file of cookies, which is not read here.
    if (value.includes('=')) state.headers.push(['cookie', value])
  },
  '-T': (state) => {
    state.method ??= 'PUT'
    state.hasBody = true
  },
  '--url': (state, value) => state.urls.push(value),
  '--oauth2-bearer': (state, value) => state.headers.push(['authorization', `Bearer ${value}`]),
}

const longNames: Readonly<Record<string, string>> = {
  '--request': '-X',
  '--header': '-H',
  '--data': '-d',
  '--data-raw': '-d',
  '--data-ascii': '-d',
  '--data-binary': '-d',
  '--form': '-F',
  '--user': '-u',
  '--user-agent': '-A',
  '--referer': '-e',
  '--cookie': '-b',
  '--upload-file': '-T',
  '--head': '-I',
  '--get': '-G',
}

/** Flags that take a value and do not change which route matches. */
const ignoredValueFlags = new Set([
  ...['-o', '--output', '-m', '--max-time', '--connect-timeout', '-w', '--write-out', '-x'],
  ...['--proxy', '--cacert', '--capath', '-E', '--cert', '--key', '--resolve', '--connect-to'],
  ...['--retry', '--retry-delay', '--retry-max-time', '-c', '--cookie-jar', '-D', '--dump-header'],
  ...['-r', '--range', '--limit-rate', '--interface', '--ciphers', '--tls-max', '-K', '--config'],
  ...['--max-redirs', '--unix-socket', '--noproxy', '--trace', '--trace-ascii', '--stderr'],
])

function parseCurl(words: readonly string[], clientAddress: string): RouteTestRequest {
  const state: CurlState = {
    method: undefined,
    urls: [],
    headers: [],
    hasBody: false,
    isGet: false,
    data: [],
  }
  let index = 0
  const next = (flag: string) => {
    index += 1
    const value = words[index]
    if (value === undefined) throw usageError(`curl flag \`${flag}\` needs a value`, example)
    return value
  }
  for (; index < words.length; index += 1) {
    const word = words[index] ?? ''
    if (word.startsWith('--')) readLongFlag(word, state, next)
    else if (word.startsWith('-') && word !== '-') readShortFlags(word, state, next)
    else state.urls.push(word)
  }
  return finishCurl(state, clientAddress)
}

function readLongFlag(word: string, state: CurlState, next: (flag: string) => string): void {
  const equals = word.indexOf('=')
  const name = equals === -1 ? word : word.slice(0, equals)
  const short = longNames[name] ?? name
  if (short === '-I' || short === '-G') setSwitch(short, state)
  const flag = valueFlags[short]
  if (flag !== undefined) flag(state, equals === -1 ? next(word) : word.slice(equals + 1))
  else if (ignoredValueFlags.has(name) && equals === -1) next(word)
}

/** `-sSLX POST` is `-s -S -L -X POST`, and `-XPOST` is `-X POST`. */
function readShortFlags(word: string, state: CurlState, next: (flag: string) => string): void {
  for (let index = 1; index < word.length; index += 1) {
    const name = `-${word[index]}`
    const flag = valueFlags[name]
    if (flag === undefined && !ignoredValueFlags.has(name)) {
      setSwitch(name, state)
      continue
    }
    const attached = word.slice(index + 1)
    const value = attached === '' ? next(name) : attached
    flag?.(state, value)
    return
  }
}

function setSwitch(name: string, state: CurlState): void {
  if (name === '-I') state.method ??= 'HEAD'
  if (name === '-G') state.isGet = true
}

function addHeader(state: CurlState, line: string): void {
  const colon = line.indexOf(':')
  // `Name;` sends an empty field and `Name:` removes one of curl's own.
  if (colon === -1) return
  const value = line.slice(colon + 1).trim()
  if (value !== '') state.headers.push([line.slice(0, colon).trim().toLowerCase(), value])
}

function finishCurl(state: CurlState, clientAddress: string): RouteTestRequest {
  const [url, ...more] = state.urls
  if (url === undefined) throw usageError('the curl command has no URL', example)
  if (more.length > 0) throw usageError('the curl command has more than one URL', example)
  const sendsBody = state.hasBody && !state.isGet
  const headers = [...state.headers]
  if (sendsBody && !headers.some(([name]) => name === 'content-type')) {
    headers.push(['content-type', 'application/x-www-form-urlencoded'])
  }
  const target = absoluteUrl(url)
  const query = state.isGet ? state.data.join('&') : ''
  const joint = target.includes('?') ? '&' : '?'
  return {
    method: state.method ?? (sendsBody ? 'POST' : 'GET'),
    url: query === '' ? target : `${target}${joint}${query}`,
    headers,
    clientAddress,
  }
}

/** As curl does: no scheme means http. A bare path gets a host, so that `GET /books` can be asked. */
function absoluteUrl(text: string): string {
  if (text.startsWith('/')) return absoluteUrl(`http://localhost${text}`)
  const url = text.includes('://') ? text : `http://${text}`
  if (URL.canParse(url) && /^https?:/i.test(url)) return url
  throw usageError(`\`${text}\` is not an http(s) address`, example)
}
