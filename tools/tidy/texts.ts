/** Rules about all tracked texts, not only sources: what must never be written down. */
import { type Rule, textRule } from './rule.ts'

/** Folders that exist on one machine only. Written with escapes, so that this line is not one of them. */
const machinePath =
  /(?<![\w.-])(?:\/work\/(?:main|shared)\b|\/home\/[a-z][\w.-]*\/|\/Users\/[A-Za-z]|\/root\/|[A-Z]:\\Users\\|\.\.\/shared\/)/

const machinePaths = textRule('machine-path', {
  find: (line) =>
    machinePath.test(line)
      ? 'a path of one machine: write it relative to the repository, or take it from a flag'
      : undefined,
})

const registryHost =
  /\bregistry\.(?:npmjs|yarnpkg|npmmirror)\b|\bnpm\.pkg\.github\b|^\s*(?:@[\w-]+:)?registry\s*=/

const registryHosts = textRule('registry-host', {
  find: (line) =>
    registryHost.test(line)
      ? 'the address of a package registry belongs into the settings of the machine, not into the repository'
      : undefined,
})

const lockResolved = textRule('lock-resolved', {
  applies: (path) => path === 'package-lock.json',
  find: (line) =>
    /^\s*"resolved":/.test(line) ? 'the lock names a registry: run `npm run lock`' : undefined,
})

/** Comments of sources are checked by `todo-number`; this is for scripts and configuration. */
const todoNumberInScripts = textRule('todo-number', {
  applies: (path) => /^(?:bin|bench|\.ci)\/[^.]*$|\.(?:sh|ya?ml)$/.test(path),
  find: (line) =>
    /#.*\b(?:TODO|FIXME)\b(?!\s*\(?#\d)/.test(line)
      ? 'do it now, or name the issue: `TODO #123`'
      : undefined,
})

export const textRules: readonly Rule[] = [
  machinePaths,
  registryHosts,
  lockResolved,
  todoNumberInScripts,
]
