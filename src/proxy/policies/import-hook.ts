/** Lets policies outside of this repository import `headgate/policy`, and new versions replace old. */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'

const authoringSpecifier = 'headgate/policy'
const authoringUrl = new URL('../../policy.ts', import.meta.url).href
/** Names the version of a policy's sources in its URL, because Node keeps modules by URL for ever. */
const versionParameter = 'headgate-policies'

let isRegistered = false

/**
 * Registers the hook in this thread, once: threads do not inherit it. A folder of policies has no
 * `node_modules`, and if it has, a copy of Headgate in there must not stand in for this one.
 */
export function registerPolicyImports(): void {
  if (isRegistered) return
  isRegistered = true
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === authoringSpecifier) return { url: authoringUrl, shortCircuit: true }
      const resolved = nextResolve(specifier, context)
      const version = versionOf(context.parentURL)
      const isHelper = specifier.startsWith('./') || specifier.startsWith('../')
      if (version === undefined || !isHelper || resolved.url.includes('?')) return resolved
      // A helper is loaded again with the policy that imports it.
      return { ...resolved, url: `${resolved.url}?${versionParameter}=${version}` }
    },
  })
}

/** The URL under which this version of a policy file is imported. */
export function versionedUrl(path: string, sha256: string): string {
  return `${pathToFileURL(path).href}?${versionParameter}=${sha256}`
}

function versionOf(parentUrl: string | undefined): string | undefined {
  const marker = `?${versionParameter}=`
  const start = parentUrl?.lastIndexOf(marker) ?? -1
  return start === -1 ? undefined : parentUrl?.slice(start + marker.length)
}
