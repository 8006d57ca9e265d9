/** The policies that Headgate brings. A new one: its file or folder, and a line here. */
import { apiKey } from './api-key/api-key.ts'
import { cors } from './cors/cors.ts'
import type { PolicyDefinition } from './define-policy.ts'
import { fault } from './fault/fault.ts'
import { headers } from './headers/headers.ts'
import { ipFilter } from './ip-filter/ip-filter.ts'
import { rateLimit } from './rate-limit/rate-limit.ts'
import { sizeLimit } from './size-limit/size-limit.ts'

export const builtInPolicies: readonly PolicyDefinition[] = [
  apiKey,
  cors,
  fault,
  headers,
  ipFilter,
  rateLimit,
  sizeLimit,
]
