/** What a room has many of stands in the room's registry (STYLE.md §1). */
import type { Repository, Rule } from './rule.ts'
import { type Finding, isProduct, resolveImport, type Source } from './source.ts'

/** In these folders every file is a member, whatever it calls. */
const memberFolders: ReadonlySet<string> = new Set(['src/cli/commands'])

/**
 * A member calls `defineX`, imported from a `define-x.ts`. Its registry is the nearest `index.ts`
 * above it, so a new room with a `define…` of its own is covered without a word here.
 */
const registered: Rule = {
  name: 'registered',
  check: (repository) =>
    repository.sources.filter(isMember).flatMap((source) => check(source, repository)),
}

function isMember(source: Source): boolean {
  const { path } = source
  if (!isProduct(path) || /(?:^|\/)(?:index|define-[a-z-]+)\.ts$/.test(path)) return false
  return memberFolders.has(folderOf(path)) || callsDefiner(source)
}

function callsDefiner(source: Source): boolean {
  const definers = new Set<string>()
  let isCalled = false
  source.visit({
    ImportDeclaration({ source: from, specifiers }) {
      if (!/\/define-[a-z-]+\.ts$/.test(from.value)) return
      for (const { local } of specifiers) {
        if (/^define[A-Z]/.test(local.name)) definers.add(local.name)
      }
    },
    CallExpression({ callee }) {
      if (callee.type === 'Identifier' && definers.has(callee.name)) isCalled = true
    },
  })
  return isCalled
}

function check(source: Source, { sources }: Repository): Finding[] {
  const finding = (todo: string): Finding[] => [
    { path: source.path, line: 1, rule: registered.name, todo },
  ]
  const registry = nearestRegistry(source.path, sources)
  if (registry === undefined)
    return finding('there is no `index.ts` above it: make the registry of this folder')
  const isListed = registry.imports.some(
    ({ from }) => resolveImport(registry.path, from) === source.path,
  )
  return isListed ? [] : finding(`add its line to ${registry.path}, or move it out of the folder`)
}

function nearestRegistry(path: string, sources: readonly Source[]): Source | undefined {
  for (let folder = folderOf(path); folder.startsWith('src/'); folder = folderOf(folder)) {
    const registry = sources.find((source) => source.path === `${folder}/index.ts`)
    if (registry !== undefined) return registry
  }
  return undefined
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0))
}

export const registryRules: readonly Rule[] = [registered]
