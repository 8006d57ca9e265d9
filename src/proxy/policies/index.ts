/** The policies that Headgate brings. A new one: its file or folder, and a line here. */
import type { PolicyDefinition } from './define-policy.ts'

export const builtInPolicies: readonly PolicyDefinition[] = []
