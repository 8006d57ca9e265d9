/** Refuses requests that are larger than a route wants them. */
import { s } from '../../../base/schema.ts'
import { parseSize } from '../../../base/units.ts'
import { definePolicy, deny, proceed, type RequestView } from '../define-policy.ts'

const config = s
  .strictObject({
    bodyBytes: s.size().optional().describe('Largest request body.'),
    headBytes: s.size().optional().describe('Largest request line and header fields together.'),
    targetBytes: s.size().optional().describe('Longest path and query.'),
  })
  .refine((limits) => Object.values(limits).some((limit) => limit !== undefined), {
    message: 'must have at least one of `bodyBytes`, `headBytes` and `targetBytes`',
  })

export const sizeLimit = definePolicy({
  name: 'size-limit',
  summary: 'Limits the size of request body, head and target.',
  description:
    'A body whose `Content-Length` is too large is refused with 413 before any of it is read; a chunked one as soon as it grows too large. A head that is too large is answered with 431, a target with 414. The limits of the gateway (`gateway.limits`) hold as well, so these can only be lower.',
  phase: 'admit',
  config,
  examples: [
    { title: 'Small JSON bodies', yaml: 'size-limit: { bodyBytes: 64KiB }' },
    { title: 'Short targets', yaml: 'size-limit: { headBytes: 8KiB, targetBytes: 2KiB }' },
  ],
  create(limits) {
    const bodyBytesMax = bytesOf(limits.bodyBytes)
    const headBytesMax = bytesOf(limits.headBytes)
    const targetBytesMax = bytesOf(limits.targetBytes)
    const refusals = {
      target: deny('client.uri_too_long', { detail: { limitBytes: targetBytesMax } }),
      head: deny('client.headers_too_large', { detail: { limitBytes: headBytesMax } }),
      body: deny('client.body_too_large', { detail: { limitBytes: bodyBytesMax } }),
    }
    return {
      onRequest(exchange) {
        const { request } = exchange
        if (targetBytes(request) > targetBytesMax) return refusals.target
        if (request.headBytes > headBytesMax) return refusals.head
        if (bodyBytesMax === Number.POSITIVE_INFINITY) return proceed
        if (request.contentLength !== undefined && request.contentLength > bodyBytesMax) {
          return refusals.body
        }
        exchange.limitRequestBody(bodyBytesMax)
        return proceed
      },
    }
  },
})

function bytesOf(size: string | undefined): number {
  return size === undefined
    ? Number.POSITIVE_INFINITY
    : (parseSize(size) ?? Number.POSITIVE_INFINITY)
}

/** The target is ASCII on the wire, so characters are bytes. */
function targetBytes({ path, query }: RequestView): number {
  return path.length + (query === '' ? 0 : query.length + 1)
}
