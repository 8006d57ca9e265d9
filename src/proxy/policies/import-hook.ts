/**
 * Lets policies outside of this repository import `headgate/policy`, and new versions replace old. The
 * sources of a version are kept, and imported from memory once the files are something else: a worker
 * that is replaced, or a gateway that starts anew, runs the version that was checked, whatever
 * somebody has saved since.
 */
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PolicySources } from './source-digest.ts'

const authoringSpecifier = 'headgate/policy'
const authoringUrl = new URL('../../policy.ts', import.meta.url).href
/** Names the version of a policy's sources in its URL, because Node keeps modules by URL for ever. */
const versionParameter = 'headgate-policies'
const marker = `?${versionParameter}=`
/** Node keeps what was imported; older sources could only serve an `import()` at run time. */
const versionsKeptMax = 4

let isRegistered = false
/** Text by URL without version, by version. */
const keptVersions = new Map<string, ReadonlyMap<string, string>>()

/**
 * Registers the hooks in this thread, once: threads do not inherit them. A folder of policies has no
 * `node_modules`, and if it has, a copy of Headgate in there must not stand in for this one.
 */
export function registerPolicyImports(): void {
  if (isRegistered) return
  isRegistered = true
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === authoringSpecifier) return { url: authoringUrl, shortCircuit: true }
      const version = versionOf(specifier) ?? versionOf(context.parentURL)
      const isHelper = specifier.startsWith('./') || specifier.startsWith('../')
      if (version === undefined || (!isHelper && versionOf(specifier) === undefined))
        return nextResolve(specifier, context)
      const url = `${withoutVersion(new URL(specifier, context.parentURL).href)}${marker}${version}`
      if (keptText(url) !== undefined) return { url, shortCircuit: true }
      const resolved = nextResolve(specifier, context)
      // A helper is loaded again with the policy that imports it.
      return resolved.url.includes('?')
        ? resolved
        : { ...resolved, url: `${resolved.url}${marker}${version}` }
    },
    load(url, context, nextLoad) {
      const text = keptText(url)
      if (text === undefined) return nextLoad(url, context)
      try {
        const read = nextLoad(url, context)
        // Nothing for CommonJS, which Node reads by itself.
        if (read.source === undefined || read.source === null || textOf(read.source) === text)
          return read
      } catch {
        // Whatever stands there now is not what was checked.
      }
      return { format: formatOf(url), source: text, shortCircuit: true }
    },
  })
}

/** Imports of this version come from these texts when the files say something else. */
export function keepSources({ folder, files, sha256 }: PolicySources): void {
  // Written again, so that the versions in use are the last to go.
  keptVersions.delete(sha256)
  keptVersions.set(
    sha256,
    new Map(files.map(([path, text]) => [pathToFileURL(join(folder, path)).href, text])),
  )
  const [oldest] = keptVersions.keys()
  if (keptVersions.size > versionsKeptMax && oldest !== undefined) keptVersions.delete(oldest)
}

/** The URL under which this version of a policy file is imported. */
export function versionedUrl(path: string, sha256: string): string {
  return `${pathToFileURL(path).href}${marker}${sha256}`
}

function versionOf(url: string | undefined): string | undefined {
  const start = url?.lastIndexOf(marker) ?? -1
  return start === -1 ? undefined : url?.slice(start + marker.length)
}

function withoutVersion(url: string): string {
  const start = url.lastIndexOf(marker)
  return start === -1 ? url : url.slice(0, start)
}

function keptText(url: string): string | undefined {
  return keptVersions.get(versionOf(url) ?? '')?.get(withoutVersion(url))
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source)
}

/** Policies are ES modules: control refuses others. */
function formatOf(url: string): string {
  const path = withoutVersion(url)
  if (path.endsWith('.json')) return 'json'
  if (path.endsWith('.cjs')) return 'commonjs'
  if (path.endsWith('.cts')) return 'commonjs-typescript'
  return path.endsWith('ts') ? 'module-typescript' : 'module'
}
