/** The registry of generated reference pages. */
import { cliPage } from './cli-page.ts'
import { errorsPage } from './errors-page.ts'
import { policiesPage } from './policies-page.ts'
import { resourcesPage } from './resources-page.ts'

export type Page = { readonly path: string; render(): string }

export const pages: readonly Page[] = [
  { path: 'docs/reference/errors.md', render: errorsPage },
  { path: 'docs/reference/resources.md', render: resourcesPage },
  { path: 'docs/reference/policies.md', render: policiesPage },
  { path: 'docs/reference/cli.md', render: cliPage },
]
