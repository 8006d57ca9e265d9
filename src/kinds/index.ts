/** The registry of kinds, in the order in which documents and references list them. */
import { account } from './account.ts'
import { app } from './app.ts'
import { certificate } from './certificate.ts'
import type { KindDefinition } from './define-kind.ts'
import { gateway } from './gateway.ts'
import { policySet } from './policy-set.ts'
import { route } from './route.ts'
import { upstream } from './upstream.ts'

export const kinds: readonly KindDefinition[] = [
  gateway,
  certificate,
  upstream,
  account,
  route,
  policySet,
  app,
]
