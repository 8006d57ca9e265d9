/**
 * An operation of the admin API is said once, as a value: `register.ts` binds it to its path and
 * `openapi.ts` describes it, so the two cannot disagree.
 */
import type { s } from '../../base/schema.ts'
import type { CommitInfo } from '../../store/store.ts'
import type { Scope, TokenIdentity } from './tokens.ts'

export type Method = 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE'

/** Scope that the token needs; `AnyToken` for any, `Public` for none at all. */
export type Access = Scope | 'AnyToken' | 'Public'

export type Operation<Query = unknown> = {
  /** `operationId` of the OpenAPI document: camelCase, unique. */
  readonly id: string
  readonly method: Method
  /** With `{parameters}`, such as `/api/v1/routes/{name}`; the last segment may end in `:verb`. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly access: Access
  /** Query parameters; any other is refused. */
  readonly query?: s.ZodObject & s.ZodType<Query>
  /** Request header fields it reads, for the description. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: OperationBody
  readonly responses: Readonly<Record<number, OperationResponse>>
  handle(call: Call<Query>): Promise<Response> | Response
}

export type OperationBody = {
  /** Media types, each with the name of its schema among the components; undefined for free text. */
  readonly content: Readonly<Record<string, string | undefined>>
  readonly isRequired: boolean
  readonly description?: string
}

export type OperationResponse = {
  readonly description: string
  readonly mediaType?: string
  /** Name of the schema among the components. */
  readonly schema?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What a handler sees of one call. */
export type Call<Query = unknown> = {
  readonly request: Request
  readonly requestId: string
  readonly identity: TokenIdentity
  readonly parameters: Readonly<Record<string, string>>
  readonly query: Query
  /** The whole body; read once, however often it is asked for. */
  bytes(): Promise<Uint8Array>
  /** Aborts when the server closes. */
  readonly closing: AbortSignal
  /** Breaks the connection, with whatever is still under way on it. */
  disconnect(): void
}

/** Keeps the type of the query of one operation together. */
export function defineOperation<Query>(operation: Operation<Query>): Operation {
  return operation
}

/** Who does it and why, for revision and audit. */
export function commitInfo(call: Call, reason: string | undefined): CommitInfo {
  const info = { actor: call.identity.name, origin: 'api' }
  return reason === undefined ? info : { ...info, note: reason }
}

/** A JSON answer. */
export function json(
  status: number,
  body: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  })
}
