/** For tests: a `fetch` that answers like the admin API, from a table of canned answers. */

export type SeenCall = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly authorization: string | null
  readonly body: unknown
}

export type Canned = (call: SeenCall) => { status?: number; body: unknown } | undefined

export type FakeAdmin = { readonly fetch: typeof fetch; readonly calls: readonly SeenCall[] }

/** Keys are `GET /api/v1/routes`. Anything else is answered 404 with a problem document. */
export function fakeAdmin(answers: Readonly<Record<string, unknown>>): FakeAdmin {
  const calls: SeenCall[] = []
  const answer: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const url = new URL(request.url)
    const text = await request.text()
    calls.push({
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
      authorization: request.headers.get('authorization'),
      body: text === '' ? undefined : JSON.parse(text),
    })
    const key = `${request.method} ${url.pathname}`
    if (!Object.hasOwn(answers, key)) return problem(404, 'admin.not_found', `nothing at ${key}`)
    const found = answers[key]
    if (found instanceof Response) return found.clone()
    return Response.json(found)
  }
  return { fetch: answer, calls }
}

export function problem(
  status: number,
  code: string,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
): Response {
  return Response.json(
    { type: `https://headgate.dev/errors/${code}`, title: 'x', status, code, detail, ...more },
    { status, headers: { 'content-type': 'application/problem+json' } },
  )
}
