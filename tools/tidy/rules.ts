/** The registry of rules, and how they are run. */
import { callRules } from './calls.ts'
import { documentRules } from './documents.ts'
import { registryRules } from './registries.ts'
import { roomRules } from './rooms.ts'
import type { Rule } from './rule.ts'
import { sizeRules } from './sizes.ts'
import { type Finding, parseSource, type TextFile } from './source.ts'
import { syntaxRules } from './syntax.ts'
import { testRules } from './tests.ts'
import { textRules } from './texts.ts'

export const rules: readonly Rule[] = [
  ...roomRules,
  ...registryRules,
  ...sizeRules,
  ...callRules,
  ...syntaxRules,
  ...testRules,
  ...textRules,
  ...documentRules,
]

/** Everything that is wrong with these files, in the order of path and line. */
export function runRules(files: readonly TextFile[], selected: readonly Rule[] = rules): Finding[] {
  const sources = files.filter(({ path }) => path.endsWith('.ts')).map(parseSource)
  return selected
    .flatMap((rule) => rule.check({ files, sources }))
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line))
}

/** `file:line: rule: what to do`, which editors and terminals make clickable. */
export function renderFinding({ path, line, rule, todo }: Finding): string {
  return `${path}:${line}: ${rule}: ${todo}`
}
